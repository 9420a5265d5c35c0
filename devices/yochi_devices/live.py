"""A live camera always at its newest frame, which is opened again whenever it is lost."""

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from .camera import Camera, CameraError, CameraLost, LoginError
from .frame import CameraFrame

WAIT_SECONDS = 1.5  # from a frame to the next, while one is wanted; one that takes a second is stale anyway
WAIT_AT_LEAST = 0.5  # seconds, however long the last frame is ago
RETRY_SECONDS = 0.1  # between two tries on a camera that gave a broken frame
CLOSE_SECONDS = 2.0  # for the thread to free the device
FIRST_PAUSE, MAX_PAUSE = 0.25, 2.0  # seconds before it is opened again: 0.25, 0.5, 1, 2, 2 ...
LOGIN_PAUSE = 60.0  # seconds after a refused password: many cameras lock a user after five tries

T = TypeVar("T")


class Source(Protocol):
    """What is followed: a CaptureCamera, or another package's camera."""

    sequence: int  # the next frame's number
    arrived: float  # seconds of `time.monotonic()`, of the frame that was grabbed last

    def grab(self) -> bool: ...
    def retrieve(self) -> CameraFrame: ...
    def close(self) -> None: ...


Open = Callable[[int], Source]  # with the number of the first frame


class LiveCamera(Camera):
    """A live camera whose `read` gives a frame that arrived after `read` was called.

    A thread opens it, takes every frame out of the driver, so that none grows old there, and decodes only the
    one that is asked for. What comes between two reads is passed over, faults included; `sequence` shows the
    gap. There is never more than this one frame.
    """

    def __init__(self, opens: Open) -> None:
        self._open, self._sequence = opens, 0
        self._changed = threading.Condition()  # guards all below
        self._asked: float | None = None  # since when a frame is wanted
        self._closed = self._tried = False
        self._came: CameraFrame | CameraError | None = None
        self._lost: CameraError | None = None  # why it is not open
        self._called = 0.0  # since when the thread is inside the library, 0 where it is not
        self._alive = time.monotonic()  # when it last gave a frame, asked for or not, or was opened
        self._thread = threading.Thread(target=self._follow, name="yochi camera", daemon=True)
        self._thread.start()

    def wait_opened(self, seconds: float) -> None:
        """Until it was tried to open it, with or without success."""
        with self._changed:
            self._changed.wait_for(lambda: self._tried or self._closed, seconds)

    @property
    def stuck(self) -> float:
        """Seconds that the library has been at work on one call."""
        since = self._called
        return time.monotonic() - since if since else 0.0

    def read(self) -> CameraFrame | None:
        with self._changed:
            self._came = None  # what came too late for the last read is not given now
            self._asked = time.monotonic()
            left = max(WAIT_AT_LEAST, self._alive + WAIT_SECONDS - self._asked)
            answered = self._changed.wait_for(lambda: self._came is not None or self._closed, left)
            came, closed, lost = self._came, self._closed, self._lost
        if closed:
            return None
        if not answered and lost:
            raise lost
        if not answered:
            raise CameraError(
                f"expected a frame within {WAIT_SECONDS:g} s of the last, the camera is silent; check it and "
                "its cable"
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
        source: Source | None = None
        failures = 0
        while not self._closed:
            came = self._next(source) if source else self._opened()
            if came is not None and not isinstance(came, CameraFrame | CameraError):
                source = came
                continue
            self._publish(came)
            if not isinstance(came, CameraError):
                failures = 0
            elif source is not None and not isinstance(came, CameraLost):
                self._pause(RETRY_SECONDS)  # a broken frame: no busy loop
            else:
                if source is not None:
                    self._sequence = source.sequence
                    source.close()
                source, failures = None, failures + 1
                self._pause(_back_off(failures, came))
        if source is not None:
            source.close()

    def _opened(self) -> Source | CameraError:
        came = self._called_library(lambda: self._open(self._sequence))
        with self._changed:
            self._tried, self._lost = True, came if isinstance(came, CameraError) else None
            self._alive = time.monotonic() if self._lost is None else self._alive
            self._changed.notify_all()
        return came

    def _next(self, source: Source) -> CameraFrame | CameraError | None:
        """The next frame if it came after it was asked for; None where nobody did."""

        def taken() -> CameraFrame | None:
            source.grab()
            self._alive = time.monotonic()
            asked = self._asked
            return None if asked is None or source.arrived < asked else source.retrieve()

        came = self._called_library(taken)
        if isinstance(came, CameraLost):
            with self._changed:
                self._lost = came
        return came

    def _called_library(self, call: Callable[[], T]) -> T | CameraError:
        self._called = time.monotonic()
        try:
            return call()
        except CameraError as e:
            return e  # raised where the frame is read
        except Exception as e:  # noqa: BLE001 -- whoever waits for a frame is told, not this thread's stderr
            return CameraLost(f"expected a frame, got {type(e).__name__}; check the camera")
        finally:
            self._called = 0.0

    def _publish(self, came: CameraFrame | CameraError | None) -> None:
        with self._changed:
            if came is not None and self._asked is not None:
                self._asked, self._came = None, came
                self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)


def _back_off(failures: int, error: CameraError) -> float:
    if isinstance(error, LoginError):
        return LOGIN_PAUSE
    return float(min(FIRST_PAUSE * 2.0 ** (failures - 1), MAX_PAUSE))
