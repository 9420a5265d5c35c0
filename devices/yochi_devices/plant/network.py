"""Connections to the plant's machines, and in words why there is none."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .signal import SettingsError, SignalError

TIMEOUT = 5.0  # seconds for a connection, and for an answer


class Tls(BaseModel):
    """`ca`: who signed the server's certificate (default: whom the system trusts); the others are our own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Checks certificate and host name. SettingsError where a file is not what it should be."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ssl.SSLError) as e:
            files = ", ".join(str(f) for f in (self.ca, self.certificate, self.key) if f is not None)
            raise SettingsError(
                f"expected certificates and key (PEM, no password) in {files}, got: {e}"
            ) from e
        return context


@contextmanager
def in_words(host: str, port: int) -> Iterator[None]:
    """Every OSError on the way to `host` becomes a SignalError that a person can act on."""
    try:
        yield
    except OSError as e:
        raise SignalError(f"{host}:{port}: {_words(e)}") from e


def _words(error: OSError) -> str:
    match error:
        case socket.gaierror():
            return "no such host; check the name, or the network's name server"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); check ca and host"
        case ssl.SSLError():
            return f"no TLS as expected ({error.reason or error}); check port and tls, and our certificate"
        case ConnectionRefusedError():
            return "refused, nothing listens there; check the port, and whether the other side runs"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return "it closed the connection; look into its log"
        case TimeoutError():
            return f"no answer within {TIMEOUT:g} s; check address, cable and firewall"
        case _:
            return f"{error.strerror or error}; check address and network"
