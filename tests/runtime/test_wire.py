"""Messages come through as they were sent, and other bytes are never taken for one."""

import socket
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.wire import MAX_HEAD, Message, Wire

BYTES = b"YOCHI" + (31).to_bytes(4, "little") + (8).to_bytes(4, "little")
GOLDEN = BYTES + b'{"do": 1, "arrays": {"a": [2]}}' + bytes.fromhex("0000803f000000c0")  # 1.0, -2.0


def received(data: bytes) -> Message:
    """What the other end makes of `data`, after which nothing follows."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        return Wire(ours).receive(time.monotonic() + 60)


def sent(message: Message) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Wire(ours).send(message)
        return theirs.recv(1 << 16)


def test_the_bytes_of_a_message() -> None:
    message = Message({"do": 1}, {"a": np.array([1.0, -2.0], dtype=np.float32)})
    assert sent(message) == GOLDEN
    again = received(GOLDEN)
    assert again.head == {"do": 1}
    np.testing.assert_array_equal(again.array("a"), np.array([1.0, -2.0], dtype=np.float32), strict=True)


SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@given(st.dictionaries(st.text(max_size=5), arrays(np.float32, SHAPES), max_size=3))
def test_arrays_come_through_bit_by_bit(given_: dict[str, np.ndarray]) -> None:
    found = received(sent(Message({}, given_))).arrays
    assert list(found) == list(given_)
    for name, array in given_.items():
        assert (found[name].shape, found[name].tobytes()) == (array.shape, array.tobytes())


RUBBISH = [
    b"Segmentation fault (core dumped)",
    b"YOCHI" + (MAX_HEAD + 1).to_bytes(4, "little") + bytes(4),
    b"YOCHI" + bytes(4) + b"\xff" * 4,
    b"YOCHI" + bytes(8),
    *(
        b"YOCHI" + len(head).to_bytes(4, "little") + bytes(4) + head
        for head in (
            b"[]",
            b"{}",
            b"\xff\xfe",
            b'{"arrays": [1]}',
            b'{"arrays": {"a": [1]}}',
            b'{"arrays": {"a": [-1]}}',
            b'{"arrays": {"a": [true]}}',
            b'{"arrays": {"a": 0}}',
            b"[" * 60_000,
        )
    ),
]


@pytest.mark.parametrize("data", RUBBISH, ids=lambda data: repr(data[:40]))
def test_rubbish_is_an_engine_error(data: bytes) -> None:
    with pytest.raises(EngineError, match="expected a message") as e:
        received(data)
    assert e.value.reason is Reason.ENGINE_OUTPUT


@given(st.data())
def test_spoilt_bytes_are_an_error_or_another_message(data: st.DataObject) -> None:
    spoilt = bytearray(GOLDEN)
    spoilt[data.draw(st.integers(0, len(GOLDEN) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        received(bytes(spoilt[: data.draw(st.integers(0, len(GOLDEN)))]))
    except (EngineError, ConnectionError):
        return


def test_nobody_is_waited_for_beyond_the_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(GOLDEN[:-1])
        with pytest.raises(TimeoutError):
            Wire(ours).receive(time.monotonic() + 0.05)
        with pytest.raises(TimeoutError):
            Wire(ours).send(Message({}, {"a": np.zeros(1 << 22, np.float32)}), time.monotonic() + 0.05)
