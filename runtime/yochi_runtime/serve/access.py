"""Who may ask: the box itself, and beyond it who has the token. Every answer forbids being used elsewhere.

Who changes bundle, rules or mode needs a second token besides, on the box, too; without one set, nobody may.
Only then, and only from the box itself, is it set up without one, which makes it.

Bound to localhost without a token, everybody on the box may ask. With a token, localhost means that a proxy
stands in front, and then all need it. Bound beyond localhost the token is required to start at all, and only
the box itself may ask without. A page of another site, open in a browser on the box, may not: its name for
the box (DNS rebinding) or its Origin gives it away.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import UsageError

TOKEN_VARIABLE = "YOCHI_TOKEN"
ADMIN_VARIABLE = "YOCHI_ADMIN_TOKEN"
ADMIN_HEADER = "Yochi-Admin-Token"
MIN_TOKEN = 16  # characters
COOKIE = "yochi"
PAGES = ("/", "/audit", "/engineer", "/setup")  # what a person opens
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")  # somebody asks on behalf of somebody else
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser sends a form with "Origin: null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine and nothing else."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(
    file: Path | None, environment: Mapping[str, str] = os.environ, variable: str = TOKEN_VARIABLE
) -> str | None:
    """The token in `file` or in the `variable`, None without either; UsageError where it is none."""
    where, token = str(file), environment.get(variable)
    if file is None:
        where = f"the environment's {variable}"
    else:
        try:
            mode, token = file.stat().st_mode & 0o777, file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            raise UsageError(f"expected a token in {file}, got: {e}; check the path and its rights") from e
        if mode & 0o007:
            raise UsageError(
                f"expected a token that others cannot read, got mode {mode:04o} of {file}; chmod 600"
            )
    if token is not None and not (len(token) >= MIN_TOKEN and token.isascii() and token.isprintable()):
        raise UsageError(
            f"expected a token of at least {MIN_TOKEN} printable ASCII characters in {where}, "
            "got something else; make one: openssl rand -hex 32"
        )
    return token


@dataclass
class Access:
    """The rule for one server, bound to `host`; `admin` is the second token, which a first run sets.

    UsageError beyond localhost without a token, and where the two are the same.
    """

    host: str
    token: str | None = None
    admin: str | None = None

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"expected a token to listen on {self.host}, which is beyond localhost, got none; "
                f"give --token-file FILE or {TOKEN_VARIABLE}"
            )
        if self.admin is not None and self.admin == self.token:
            raise UsageError(
                f"expected another token for changes than for reading, got the same in {ADMIN_VARIABLE} or "
                "--admin-token-file; make a second one: openssl rand -hex 32"
            )

    def refusal(self, scope: Scope) -> Response | None:
        """What to answer instead; None where the request may go on."""
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE_METHODS and not _same_origin(headers):
            return _refused(403, "expected a request by a page of this service, got one by another site's")
        if self._on_the_box(scope, headers):
            if not is_loopback(_name(headers.get("host", ""))):
                return _refused(403, "expected localhost as the host's name on the box, got another")
            return None
        if self._has_token(headers) or _is_login(scope):
            return None
        refused = _refused(401, "expected a token; send the header Authorization: Bearer TOKEN")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    def _on_the_box(self, scope: Scope, headers: Headers) -> bool:
        """Whether it comes from the box itself, where that is enough."""
        if self.token is not None and is_loopback(self.host):
            return False
        peer = scope.get("client")
        return peer is not None and is_loopback(peer[0]) and not any(name in headers for name in FORWARDED)

    def _has_token(self, headers: Headers) -> bool:
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if self.token is not None and cookie is not None:
            return hmac.compare_digest(_sha256(cookie), _sha256(self.session()))
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(given.strip())

    def session(self) -> str:
        """What a browser shows instead of the token: made of it, and of no use to find it."""
        return hmac.digest((self.token or "").encode(), b"yochi page", "sha256").hex()

    def is_token(self, given: str) -> bool:
        """Compared in constant time, by hashes, so that not even the length shows."""
        return self.token is not None and hmac.compare_digest(_sha256(given), _sha256(self.token))

    def change_refusal(self, given: str | None) -> str | None:
        """Why who shows `given` may change nothing; None where he may."""
        if self.admin is None:
            return (
                "expected a second token for changes, this service has none, so it takes none; "
                f"start it with --admin-token-file FILE or {ADMIN_VARIABLE}"
            )
        if given is None or not hmac.compare_digest(_sha256(given), _sha256(self.admin)):
            return f"expected the second token, for changes, got none or another; send it as {ADMIN_HEADER}"
        return None

    def first_run(self, scope: Scope) -> bool:
        """Whether who asks may set the box up without a token."""
        return self.admin is None and self._on_the_box(scope, Headers(scope=scope))

    def setup_refusal(self, scope: Scope, given: str | None) -> str | None:
        """Why who shows `given` may not set the box up; None where he may."""
        if self.admin is not None:
            return self.change_refusal(given)
        if self.first_run(scope):
            return None
        return (
            "expected the box itself for its first run, got a request from elsewhere, or through a proxy; "
            f"open /setup on the box, or start with --admin-token-file FILE or {ADMIN_VARIABLE}"
        )


class Guard:
    """Asks `access` before `app` sees a request, and puts HEADERS on every answer.

    A person who asks for a page without a token gets `login` instead.
    """

    def __init__(self, app: ASGIApp, access: Access, login: Callable[[Request], Response]) -> None:
        self._app, self._access, self._login = app, access, login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._access.refusal(scope)
        if refusal is not None and refusal.status_code == 401 and _is_page(scope):
            refusal = self._login(Request(scope))
        await (refusal or self._app)(scope, receive, sealed)


def _is_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and scope["path"] in PAGES


def _is_login(scope: Scope) -> bool:
    """The way in, and the files it is drawn with, which everybody knows."""
    return (scope["method"], scope["path"]) in (("POST", "/login"), ("GET", "/page/page.css"))


def _same_origin(headers: Headers) -> bool:
    """A browser says where a request comes from; other programs say nothing."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _name(host: str) -> str:
    """The host of a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
