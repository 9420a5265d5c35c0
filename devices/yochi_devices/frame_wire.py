"""Messages between Yochi and a camera's process: a JSON head, then pixels.

    b"YOCAM" | bytes of the head, u32 | bytes of the pixels, u32 | head | pixels        little-endian

Nothing that is received is run or unpickled, and no length is believed before it was checked.
"""

import json
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from .camera import CameraError
from .decode import MAX_PIXELS
from .frame import CameraFrame, Rgb
from .whole import limit, read_whole

MAX_HEAD = 1 << 14  # bytes
_MAGIC = b"YOCAM"
_LENGTHS = struct.Struct("<5sII")
Head = Mapping[str, Any]


class FrameWire:
    """One end of a socket pair. `until` are times of `time.monotonic()`; None waits for ever.

    TimeoutError when `until` passes, ConnectionError when the other end is gone, ValueError for bytes that
    are no message. After any of them, but a TimeoutError of `wait`, the wire cannot be used again.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def wait(self, until: float) -> None:
        """Until something has come, or the other end is gone."""
        poll = select.poll()  # select(2) takes no descriptor beyond 1023
        poll.register(self._end, select.POLLIN)
        if not poll.poll(max(0.0, 1000 * (until - time.monotonic()))):
            raise TimeoutError

    def send(self, head: Head, rgb: Rgb | None = None, until: float | None = None) -> None:
        shape = [] if rgb is None else rgb.shape[:2]
        text = json.dumps({**head, "shape": shape}).encode()
        pixels = b"" if rgb is None else np.ascontiguousarray(rgb).reshape(-1).data
        limit(self._end, until)
        self._end.sendall(_LENGTHS.pack(_MAGIC, len(text), len(pixels)) + text)
        limit(self._end, until)
        self._end.sendall(pixels)

    def receive(self, until: float | None = None) -> tuple[Head, Rgb | None]:
        magic, head, pixels = _LENGTHS.unpack(read_whole(self._end, _LENGTHS.size, until).data)
        if magic != _MAGIC or head > MAX_HEAD or pixels > 3 * MAX_PIXELS:
            raise ValueError(f"{magic!r}, {head} and {pixels} bytes")
        said = json.loads(bytes(read_whole(self._end, head, until)))
        if not isinstance(said, dict):
            raise ValueError("a head that is none")
        shape = said.pop("shape", None)
        if not shape and not pixels:
            return said, None
        if not _is_shape(shape) or 3 * shape[0] * shape[1] != pixels:
            raise ValueError(f"{pixels} bytes for a picture of {shape}")
        return said, read_whole(self._end, pixels, until).reshape(shape[0], shape[1], 3)

    def close(self) -> None:
        self._end.close()


def head_of(frame: CameraFrame) -> Head:
    """A frame without its pixels."""
    return {
        "sequence": frame.sequence,
        "monotonic": frame.monotonic,
        "name": frame.name,
        "live": frame.live,
    }


def frame_of(head: Head, rgb: Rgb | None) -> CameraFrame | None:
    """What a camera's process answered to `read`: a frame, or None at the end.

    CameraError with the words of the process, ValueError for an answer that is none.
    """
    if isinstance(error := head.get("error"), str):
        raise CameraError(" ".join(error.split())[:500])
    if head.get("end") is True:
        return None
    sequence, taken, name, live = (head.get(key) for key in ("sequence", "monotonic", "name", "live"))
    if rgb is None or type(sequence) is not int or type(taken) is not float or type(live) is not bool:
        raise ValueError("an answer without a frame")
    return CameraFrame(rgb, sequence, taken, str(name), live)


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list) and len(shape) == 2 and all(type(n) is int and n > 0 for n in shape)
