"""`yochi serve` as a process: checks what it is given, binds, serves, and ends with its desk."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ..errors import UsageError, YochiError
from .notify import READY, STOPPING, Notifier
from .service import Service

CONNECTIONS = 256  # at once; more are answered with 503
CLOSING = 5  # seconds for answers that are on their way when the server ends


class DeskEnded(YochiError):
    """The thread that judges ended by itself: nothing is judged any more, and a new process must start."""


@dataclass(frozen=True)
class Tls:
    """Certificate and private key, PEM. UsageError where they are not."""

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ssl.SSLError) as e:
            raise UsageError(
                f"expected a certificate in {self.certificate} and its key in {self.key} (PEM, no password), "
                f"got: {e}; check both"
            ) from e


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, before anything is loaded; UsageError where it cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
            bound.listen(CONNECTIONS)  # whoever comes before it serves, or between two times, waits
        except BaseException:
            bound.close()
            raise
    except (OSError, OverflowError) as e:
        raise UsageError(
            f"expected to listen on {host}, port {port}, got: {e}; give another --host or --port"
        ) from e
    return bound


class Server:
    """Serves `app` until it is interrupted, or until the desk's thread has ended."""

    def __init__(self, app: FastAPI, service: Service, tls: Tls | None = None) -> None:
        self._service, self._notify, self._said_ready = service, Notifier(), False
        self._again = False
        self.uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                proxy_headers=False,  # who asks is decided by `access`
                server_header=False,
                ws="none",
                limit_concurrency=CONNECTIONS,
                timeout_graceful_shutdown=CLOSING,
                callback_notify=self._look,
                timeout_notify=1,
                ssl_certfile=None if tls is None else tls.certificate,
                ssl_keyfile=None if tls is None else str(tls.key),
            )
        )
        service.stopping = lambda: self.uvicorn.should_exit
        service.start_again = self._start_again

    async def _look(self) -> None:
        """About once a second."""
        if not self._said_ready and self._service.desk.readiness().ready:
            self._notify(READY)
            self._said_ready = True
        if not self._service.desk.alive:
            self.uvicorn.should_exit = True

    def _start_again(self) -> None:
        self._again = self.uvicorn.should_exit = True

    def serve(self, bound: socket.socket) -> bool:
        """On a socket that is bound; whether it is to be put together and served again.

        DeskEnded where the desk ended by itself.
        """
        with bound:
            self.uvicorn.run(sockets=[bound])
        if not self._again:
            self._notify(STOPPING)
        if not self._service.closed_in_order:
            raise DeskEnded("expected the judging thread to go on, it ended; start Yochi again, report it")
        return self._again
