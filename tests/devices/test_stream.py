"""FFmpeg's own client on a network camera that is cut, freezes, changes, lies and comes back."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from yochi_devices.camera import CameraError
from yochi_devices.camera_child import open_stream
from yochi_devices.capture import opencv
from yochi_devices.frame import CameraFrame
from yochi_devices.live import LiveCamera
from yochi_devices.login import LOGIN

from tests.fixtures.rtsp_server import Fault, RtspServer, State, noise

SECRET = "p@ss:w/ö%rd?#"


@pytest.fixture
def server() -> Iterator[RtspServer]:
    opencv()
    with RtspServer() as running:
        yield running


@pytest.fixture
def camera(server: RtspServer) -> Iterator[LiveCamera]:
    with LiveCamera(lambda sequence: open_stream(server.uri, sequence)) as opened:
        yield opened


def until(camera: LiveCamera, good: Callable[[CameraFrame], bool] = lambda _: True) -> CameraFrame:
    """The first frame that is `good`; the test's own limit ends it."""
    while True:
        try:
            frame = camera.read()
        except CameraError:
            continue
        assert frame is not None
        if good(frame):
            return frame


def until_error(camera: LiveCamera, words: str) -> str:
    while True:
        try:
            camera.read()
        except CameraError as e:
            if words in str(e):
                return str(e)


def plain(colour: tuple[int, int, int]) -> Callable[[int], Image.Image]:
    return lambda _: Image.new("RGB", (64, 48), colour)


def is_red(frame: CameraFrame) -> bool:
    return bool(np.abs(frame.rgb.astype(int) - (200, 20, 20)).max() < 30)


def test_frames_are_rgb_numbered_and_stamped(server: RtspServer, camera: LiveCamera) -> None:
    server.state.draw = plain((200, 20, 20))
    first = until(camera)
    second = until(camera)
    assert is_red(first)
    assert is_red(second)
    assert second.live
    assert second.sequence > first.sequence
    assert first.monotonic < second.monotonic <= time.monotonic()
    assert second.name == f"{server.uri}#{second.sequence}"


def test_a_cut_cable_is_named_and_the_camera_comes_back(server: RtspServer, camera: LiveCamera) -> None:
    before = until(camera)
    server.cut()
    until_error(camera, "refused: nothing listens there")
    with RtspServer(server.port):
        assert until(camera).sequence > before.sequence


def test_a_frozen_stream_is_lost_and_comes_back(server: RtspServer, camera: LiveCamera) -> None:
    before = until(camera)
    server.state.fault = Fault.FROZEN
    until_error(camera, "expected")
    server.state.fault = Fault.NONE
    assert until(camera).sequence > before.sequence


def test_another_resolution_is_seen(server: RtspServer, camera: LiveCamera) -> None:
    assert until(camera).rgb.shape == (48, 64, 3)
    server.state.draw = lambda number: noise(number, (128, 96))
    assert until(camera, lambda frame: frame.rgb.shape == (96, 128, 3))


def test_garbage_is_never_a_picture(server: RtspServer, camera: LiveCamera) -> None:
    server.state.draw = plain((200, 20, 20))
    until(camera)
    server.state.fault = Fault.GARBAGE
    frames, errors = [], 0
    while errors < 2:
        try:
            frames.append(camera.read())
        except CameraError:
            errors += 1
    server.state.fault = Fault.NONE
    frames.append(until(camera))
    assert all(frame is not None and is_red(frame) for frame in frames)


def test_what_the_network_held_back_is_not_new(server: RtspServer, camera: LiveCamera) -> None:
    until(camera)
    server.state.fault = Fault.LATE
    time.sleep(1.0)
    released = time.monotonic()
    server.state.fault = Fault.NONE
    assert until(camera).monotonic < released  # it arrived after that
    assert until(camera, lambda frame: frame.monotonic > released)


@pytest.mark.parametrize("scheme", ["Digest", "Basic"])
def test_the_password_reaches_the_stream_and_no_message(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    opencv()
    monkeypatch.setenv(LOGIN, f"admin:{SECRET}")
    with (
        RtspServer(state=State(login=("admin", SECRET), scheme=scheme)) as server,
        LiveCamera(lambda sequence: open_stream(server.uri, sequence)) as camera,
    ):
        assert SECRET not in until(camera).name
        server.state.login = ("admin", "other")
        server.state.fault = Fault.FROZEN
        message = until_error(camera, "wrong user or password")
        assert SECRET not in message
        assert "admin" not in message


def test_a_camera_that_describes_and_sends_nothing(
    server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yochi_devices.capture.OPEN_SECONDS", 0.5)
    monkeypatch.setattr("yochi_devices.capture.READ_SECONDS", 0.5)
    server.state.fault = Fault.FROZEN
    with LiveCamera(lambda sequence: open_stream(server.uri, sequence)) as camera:
        until_error(camera, "none that can be decoded came")
