"""A network camera's address, and what the camera says when it is asked for it: RTSP 1.0, RFC 2326.

OpenCV tells that a stream did not open and not why. So the camera is asked by DESCRIBE first, over the same
TCP port: its answer says what is wrong in words, before any picture, and costs one more connection.
"""

import re
import socket
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from .camera import AddressError, CameraError, LoginError
from .login import LOGIN, NETRC, Login, authorization

SCHEME = "rtsp://"
PORT = 554
MAX_ANSWER = 1 << 16  # bytes, of head and of body; a camera needs about 1,000
# RTP names of what FFmpeg decodes and cameras send; RFC 3551's static types by their numbers.
CODECS = {"H264", "H265", "JPEG", "MP4V-ES", "MPV", "H263", "H263-1998", "H263-2000", "VP8", "VP9", "AV1"}
STATIC = {"26": "JPEG", "32": "MPV", "34": "H263"}
BUSY = (453, 500, 503)  # not enough bandwidth, server error, service unavailable


@dataclass(frozen=True)
class RtspAddress:
    """Where a stream is. `shown` is what may stand in a message: some cameras take passwords in a query."""

    host: str
    port: int
    path: str  # with its query

    @property
    def shown(self) -> str:
        path, mark, _ = self.path.partition("?")
        return self._url("", path + (mark and "?..."))

    @property
    def plain(self) -> str:
        """The request's URI: without a login, with the query."""
        return self._url("", self.path)

    def with_login(self, login: Login | None) -> str:
        """For FFmpeg, which takes user and password in no other way. Never to be shown."""
        user = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}@" if login else ""
        return self._url(user, self.path)

    def _url(self, user: str, path: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{user}{host}:{self.port}{path}"


def parse_rtsp(uri: str) -> RtspAddress:
    """AddressError for what is no address, and for one with a password: it would stand in lists and logs."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or PORT
    except ValueError as e:
        raise AddressError(f"expected {SCHEME}HOST[:PORT]/PATH, got another address; check it") from e
    if "@" in parts.netloc:
        raise AddressError(
            f"expected an address without user and password, got one with them; put user:password into the "
            f"environment as {LOGIN}, or a netrc file's path as {NETRC}"
        )
    if parts.scheme != "rtsp" or not host or re.search(r"[\s\x00-\x1f]", uri):
        raise AddressError(f"expected {SCHEME}HOST[:PORT]/PATH, got another address; check it")
    query = f"?{parts.query}" if parts.query else ""
    return RtspAddress(host, port, (parts.path or "/") + query)


def describe(address: RtspAddress, login: Login | None, limit: float) -> str:
    """The codec that the camera names for its video, asked within `limit` seconds.

    CameraError in words where it cannot be reached, refuses, or has no video that can be decoded here;
    LoginError where it is about user and password.
    """
    until = time.monotonic() + limit
    try:
        with socket.create_connection((address.host, address.port), limit) as connection:
            status, headers, body = _ask(connection, address, {}, until)
            if status == 401 and login is not None:
                offers = headers.get("www-authenticate", "").split("\n")
                said = {"Authorization": authorization(offers, "DESCRIBE", address.plain, login)}
                status, headers, body = _ask(connection, address, said, until)
    except (OSError, ValueError) as e:
        raise CameraError(_unreached(address, e, limit)) from e
    _check_status(address, status, login)
    return _video_codec(address, body)


def _ask(
    connection: socket.socket, address: RtspAddress, extra: dict[str, str], until: float
) -> tuple[int, dict[str, str], str]:
    """Status, headers (lower case; all WWW-Authenticate in one, by lines) and body of a DESCRIBE."""
    sequence = 2 if extra else 1
    wanted = {"CSeq": str(sequence), "Accept": "application/sdp", "User-Agent": "yochi", **extra}
    lines = [f"DESCRIBE {address.plain} RTSP/1.0", *(f"{k}: {v}" for k, v in wanted.items()), "", ""]
    connection.sendall("\r\n".join(lines).encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection, until, len(data))
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("utf-8", "replace").split("\r\n")
    match = re.match(r"RTSP/1\.\d (\d{3})", first)
    if not match:
        raise ValueError(first)
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in rest):
        key = name.strip().lower()
        headers[key] = f"{headers[key]}\n{value.strip()}" if key in headers else value.strip()
    length = headers.get("content-length", "0")
    count = int(length) if length.isdecimal() else 0
    while len(body) < min(count, MAX_ANSWER):
        body += _more(connection, until, len(body))
    return int(match[1]), headers, body.decode("utf-8", "replace")


def _more(connection: socket.socket, until: float, held: int) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if held > MAX_ANSWER:
        raise ValueError("too long")
    connection.settimeout(left)
    data = connection.recv(4096)
    if not data:
        raise ConnectionResetError("closed")
    return data


def _unreached(address: RtspAddress, error: Exception, limit: float) -> str:
    """Words for what the network, or something that is no camera, did."""
    place = f"{address.host}:{address.port}"
    if isinstance(error, socket.gaierror):
        return f"expected a camera at {place}, no such host; check the name or give its IP address"
    if isinstance(error, ConnectionRefusedError):
        return (
            f"expected a camera at {place}, refused: nothing listens there; check port, and RTSP in its menu"
        )
    if isinstance(error, TimeoutError):
        return f"expected an answer of {place} within {limit:g} s, got none; check cable, address and power"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return f"expected an answer of {place}, it closed the connection; check that its port speaks RTSP"
    if isinstance(error, OSError):
        return (
            f"expected a camera at {place}, got: {error.strerror or type(error).__name__}; check the network"
        )
    return f"expected RTSP at {place}, something else answers there; check the port (usually {PORT})"


def _check_status(address: RtspAddress, status: int, login: Login | None) -> None:
    if status == 200:
        return
    if status in (401, 403) and login is None:
        raise LoginError(
            f"expected {address.shown} to be open, the camera asks for user and password; put user:password "
            f"into the environment as {LOGIN}, or a netrc file's path as {NETRC}"
        )
    if status in (401, 403):
        raise LoginError(
            f"expected {address.shown} to take user and password, refused ({status}): wrong user or "
            f"password, or one without rights to watch; check {LOGIN} or {NETRC}"
        )
    if status in (404, 451, 454):
        raise CameraError(
            f"expected a stream at {address.shown}, the camera has no such stream ({status}); "
            "take the path from its manual"
        )
    if status in BUSY:
        raise CameraError(
            f"expected the stream {address.shown}, the camera is busy ({status}); close other viewers"
        )
    raise CameraError(
        f"expected the stream {address.shown}, the camera answers {status}; look it up in its manual"
    )


def _video_codec(address: RtspAddress, sdp: str) -> str:
    """The first video's codec by SDP (RFC 8866); CameraError where it is none that FFmpeg decodes."""
    section = re.search(r"^m=video \S+ \S+ (\d+)(.*?)(?=^m=|\Z)", sdp, re.MULTILINE | re.DOTALL)
    if not section:
        raise CameraError(f"expected video in {address.shown}, the stream has none; take another stream")
    named = re.search(rf"^a=rtpmap:{section[1]} ([^/\s]+)", section[2], re.MULTILINE)
    codec = named[1] if named else STATIC.get(section[1], f"number {section[1]}")
    if codec.upper() not in CODECS:
        raise CameraError(
            f"expected H264, H265 or JPEG in {address.shown}, got the codec {codec!r:.40}; "
            "set it in the camera's menu"
        )
    return codec.upper()
