"""Messages of a camera's process: what goes in comes out, and rubbish is refused before it is believed."""

import json
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from yochi_devices.camera import CameraError
from yochi_devices.frame import CameraFrame
from yochi_devices.frame_wire import FrameWire, frame_of, head_of


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, FrameWire]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, FrameWire(there)


def message(head: object, pixels: bytes = b"", magic: bytes = b"YOCAM") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<5sII", magic, len(text), len(pixels)) + text + pixels


def test_a_frame_comes_through_whole(ends: tuple[socket.socket, FrameWire]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)[::2]  # not contiguous
    frame = CameraFrame(rgb, 7, 12.25, "yard#7", live=True)
    FrameWire(ends[0]).send(head_of(frame), frame.rgb)
    came = frame_of(*ends[1].receive(time.monotonic() + 60))
    assert came is not None
    assert np.array_equal(came.rgb, rgb)
    assert (came.sequence, came.monotonic, came.name, came.live) == (7, 12.25, "yard#7", True)


GOOD = {"sequence": 1, "monotonic": 2.5, "name": "yard", "live": True, "shape": [1, 2]}


@pytest.mark.parametrize(
    "data",
    [
        message(GOOD, bytes(6), magic=b"YOCHI"),
        struct.pack("<5sII", b"YOCAM", 1 << 30, 0),
        struct.pack("<5sII", b"YOCAM", 2, 1 << 31),
        struct.pack("<5sII", b"YOCAM", 2, 0) + b"no",
        message([]),
        message({"shape": [1, 2]}, bytes(5)),
        message({"shape": [-1, -2]}, bytes(6)),
        message({"shape": [1, 2, 3]}, bytes(6)),
        message({"shape": None}, bytes(6)),
        message({**GOOD, "sequence": True}, bytes(6)),
        message({**GOOD, "monotonic": "now"}, bytes(6)),
        message({**GOOD, "live": 1}, bytes(6)),
        message({k: v for k, v in GOOD.items() if k != "shape"}),
        message({}),
    ],
)
def test_rubbish_is_refused(ends: tuple[socket.socket, FrameWire], data: bytes) -> None:
    ends[0].sendall(data)
    with pytest.raises(ValueError, match=r"."):
        frame_of(*ends[1].receive(time.monotonic() + 60))


def test_the_process_s_words_are_one_line(ends: tuple[socket.socket, FrameWire]) -> None:
    ends[0].sendall(message({"error": "expected a frame,\n got none; check it"}))
    with pytest.raises(CameraError, match=r"^expected a frame, got none; check it$"):
        frame_of(*ends[1].receive(time.monotonic() + 60))


def test_silence_and_an_end_are_told_apart(ends: tuple[socket.socket, FrameWire]) -> None:
    with pytest.raises(TimeoutError):
        ends[1].wait(time.monotonic() + 0.01)
    ends[0].sendall(message(GOOD)[:8])
    with pytest.raises(TimeoutError):
        ends[1].receive(time.monotonic() + 0.05)
    ends[0].close()
    with pytest.raises(ConnectionError):
        ends[1].receive(time.monotonic() + 60)
