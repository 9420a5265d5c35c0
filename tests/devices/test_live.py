"""The live camera: what it gives arrived after it was asked, and a device that hangs or fails says so."""

import itertools
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from yochi_devices import live
from yochi_devices.camera import Camera, CameraError, LoginError
from yochi_devices.capture import CaptureCamera
from yochi_devices.live import LiveCamera

PERIOD = 0.01  # seconds from one frame to the next


class Device:
    """VideoCapture of a camera with a driver's buffer of one frame, kept until it is taken."""

    def __init__(self) -> None:
        self.number = self.decoded = self.opened = 0
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

    def opened(_: int) -> Device:
        made.opened += 1
        return made

    monkeypatch.setattr(cv2, "VideoCapture", opened)
    yield made
    made.hangs.clear()


def read_on(camera: Camera) -> None:
    """Until an error; a frame may have been on its way."""
    while True:
        camera.read()


def live_camera() -> LiveCamera:
    return LiveCamera(lambda sequence: CaptureCamera(0, live=True, sequence=sequence))


@pytest.fixture
def camera(device: Device) -> Iterator[Camera]:
    assert not device.released.is_set()
    with live_camera() as opened:
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
        impatient.setattr(live, "WAIT_SECONDS", 0.1)
        with pytest.raises(CameraError, match=r"silent; check it"):
            camera.read()
    device.hangs.clear()
    time.sleep(10 * PERIOD)  # the frame that came too late is not the answer to the next call
    asked = time.monotonic()
    frame = camera.read()
    assert frame is not None
    assert frame.monotonic >= asked - PERIOD / 2


def test_a_silent_device_is_told_by_its_last_frame_and_not_by_who_asks(
    camera: Camera, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert camera.read() is not None
    device.hangs.set()
    time.sleep(5 * PERIOD)
    monkeypatch.setattr(live, "WAIT_AT_LEAST", 0.05)
    monkeypatch.setattr(live, "WAIT_SECONDS", PERIOD)  # gone by: an hour's wait would begin with the call
    with pytest.raises(CameraError, match=r"silent; check it"):
        camera.read()
    monkeypatch.setattr(live, "WAIT_SECONDS", 3600.0)
    device.hangs.clear()
    assert camera.read() is not None  # a device that lives is waited for


def test_a_device_that_fails_is_opened_again_and_counts_on(camera: Camera, device: Device) -> None:
    before = camera.read()
    device.works = False
    for _ in range(2):
        with pytest.raises(CameraError, match="frame from 0"):
            camera.read()
    assert device.released.is_set()
    device.works = True
    after = camera.read()
    assert before is not None
    assert after is not None
    assert after.sequence > before.sequence + 1  # the gap is what failed
    assert device.opened > 1


def test_a_broken_frame_is_no_reason_to_open_again(
    camera: Camera, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert camera.read() is not None
    with monkeypatch.context() as broken:
        broken.setattr(device, "retrieve", lambda: (False, None))
        with pytest.raises(CameraError, match="got no picture"):
            read_on(camera)
    assert camera.read() is not None
    assert device.opened == 1


def test_a_camera_that_is_not_there_yet_says_why_until_it_comes(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.4)  # longer than a read waits: the reason is still told
    with monkeypatch.context() as away:
        away.setattr(device, "isOpened", lambda: False)
        camera = live_camera()
        camera.wait_opened(60)
        for _ in range(2):
            with pytest.raises(CameraError, match="expected a camera with index 0, could not open it"):
                camera.read()
    with camera:
        while True:  # the test's own limit ends it
            try:
                assert camera.read() is not None
                break
            except CameraError:
                continue


def test_a_refused_password_is_not_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(live, "MAX_PAUSE", 0.01)
    tried = []

    def refused(sequence: int) -> CaptureCamera:
        tried.append(sequence)
        raise LoginError("expected user and password, refused")

    with LiveCamera(refused) as camera:
        camera.wait_opened(60)
        for _ in range(5):
            with pytest.raises(LoginError, match="refused"):
                camera.read()
    assert tried == [0]


def test_back_off_grows_to_its_end() -> None:
    pauses = [live._back_off(failures, CameraError("lost")) for failures in range(1, 7)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_a_fault_in_the_thread_reaches_the_reader(
    camera: Camera, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise RuntimeError("rtsp://admin:secret@yard")

    monkeypatch.setattr(device, "grab", fail)
    with pytest.raises(CameraError, match="got RuntimeError; check the camera"):
        read_on(camera)


def test_closing_frees_the_device_even_one_that_hangs(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.05)
    camera = live_camera()
    device.hangs.set()
    time.sleep(3 * PERIOD)
    camera.close()
    camera.close()
    assert camera.read() is None
    assert not device.released.is_set()  # never under a running grab
    device.hangs.clear()
    assert device.released.wait(5)
