"""Messages to an HTTP receiver, signed as the Standard Webhooks specification says.

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body`. A
receiver refuses a timestamp that is minutes old and knows a message that comes twice by its id; libraries for
that exist in most languages (https://www.standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import time
from urllib.parse import urlsplit

from .network import TIMEOUT, in_words
from .settings import WebhookSettings
from .signal import Message, SettingsError, SignalError

PREFIX = "whsec_"  # of a secret that is written in base64


class Webhook:
    """A sink. Only 2xx acknowledges; a redirect is no acknowledgement and is not followed."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.name = settings.name
        self._key = key_of(settings.secret.read())
        address = urlsplit(settings.url)
        assert address.hostname is not None  # checked by the settings
        self._host = address.hostname
        self._context = settings.tls.context() if address.scheme == "https" else None
        self._port = address.port or (80 if self._context is None else 443)
        self._target = f"{address.path or '/'}{f'?{address.query}' if address.query else ''}"

    def send(self, message: Message) -> None:
        body = message.text().encode()
        with in_words(self._host, self._port):
            connection = self._connection()
            try:
                connection.request("POST", self._target, body, self._headers(message.id, body))
                status = connection.getresponse().status
            except http.client.HTTPException as e:
                if isinstance(e, OSError):  # RemoteDisconnected is both
                    raise
                raise SignalError(
                    f"{self._host}:{self._port}: no HTTP ({type(e).__name__}); check the port"
                ) from e
            finally:
                connection.close()
        if not 200 <= status < 300:
            raise SignalError(f"{self._host}:{self._port}: it answered {status}, {_advice(status)}")

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._context)

    def _headers(self, id: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        return {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key, id, timestamp, body),
        }

    def close(self) -> None:
        """Every message has a connection of its own."""


def signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def key_of(secret: str) -> bytes:
    """At least 24 bytes, as the specification asks; SettingsError otherwise."""
    try:
        key = base64.b64decode(secret[len(PREFIX) :], validate=True) if secret.startswith(PREFIX) else None
    except binascii.Error:
        raise SettingsError(
            f"expected base64 after {PREFIX} in the webhook's secret; write it again"
        ) from None
    key = secret.encode() if key is None else key
    if len(key) < 24:
        raise SettingsError(
            f"expected a webhook's secret of at least 24 bytes, got {len(key)}; "
            "make one: openssl rand -base64 32"
        )
    return key


def _advice(status: int) -> str:
    if status in (401, 403):
        return "it does not accept the signature; check secret and the receiver's clock"
    if status in (404, 405, 410) or 300 <= status < 400:
        return "there is no receiver; check the url"
    return "look into the receiver's log"
