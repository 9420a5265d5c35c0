"""OpenCV's captures: a video file frame by frame, a UVC camera, and a network camera's stream."""

import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from .camera import Camera, CameraError, CameraLost
from .frame import CameraFrame
from .stream_clock import StreamClock

EARLY_END = 0.9  # a video that ends before this share of its promised frames is reported as broken
OPEN_SECONDS = 5.0  # for a network stream to open
READ_SECONDS = 1.5  # for its next frame
# A network stream is taken over TCP, whole or not at all: UDP loses parts of pictures. One frame is enough to
# guess its rate, which nobody asks for; the default waits for 20.
STREAM_OPTIONS = "rtsp_transport;tcp|fpsprobesize;1"
CAUGHT_UP = 0.01  # seconds: a frame that took this long to come did not lie in a buffer
MAX_BACKLOG = 1000  # frames
T = TypeVar("T")


class CaptureCamera(Camera):
    """OpenCV's VideoCapture on a UVC index or a video file. BGR becomes RGB.

    Gives every frame in order; a `live` one is followed by a LiveCamera, or its frames wait in the driver.
    `sequence` is the first frame's number.
    """

    def __init__(self, source: int | str, *, live: bool, sequence: int = 0) -> None:
        self._cv2 = opencv()
        self._shown, self._live, self.sequence, self._ended = str(source), live, sequence, False
        self._first, self._capture = sequence, self._opened(source)
        self.arrived = self._stamp = 0.0  # seconds of `time.monotonic()`, of the frame that was grabbed last
        if not self._capture.isOpened():
            self._capture.release()
            raise self._unopened()
        if live:
            self._capture.set(self._cv2.CAP_PROP_BUFFERSIZE, 1)  # frames that wait here grow old

    def read(self) -> CameraFrame | None:
        return self.retrieve() if self.grab() else None

    def grab(self) -> bool:
        """Take the next frame without decoding it; False at the end, CameraError where there is none."""
        if self._ended:
            return False
        grabbed, self.arrived = self._called(self._capture.grab), time.monotonic()
        if not grabbed:
            self._check_end()
            return False
        self.sequence += 1
        self._stamp = self._stamped(self.arrived)
        return True

    def retrieve(self) -> CameraFrame:
        """The frame that `grab` has taken."""
        whole, bgr = self._called(self._capture.retrieve)
        if not whole or bgr is None:
            raise self._unreadable("no picture")
        rgb = self._called(lambda: self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB))
        number = self.sequence - 1
        return CameraFrame(rgb, number, self._stamp, f"{self._shown}#{number}", self._live)

    def close(self) -> None:
        self._ended = True
        self._capture.release()

    def _opened(self, source: int | str) -> Any:
        return self._cv2.VideoCapture(source)

    def _unopened(self) -> CameraError:
        what = "a camera with index" if self._live else "a video in"
        where = "cable" if self._live else "file"
        return CameraError(f"expected {what} {self._shown}, could not open it; check the {where}")

    def _called(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except self._cv2.error as e:
            raise self._unreadable(" ".join(str(e).split())) from e

    def _stamped(self, arrived: float) -> float:
        return arrived

    def _check_end(self) -> None:
        """A live camera has no end; a video has one, which may come too early."""
        if self._live:
            self.sequence += 1
            raise CameraLost(str(self._unreadable("none")))
        self._ended = True
        promised, came = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT), self.sequence - self._first
        if came == 0 or came < promised * EARLY_END:
            raise CameraError(
                f"expected about {max(promised, 1):.0f} frames in {self._shown}, got {came}; "
                "the video is broken, record it again"
            )

    def _unreadable(self, came: str) -> CameraError:
        return CameraError(f"expected a frame from {self._shown}, got {came}; check the camera or the file")


class StreamCapture(CaptureCamera):
    """A network camera's stream at `url`, which may hold a password; messages say `shown` instead.

    What lies in buffers when it has opened is passed over.
    """

    def __init__(self, url: str, shown: str, *, sequence: int = 0) -> None:
        self._url, self._clock = url, StreamClock()
        super().__init__(shown, live=True, sequence=sequence)
        try:
            self._catch_up()
        except BaseException:
            self.close()
            raise

    def _opened(self, source: int | str) -> Any:  # noqa: ARG002 -- `source` is what is shown
        cv2 = self._cv2
        settings = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: OPEN_SECONDS * 1000,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: READ_SECONDS * 1000,
            # FFmpeg's threads decode whole frames, and each of them holds one back.
            cv2.CAP_PROP_N_THREADS: 1,
        }
        pairs = [int(number) for pair in settings.items() for number in pair]
        return cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, pairs)

    def _unopened(self) -> CameraError:
        return CameraError(
            f"expected pictures from {self._shown} within {OPEN_SECONDS:g} s, none that can be decoded came; "
            "restart the camera, set it to H.264 or MJPEG"
        )

    def _stamped(self, arrived: float) -> float:
        return self._clock.taken(arrived, self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000)

    def _catch_up(self) -> None:
        for _ in range(MAX_BACKLOG):
            start = time.monotonic()
            try:
                self.grab()
            except CameraLost as e:
                raise self._unopened() from e
            if time.monotonic() - start >= CAUGHT_UP:
                return


def opencv() -> ModuleType:
    """OpenCV, loaded only when a camera needs it (memory), without its own lines on stderr.

    FFmpeg's lines would hold addresses with passwords.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it would print comes as CameraError
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", STREAM_OPTIONS)
    import cv2

    module: ModuleType = cv2
    return module
