"""OpenCV's captures: a video file frame by frame, and a live camera always at its newest frame."""

import os
import threading
import time
from types import ModuleType
from typing import Any

from .camera import Camera, CameraError
from .frame import CameraFrame

EARLY_END = 0.9  # a video that ends before this share of its promised frames is reported as broken
WAIT_SECONDS = 5.0  # for a live camera's next frame
RETRY_SECONDS = 0.1  # between two tries on a live camera that fails
CLOSE_SECONDS = 2.0  # for the thread to free the device


class CaptureCamera(Camera):
    """OpenCV's VideoCapture on a UVC index (`live`) or on a video file. BGR becomes RGB.

    Gives every frame in order; a live one is followed by a LiveCamera, or its frames wait in the driver.
    """

    def __init__(self, source: int | str, *, live: bool) -> None:
        self._cv2 = opencv()
        self._source, self._live, self._sequence, self._ended = source, live, 0, False
        self._capture: Any = self._cv2.VideoCapture(source)
        if not self._capture.isOpened():
            self._capture.release()
            what = "a camera with index" if live else "a video in"
            raise CameraError(
                f"expected {what} {source}, could not open it; check the {'cable' if live else 'file'}"
            )
        if live:
            self._capture.set(self._cv2.CAP_PROP_BUFFERSIZE, 1)  # frames that wait here grow old

    def read(self) -> CameraFrame | None:
        return self._taken(decode=True)

    def skip(self) -> None:
        """Pass over the next frame without decoding it; CameraError where there is none."""
        self._taken(decode=False)

    def close(self) -> None:
        self._ended = True
        self._capture.release()

    def _taken(self, *, decode: bool) -> CameraFrame | None:
        if self._ended:
            return None
        try:
            return self._grab(decode)
        except self._cv2.error as e:
            raise self._unreadable(" ".join(str(e).split())) from e

    def _grab(self, decode: bool) -> CameraFrame | None:
        grabbed, sequence, arrived = self._capture.grab(), self._sequence, time.monotonic()
        if not grabbed:
            self._check_end()
            return None
        self._sequence += 1
        if not decode:
            return None
        whole, bgr = self._capture.retrieve()
        if not whole or bgr is None:
            raise self._unreadable("no picture")
        rgb = self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB)
        return CameraFrame(rgb, sequence, arrived, f"{self._source}#{sequence}", self._live)

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


class LiveCamera(Camera):
    """A live camera whose `read` gives a frame that arrived after `read` was called.

    A thread takes every frame out of the driver, so that none grows old there, and decodes only the one that
    is asked for. What comes between two reads is passed over, faults included; `sequence` shows the gap.
    """

    def __init__(self, source: CaptureCamera) -> None:
        self._source = source
        self._changed = threading.Condition()  # guards all below
        self._wanted, self._closed = False, False
        self._came: CameraFrame | CameraError | None = None
        self._thread = threading.Thread(target=self._follow, name="yochi camera", daemon=True)
        self._thread.start()

    def read(self) -> CameraFrame | None:
        with self._changed:
            self._wanted, self._came = True, None  # what came too late for the last read is not given now
            answered = self._changed.wait_for(lambda: self._came is not None or self._closed, WAIT_SECONDS)
            came, closed = self._came, self._closed
        if closed:
            return None
        if not answered:
            raise CameraError(
                f"expected a frame within {WAIT_SECONDS:g} s, the camera is silent; check it and its cable"
            )
        if isinstance(came, CameraError):
            raise came
        return came

    def close(self) -> None:
        """The thread frees the device itself: a capture that hangs must not be released under it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)

    def _follow(self) -> None:
        try:
            while not self._closed:
                wanted = self._wanted  # before the frame is taken: it arrives after the call to `read`
                came = self._next(wanted)
                with self._changed:
                    if wanted and came is not None:
                        self._wanted, self._came = False, came
                        self._changed.notify_all()
                    if isinstance(came, CameraError):  # a dead device fails at once: no busy loop
                        self._changed.wait_for(lambda: self._closed, RETRY_SECONDS)
        finally:
            self._source.close()

    def _next(self, wanted: bool) -> CameraFrame | CameraError | None:
        try:
            if wanted:
                return self._source.read()
            self._source.skip()
            return None
        except CameraError as e:
            return e  # raised where the frame is read
        except Exception as e:  # noqa: BLE001 -- whoever waits for a frame is told, not this thread's stderr
            said = " ".join(str(e).split())
            return CameraError(f"expected a frame, got {type(e).__name__}: {said}; check the camera")


def opencv() -> ModuleType:
    """OpenCV, loaded only when a camera needs it (memory), without its own lines on stderr."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it would print comes as CameraError
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    module: ModuleType = cv2
    return module
