"""Cameras: a UVC index, a video file, a picture, or a folder of pictures, all read the same way.

Nothing is skipped in silence: a frame that cannot be read raises CameraError, and the next `read` or `next`
goes on with the frame after it.
"""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from .decode import MAX_FILE_BYTES, PictureError, decode_rgb, is_picture
from .frame import CameraFrame

EARLY_END = 0.9  # a video that ends before this share of its promised frames is reported as broken


class CameraError(Exception):
    """A camera that cannot be opened or a frame that cannot be read; the message is one line."""


class Camera(ABC):
    """A context manager and an iterator of CameraFrame that survives CameraError."""

    @abstractmethod
    def read(self) -> CameraFrame | None:
        """The next frame, None at the end; CameraError for a frame that cannot be read."""

    @abstractmethod
    def close(self) -> None:
        """Free the device; more than once does no harm."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> CameraFrame:
        frame = self.read()
        if frame is None:
            raise StopIteration
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        return CameraFrame(rgb, sequence, time.monotonic(), str(path))

    def close(self) -> None:
        self._next = len(self._paths)


class CaptureCamera(Camera):
    """OpenCV's VideoCapture on a UVC index (`live`) or on a video file. BGR becomes RGB."""

    def __init__(self, source: int | str, *, live: bool) -> None:
        self._cv2 = _opencv()
        self._source, self._live, self._sequence, self._ended = source, live, 0, False
        self._capture: Any = self._cv2.VideoCapture(source)
        if not self._capture.isOpened():
            self._capture.release()
            what = "a camera with index" if live else "a video in"
            raise CameraError(
                f"expected {what} {source}, could not open it; check the {'cable' if live else 'file'}"
            )
        if live:
            self._capture.set(self._cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not the oldest queued one

    def read(self) -> CameraFrame | None:
        if self._ended:
            return None
        try:
            return self._grab()
        except self._cv2.error as e:
            raise self._unreadable(" ".join(str(e).split())) from e

    def close(self) -> None:
        self._ended = True
        self._capture.release()

    def _grab(self) -> CameraFrame | None:
        grabbed, sequence = self._capture.grab(), self._sequence
        if not grabbed:
            self._check_end()
            return None
        self._sequence += 1
        whole, bgr = self._capture.retrieve()
        if not whole or bgr is None:
            raise self._unreadable("no picture")
        rgb = self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB)
        return CameraFrame(rgb, sequence, time.monotonic(), f"{self._source}#{sequence}")

    def _check_end(self) -> None:
        """A live camera has no end; a video has one, which may come too early."""
        if self._live:
            self._sequence += 1
            raise self._unreadable("none")
        self._ended = True
        promised = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT)
        if self._sequence == 0 or self._sequence < promised * EARLY_END:
            raise CameraError(
                f"expected about {max(promised, 1):.0f} frames in {self._source}, got {self._sequence}; "
                "the video is broken, record it again"
            )

    def _unreadable(self, came: str) -> CameraError:
        return CameraError(f"expected a frame from {self._source}, got {came}; check the camera or the file")


def open_camera(uri: str) -> Camera:
    """The camera that `uri` names: a UVC index such as "0", or the path of a video, a picture or a folder.

    A folder gives every entry in it, sorted by name; one that is no picture is a CameraError at its turn.
    """
    if uri.isascii() and uri.isdecimal() and len(uri) <= 3:
        return CaptureCamera(int(uri), live=True)
    path = Path(uri)
    try:
        if uri and path.is_dir():  # Path("") would be the working folder
            return StillsCamera(_entries(path))
        if path.is_file():
            return _file_camera(path)
    except OSError as e:
        raise CameraError(f"expected to read {uri}, got: {e.strerror or e}; check the path") from e
    raise CameraError(
        f"expected a camera index, a video, a picture or a folder, found nothing at {uri}; check the path"
    )


def _entries(folder: Path) -> list[Path]:
    paths = sorted(folder.iterdir(), key=lambda path: path.name)
    if not paths:
        raise CameraError(f"expected pictures in {folder}, got an empty folder; check the path")
    return paths


def _file_camera(path: Path) -> Camera:
    """OpenCV would show a picture file without its EXIF orientation, so pictures go the other way."""
    with path.open("rb") as file:
        picture = is_picture(file)
    return StillsCamera([path]) if picture else CaptureCamera(str(path), live=False)


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


def _opencv() -> ModuleType:
    """OpenCV, loaded only when a camera needs it (memory), without its own lines on stderr."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it would print comes as CameraError
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    module: ModuleType = cv2
    return module
