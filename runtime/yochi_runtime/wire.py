"""Messages between Yochi and an engine's process: a JSON head, then float32 arrays as their bytes.

    b"YOCHI" | bytes of the head, u32 | bytes of the body, u32 | head | body        all little-endian

The head names the arrays and their shapes in the body's order. Nothing that is received is ever run or
unpickled, and no length in it is believed before it was checked.
"""

import json
import math
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_devices.whole import limit, read_whole

from .errors import EngineError, Reason

MAX_HEAD = 1 << 16  # bytes; the largest names the ids of a whole prompt
MAX_BODY = 1 << 24  # bytes; the largest is a frame's pixels, 2.4 MB
_MAGIC = b"YOCHI"
_LENGTHS = struct.Struct("<5sII")
_ARRAYS = "arrays"

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Message:
    """`head` holds JSON values, `arrays` float32 of any shape."""

    head: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)

    def array(self, name: str) -> NDArray[np.float32]:
        """EngineError (ENGINE_OUTPUT) where the sender left it out."""
        if name not in self.arrays:
            raise _rubbish(f"a message without {name}")
        return self.arrays[name]


class Wire:
    """One end of a socket pair. `until` are times of time.monotonic(); None waits for ever.

    TimeoutError when `until` passes, ConnectionError when the other end is gone, EngineError (ENGINE_OUTPUT)
    for bytes that are no message. After any of them the wire cannot be used again.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def send(self, message: Message, until: float | None = None) -> None:
        body = [np.ascontiguousarray(a, dtype="<f4").reshape(-1) for a in message.arrays.values()]
        shapes = {name: a.shape for name, a in message.arrays.items()}
        head = json.dumps({**message.head, _ARRAYS: shapes}).encode()
        start = _LENGTHS.pack(_MAGIC, len(head), sum(part.nbytes for part in body)) + head
        parts: list[bytes | memoryview] = [start, *(part.view(np.uint8).data for part in body)]
        for data in parts:
            limit(self._end, until)
            self._end.sendall(data)

    def receive(self, until: float | None = None) -> Message:
        magic, head, body = _LENGTHS.unpack(read_whole(self._end, _LENGTHS.size, until).data)
        if magic != _MAGIC or head > MAX_HEAD or body > MAX_BODY:
            raise _rubbish(f"{magic!r}, {head} and {body} bytes")
        return _message(bytes(read_whole(self._end, head, until)), read_whole(self._end, body, until))

    def close(self) -> None:
        self._end.close()


def _message(text: bytes, body: NDArray[np.uint8]) -> Message:
    try:
        head = json.loads(text)
        shapes = {str(name): _shape(shape) for name, shape in head.pop(_ARRAYS).items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as e:
        raise _rubbish(f"a head that is none ({type(e).__name__})") from e
    sizes = [math.prod(shape) for shape in shapes.values()]
    if 4 * sum(sizes) != len(body):
        raise _rubbish(f"{len(body)} bytes for arrays of {shapes}")
    numbers = body.view("<f4")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    arrays = {
        name: numbers[start : start + size].reshape(shape)
        for (name, shape), start, size in zip(shapes.items(), starts, sizes, strict=True)
    }
    return Message(head, arrays)


def _shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list) or any(type(n) is not int or not 0 <= n <= MAX_BODY for n in shape):
        raise ValueError("no shape")
    return tuple(shape)


def _rubbish(got: str) -> EngineError:
    return EngineError(
        Reason.ENGINE_OUTPUT,
        f"expected a message of an engine's process, got {got}; judge it again, then install Yochi again",
    )
