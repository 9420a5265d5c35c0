"""A camera in a process of its own, which may hang or crash, and is killed and started again.

The child stands in its own process group, so Control-C does not reach it. What is wrong with the camera is an
answer; only silence, rubbish and an end are the process's own faults.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Literal

from .camera import Camera, CameraError
from .frame import CameraFrame
from .frame_wire import FrameWire, frame_of

COMMAND = (sys.executable, "-P", "-m", "yochi_devices.camera_child")
Kind = Literal["uvc", "rtsp", "video", "other"]
START_SECONDS = 45.0  # to load OpenCV, from a slow card as well, and to try to open the camera
LIVE_SECONDS = 3.0  # for an answer: a child waits 1.5 s for a frame
FILE_SECONDS = 30.0  # for a video's next frame from a slow card
WHOLE_SECONDS = 2.0  # from the first to the last byte of an answer
FIRST_PAUSE, MAX_PAUSE = 0.5, 4.0  # seconds before it is started again: 0.5, 1, 2, 4, 4 ...
END_SECONDS = 1.0  # until a killed process is gone


class CameraProcess(Camera):
    """The camera `source` of this kind, for threads that read one after another.

    The constructor waits until it was tried to open it.

    A live camera that is not there yet, or no more, is a CameraError of `read`, and is opened again for
    ever. A video that cannot be opened is one of the constructor, and has ended when its process dies.
    """

    def __init__(self, kind: Kind, source: int | str, shown: str) -> None:
        self._kind, self._shown, self.live = kind, shown, kind != "video"
        self._settings = {"kind": kind, "source": source}
        self._limit = FILE_SECONDS if kind == "video" else LIVE_SECONDS
        self._child: subprocess.Popen[bytes] | None = None
        self._wire: FrameWire | None = None
        self._opened = self._closed = False
        self._reading = threading.Lock()
        self._started = self._not_before = 0.0
        self._failures = 0
        self._next = self._first = 0  # numbers of the next frame, and of this process's first
        try:
            self._open(time.monotonic() + START_SECONDS)
        except BaseException:
            self.close()
            raise

    def read(self) -> CameraFrame | None:
        with self._reading:
            return self._read()

    def _read(self) -> CameraFrame | None:
        if self._closed:
            return None
        until = time.monotonic() + self._limit
        self._open(until)
        frame = self._asked(until)
        if frame is None:
            self.close()
            return None
        self._failures = 0
        numbered = CameraFrame(
            frame.rgb, self._first + frame.sequence, frame.monotonic, frame.name, frame.live
        )
        self._next = numbered.sequence + 1
        return numbered

    def close(self) -> None:
        self._closed = True
        self._end()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._child.pid if self._child else None

    def _open(self, until: float) -> None:
        """A process that has tried to open the camera, or CameraError."""
        if self._child is None:
            wait = self._not_before - time.monotonic()
            if wait > 0:
                raise self._fault(f"its process ended and is started again in {wait:.1f} s")
            self._start()
        if self._opened or self._wire is None:
            return
        try:
            self._wire.wait(until)
        except TimeoutError as e:
            if time.monotonic() - self._started > START_SECONDS:
                raise self._failed(f"its process did not start within {START_SECONDS:g} s") from e
            raise self._fault("its process is still starting") from e
        try:
            head, _ = self._wire.receive(time.monotonic() + WHOLE_SECONDS)
        except (OSError, ValueError) as e:
            raise self._failed(self._how_it_ended()) from e
        if "error" in head:
            frame_of(head, None)
        self._opened = True

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._child = subprocess.Popen(
                    [*COMMAND, str(theirs.fileno()), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # a library's lines may hold the address with its password
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
            except OSError as e:
                ours.close()
                raise self._failed(f"no process could be started ({e.strerror})") from e
        self._wire, self._opened, self._started = FrameWire(ours), False, time.monotonic()
        self._first = self._next
        with suppress(OSError):  # one that is gone already is found out when it is waited for
            self._wire.send(self._settings)

    def _asked(self, until: float) -> CameraFrame | None:
        """The answer to one `read`. Whatever is wrong with it ends the process."""
        assert self._wire is not None
        try:
            self._wire.send({"do": "read"}, until=until)
            self._wire.wait(until)
            head, rgb = self._wire.receive(time.monotonic() + WHOLE_SECONDS)
            return frame_of(head, rgb)
        except TimeoutError as e:
            raise self._failed(f"its process gave no answer within {self._limit:g} s") from e
        except OSError as e:
            raise self._failed(self._how_it_ended()) from e
        except ValueError as e:
            raise self._failed("its process gave rubbish") from e
        except CameraError:
            raise
        except BaseException:  # an interrupted read would leave its answer to the next one
            self._end()
            raise

    def _failed(self, came: str) -> CameraError:
        self._end()
        if self._kind == "video":
            self._closed = True  # a video's place is lost, and a frame must not be judged twice in silence
        self._failures += 1
        pause = min(FIRST_PAUSE * 2.0 ** (self._failures - 1), MAX_PAUSE)
        self._not_before = time.monotonic() + pause
        return self._fault(came)

    def _fault(self, came: str) -> CameraError:
        return CameraError(f"expected a frame from {self._shown}, {came}; check the camera")

    def _how_it_ended(self) -> str:
        child = self._child
        if child is None:
            return "its process ended"
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_SECONDS)
        code = child.returncode
        if code is None:
            return "its process stopped in the middle of an answer"
        if code >= 0:
            return f"its process ended (exit status {code})"
        known = -code in set(signal.Signals)
        return f"its process ended ({signal.Signals(-code).name if known else f'signal {-code}'})"

    def _end(self) -> None:
        """Kill it, take its exit status, close the socket. May be repeated."""
        if self._wire is not None:
            self._wire.close()
        if self._child is not None:
            self._child.kill()
            with suppress(subprocess.TimeoutExpired):  # stuck in the kernel; Python takes its status later
                self._child.wait(END_SECONDS)
        self._wire = self._child = None
