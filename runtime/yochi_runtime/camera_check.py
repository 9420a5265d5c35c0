"""What a camera gives when it is looked at for a few seconds: size, rate, age, and the gates of a frame."""

import time
from dataclasses import dataclass

from yochi_devices.camera import AddressError, Camera, CameraError
from yochi_devices.cameras import open_camera
from yochi_devices.frame import CameraFrame

from .errors import FrameError, Reason, UsageError
from .gates import check_content
from .image import Frame
from .limits import Gate


@dataclass(frozen=True)
class Look:
    """What came, in order of time; `failures` are the reads without a frame."""

    frame: CameraFrame  # the last
    frames: int
    seconds: float  # from the first frame to the last
    offered: int  # frames that the camera offered in that time, read or not
    oldest: float  # seconds, of the frames when they were read
    failures: tuple[str, ...]

    @property
    def rate(self) -> float | None:
        """Frames a second that the camera offers; None of a file, and where a single one came."""
        return self.offered / self.seconds if self.frame.live and self.seconds > 0 else None

    def lines(self) -> list[str]:
        """For a person."""
        height, width = self.frame.rgb.shape[:2]
        said = [f"size:     {width} x {height} pixels", f"frames:   {self.frames} read"]
        if self.frame.live:
            said[1] += ", one only" if self.rate is None else f", the camera gives {self.rate:.1f} a second"
            said.append(f"age:      at most {self.oldest:.2f} s when read")
        if self.failures:
            said.append(f"failures: {len(self.failures)}, the last: {self.failures[-1]}")
        return said


def opened(uri: str) -> Camera:
    """The camera, or UsageError for an address that cannot be meant, FrameError for one that is not there."""
    try:
        return open_camera(uri)
    except AddressError as e:
        raise UsageError(str(e)) from e
    except CameraError as e:
        raise FrameError(Reason.FRAME_UNREADABLE, str(e)) from e


def look(camera: Camera, seconds: float) -> Look:
    """Read for so long, or to a file's end. FrameError in the camera's words if no frame comes at first."""
    first: CameraFrame | None = None
    last: CameraFrame | None = None
    frames, oldest, failures, until = 0, 0.0, [], time.monotonic() + seconds
    while last is None or time.monotonic() < until:
        try:
            came = camera.read()
        except CameraError as e:
            if last is None:
                raise FrameError(Reason.FRAME_UNREADABLE, str(e)) from e
            failures.append(str(e))
            continue
        if came is None:
            break
        first, last, frames = first or came, came, frames + 1
        oldest = max(oldest, time.monotonic() - came.monotonic)
    if first is None or last is None:
        raise FrameError(Reason.FRAME_UNREADABLE, "expected a frame, got the end of the file; check it")
    took, offered = last.monotonic - first.monotonic, last.sequence - first.sequence
    return Look(last, frames, took, offered, oldest, tuple(failures))


def gate_lines(picture: CameraFrame) -> list[str]:
    """Every gate of the picture by itself, with value and limit; GateError where one refuses it."""
    return [_gate_line(gate) for gate in check_content(Frame(picture.rgb))]


def _gate_line(gate: Gate) -> str:
    bound = {"at_least": ">=", "at_most": "<="}[gate.bound]
    return f"{gate.reason}: {gate.value:.1f} {gate.unit}, expected {bound} {gate.threshold:g}"
