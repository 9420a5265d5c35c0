"""A camera by GStreamer's RTSP server with H.264: seen, refused, cut, frozen and switched."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from yochi_devices.camera import Camera, CameraError
from yochi_devices.cameras import open_camera
from yochi_devices.frame import CameraFrame
from yochi_devices.login import LOGIN, Login
from yochi_devices.rtsp import describe, parse_rtsp

SERVER = Path(__file__).with_name("gst_server.py")
PACKAGES = "apt-get install -y --no-install-recommends $(grep -v '^#' tests/system/apt.txt)"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Start]:
    """Run the server with its arguments; it is killed at the end, and not there is a failure, not a skip."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: object) -> "subprocess.Popen[str]":
        python = shutil.which("python3", path="/usr/bin")
        assert python, f"expected /usr/bin/python3 for GStreamer, found none; {PACKAGES}"
        command = [python, str(SERVER), *map(str, arguments)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"})
        running.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n", f"expected GStreamer, it did not start; {PACKAGES}"
        return server

    yield started
    for server in running:
        server.kill()
        server.communicate()


def until(camera: Camera, good: Callable[[CameraFrame], bool] = lambda _: True) -> CameraFrame:
    while True:  # the test's own limit ends it
        try:
            frame = camera.read()
        except CameraError:
            time.sleep(0.05)
            continue
        assert frame is not None
        if good(frame):
            return frame


def lost(camera: Camera) -> str:
    while True:
        try:
            camera.read()
        except CameraError as e:
            return str(e)


def test_a_camera_is_cut_restarted_and_switched(start: Start, port: int) -> None:
    server = start(port, 320, 240)
    address = parse_rtsp(f"rtsp://127.0.0.1:{port}/live")
    assert describe(address, None, 30.0) == "H264"
    with open_camera(address.plain) as camera:
        first = until(camera)
        assert first.rgb.shape == (240, 320, 3)
        server.kill()
        server.wait()
        lost(camera)
        start(port, 640, 480)
        after = until(camera)
        assert after.rgb.shape == (480, 640, 3)
        assert after.sequence > first.sequence


def test_a_camera_that_freezes_is_lost_and_its_old_frames_are_not_new(start: Start, port: int) -> None:
    server = start(port, 320, 240)
    with open_camera(f"rtsp://127.0.0.1:{port}/live") as camera:
        before = until(camera)
        os.kill(server.pid, signal.SIGSTOP)
        lost(camera)
        os.kill(server.pid, signal.SIGCONT)
        resumed = time.monotonic()
        assert until(camera, lambda frame: frame.monotonic > resumed).sequence > before.sequence


def test_user_and_password(start: Start, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start(port, 320, 240, "admin", "sword:fish@")
    uri = f"rtsp://127.0.0.1:{port}/live"
    monkeypatch.setenv(LOGIN, "admin:sword:fish@")
    with open_camera(uri) as camera:
        until(camera)
    with pytest.raises(CameraError, match="wrong user or password"):
        describe(parse_rtsp(uri), Login("admin", "x"), 30.0)
    with pytest.raises(CameraError, match="asks for user and password"):
        describe(parse_rtsp(uri), None, 30.0)


def test_a_stream_that_is_not_there(start: Start, port: int) -> None:
    start(port, 320, 240)
    with pytest.raises(CameraError, match=r"no such stream \(404\)"):
        describe(parse_rtsp(f"rtsp://127.0.0.1:{port}/other"), None, 30.0)
