"""The live camera: what it gives arrived after it was asked, and a device that hangs or fails says so."""

import itertools
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from yochi_devices import capture
from yochi_devices.cameras import Camera, CameraError, open_camera

PERIOD = 0.01  # seconds from one frame to the next


class Device:
    """VideoCapture of a camera with a driver's buffer of one frame, kept until it is taken."""

    def __init__(self) -> None:
        self.number = self.decoded = 0
        self.hangs, self.released = threading.Event(), threading.Event()
        self.works = True
        self._buffered = True

    def isOpened(self) -> bool:
        return True

    def set(self, *_: object) -> bool:
        return True

    def grab(self) -> bool:
        while self.hangs.is_set():
            time.sleep(PERIOD)
        if not self._buffered:
            time.sleep(PERIOD)
        self._buffered = False
        self.number += self.works
        return self.works

    def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
        self.decoded += 1
        return True, np.full((48, 64, 3), (0, 0, self.number % 256), dtype=np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    made = Device()
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: made)
    yield made
    made.hangs.clear()


@pytest.fixture
def camera(device: Device) -> Iterator[Camera]:
    assert not device.released.is_set()
    with open_camera("0") as opened:
        yield opened


def test_a_frame_arrived_after_it_was_asked_for(camera: Camera, device: Device) -> None:
    sequences = []
    for _ in range(3):
        time.sleep(10 * PERIOD)  # a buffer would now hold a frame as old as this
        asked = time.monotonic()
        frame = camera.read()
        assert frame is not None
        assert frame.live
        assert asked - PERIOD / 2 <= frame.monotonic <= time.monotonic()
        assert frame.rgb[0, 0].tolist() == [frame.sequence + 1, 0, 0]  # this very frame, in RGB
        sequences.append(frame.sequence)
    assert all(after - before > 2 for before, after in itertools.pairwise(sequences))
    assert device.decoded == 3  # what nobody asked for is not decoded


def test_a_device_that_hangs_is_an_error_and_never_an_old_frame(
    camera: Camera, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert camera.read() is not None
    device.hangs.set()
    time.sleep(5 * PERIOD)
    with monkeypatch.context() as impatient:
        impatient.setattr(capture, "WAIT_SECONDS", 0.1)
        with pytest.raises(CameraError, match=r"silent; check it"):
            camera.read()
    device.hangs.clear()
    time.sleep(10 * PERIOD)  # the frame that came too late is not the answer to the next call
    asked = time.monotonic()
    frame = camera.read()
    assert frame is not None
    assert frame.monotonic >= asked - PERIOD / 2


def test_a_device_that_fails_and_comes_back(camera: Camera, device: Device) -> None:
    device.works = False
    for _ in range(2):
        with pytest.raises(CameraError, match="frame from 0"):
            camera.read()
    device.works = True
    assert camera.read() is not None


def test_a_fault_in_the_thread_reaches_the_reader(
    camera: Camera, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise RuntimeError("boom")

    monkeypatch.setattr(device, "grab", fail)
    with pytest.raises(CameraError, match="RuntimeError: boom; check the camera"):
        camera.read()


def test_closing_frees_the_device_even_one_that_hangs(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "CLOSE_SECONDS", 0.05)
    camera = open_camera("0")
    device.hangs.set()
    time.sleep(3 * PERIOD)
    camera.close()
    camera.close()
    assert camera.read() is None
    assert not device.released.is_set()  # never under a running grab
    device.hangs.clear()
    assert device.released.wait(5)
