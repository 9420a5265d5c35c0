"""Cameras: a UVC index, a network camera, a video file, a picture or a folder of them, all read the same way.

Other packages bring further ones, by their addresses' schemes: see `other_cameras`.

A file's frame is never skipped in silence: one that cannot be read raises CameraError, and the next `read` or
`next` goes on with the frame after it. A live camera gives what is before it now.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from .camera import AddressError
from .camera import Camera as Camera
from .camera import CameraError as CameraError
from .camera_process import CameraProcess
from .decode import MAX_FILE_BYTES, PictureError, decode_rgb, is_picture
from .frame import CameraFrame
from .login import LOGIN, find_login
from .other_cameras import other_schemes, shown_address
from .rtsp import parse_rtsp

RTSP = "rtsp"
ADDRESS = "://"  # never a path: whatever stands around it may be a password, and is not shown


class StillsCamera(Camera):
    """Picture files, one after the other, decoded as `yochi judge` decodes one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._next = 0

    def read(self) -> CameraFrame | None:
        if self._next >= len(self._paths):
            return None
        sequence, path = self._next, self._paths[self._next]
        self._next += 1
        try:
            rgb = decode_rgb(_picture_bytes(path), str(path))
        except PictureError as e:
            raise CameraError(str(e)) from e
        return CameraFrame(rgb, sequence, time.monotonic(), str(path), still=True)

    def close(self) -> None:
        self._next = len(self._paths)


def is_live(uri: str) -> bool:
    """Whether `uri` names a camera, and not files."""
    return ADDRESS in uri or (uri.isascii() and uri.isdecimal() and len(uri) <= 3)


def check_address(uri: str) -> str:
    """What may be shown of the address, which can be meant; AddressError otherwise. Nothing is opened.

    Of a network camera also that what is set of a login can be used.
    """
    scheme = _scheme(uri)
    if scheme == RTSP:
        address = parse_rtsp(uri)
        find_login(address.host)
        return address.shown
    others = tuple(one for one in other_schemes() if one != RTSP)
    if scheme not in others:
        known = ", ".join(f"{one}{ADDRESS}" for one in (RTSP, *others))
        login = f"; user and password belong into {LOGIN}" if "@" in uri else ""
        raise AddressError(
            f"expected an address of a known kind ({known}), got another; check it, or install its package"
            + login
        )
    return shown_address(uri)


def open_camera(uri: str) -> Camera:
    """The camera that `uri` names: a UVC index such as "0", rtsp://HOST/PATH, another package's address, or
    a file's or folder's path.

    A folder gives every entry in it, sorted by name; one that is no picture is a CameraError at its turn. A
    live camera that cannot be opened now is a CameraError of `read`: it may come later. AddressError for an
    address that cannot be meant.
    """
    if ADDRESS in uri:
        shown = check_address(uri)
        return CameraProcess("rtsp" if _scheme(uri) == RTSP else "other", uri, shown)
    if is_live(uri):
        return CameraProcess("uvc", int(uri), uri)
    path = Path(uri)
    try:
        if uri and path.is_dir():  # Path("") would be the working folder
            return StillsCamera(_entries(path))
        if path.is_file():
            return _file_camera(path)
    except OSError as e:
        raise CameraError(f"expected to read {uri}, got: {e.strerror or e}; check the path") from e
    raise CameraError(
        f"expected a camera index, rtsp://HOST/PATH, a video, a picture or a folder, found nothing at {uri}; "
        "check the path"
    )


def _scheme(uri: str) -> str:
    return uri.partition(ADDRESS)[0].lower()


def _entries(folder: Path) -> list[Path]:
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    if not paths:
        raise CameraError(f"expected pictures in {folder}, got an empty folder; check the path")
    return paths


def _file_camera(path: Path) -> Camera:
    """OpenCV would show a picture file without its EXIF orientation, so pictures go the other way."""
    with path.open("rb") as file:
        picture = is_picture(file)
    return StillsCamera([path]) if picture else CameraProcess("video", str(path), str(path))


def _picture_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CameraError(f"expected a picture file at {path}, got something else; move it away")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise CameraError(
                f"expected at most {MAX_FILE_BYTES // 2**20} MiB in {path}, got {size / 2**20:.0f}; shrink it"
            )
        return path.read_bytes()
    except OSError as e:
        raise CameraError(f"expected to read {path}, got: {e.strerror or e}; check its rights") from e
