"""Reading a whole message from a socket by a deadline: what the processes of cameras and engines both do."""

import socket
import time

import numpy as np
from numpy.typing import NDArray


def read_whole(end: socket.socket, count: int, until: float | None) -> NDArray[np.uint8]:
    """(count,) bytes. `until` as in `limit`; ConnectionError where the other end closes first."""
    data = np.empty(count, dtype=np.uint8)
    rest = data.data
    while rest:
        limit(end, until)
        got = end.recv_into(rest)
        if not got:
            raise ConnectionError("the other end is closed")
        rest = rest[got:]
    return data


def limit(end: socket.socket, until: float | None) -> None:
    """Lets the next call on `end` wait until then (time.monotonic(), None for ever); TimeoutError if past."""
    left = None if until is None else until - time.monotonic()
    if left is not None and left <= 0:
        raise TimeoutError
    end.settimeout(left)
