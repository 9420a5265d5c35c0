"""A camera's process: killed, stopped, out of its mind or orphaned, and what is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from yochi_devices import camera_process
from yochi_devices.camera import Camera, CameraError
from yochi_devices.camera_process import CameraProcess
from yochi_devices.cameras import open_camera
from yochi_devices.frame import CameraFrame
from yochi_devices.login import LOGIN

from tests.fixtures.rtsp_server import RtspServer, State
from tests.runtime.processes import gone

# A live camera without a library: what a process says, and what it does instead when a file names it.
FAKE = """
import os, signal, socket, sys, time
from pathlib import Path
import numpy as np
from yochi_devices.frame_wire import FrameWire
end = socket.socket(fileno=int(sys.argv[2]))
wire, order = FrameWire(end), Path(sys.argv[1])
wire.receive()
wire.send({"opened": True})
for number in range(1000):
    wire.receive()
    fault = order.read_text() if order.exists() else ""
    order.unlink(missing_ok=True)
    if fault == "exit": os._exit(7)
    if fault == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if fault == "stop": os.kill(os.getpid(), signal.SIGSTOP)
    if fault == "hang": time.sleep(600)
    if fault == "rubbish": end.sendall(b"Segmentation fault (core dumped)")
    if fault == "half": end.sendall(b"YOC"); os._exit(0)
    if fault == "error": wire.send({"error": "expected a frame, got none; check it"}); continue
    if fault == "nothing": wire.send({}); continue
    head = {"sequence": number, "monotonic": time.monotonic(), "name": "yard", "live": True}
    wire.send(head, np.full((4, 6, 3), number, dtype=np.uint8))
"""


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "fault"
    monkeypatch.setattr(camera_process, "COMMAND", (sys.executable, "-c", FAKE, str(path)))
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5.0, (64, 48))
    for level in range(0, 250, 50):
        writer.write(np.full((48, 64, 3), level, dtype=np.uint8))
    writer.release()
    return path


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def until_frame(camera: Camera) -> CameraFrame:
    while True:  # the test's own limit ends it
        try:
            frame = camera.read()
        except CameraError:
            time.sleep(0.01)
            continue
        assert frame is not None
        return frame


FAULTS = {
    "exit": "its process ended (exit status 7)",
    "kill": "its process ended (SIGKILL)",
    "stop": "its process gave no answer within 0.2 s",
    "hang": "its process gave no answer within 0.2 s",
    "rubbish": "its process gave rubbish",
    "half": "its process ended (exit status 0)",
    "nothing": "its process gave rubbish",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_a_process_that_fails_is_another_one_later(
    order: Path, fault: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    with CameraProcess("uvc", 0, "the yard") as camera:
        first = [until_frame(camera).sequence for _ in range(2)]
        pid = camera.pid
        assert pid is not None
        order.write_text(fault)
        with monkeypatch.context() as impatient:
            if fault in ("stop", "hang"):
                impatient.setattr(camera, "_limit", 0.2)
            with pytest.raises(CameraError) as raised:
                camera.read()
        assert str(raised.value) == f"expected a frame from the yard, {words}; check the camera"
        assert gone(pid)
        after = until_frame(camera)
        assert camera.pid != pid
        assert after.sequence == first[-1] + 1  # counted on, in a process that begins with 0
        assert after.rgb.max() == 0
    assert descriptors() == before


def test_a_camera_s_own_error_does_not_cost_its_process(order: Path) -> None:
    with CameraProcess("uvc", 0, "the yard") as camera:
        pid = camera.pid
        order.write_text("error")
        with pytest.raises(CameraError, match=r"^expected a frame, got none; check it$"):
            camera.read()
        assert camera.read() is not None
        assert camera.pid == pid


def test_a_process_that_never_starts_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_process, "COMMAND", (sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(CameraError, match="exit status 7"):
        CameraProcess("uvc", 0, "the yard")


def test_back_off_grows_to_its_end(order: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not order.exists()
    with CameraProcess("uvc", 0, "the yard") as camera:
        monkeypatch.setattr(camera_process, "time", SimpleNamespace(monotonic=lambda: 1000.0))
        pauses = []
        for _ in range(6):
            camera._failed("its process ended")
            pauses.append(camera._not_before - 1000.0)
        with pytest.raises(CameraError, match=r"its process ended and is started again in 4\.0 s"):
            camera.read()
    assert pauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_video_whose_process_dies_has_ended(video: Path) -> None:
    with open_camera(str(video)) as camera:
        assert isinstance(camera, CameraProcess)
        assert camera.read() is not None
        assert camera.pid is not None
        os.kill(camera.pid, signal.SIGKILL)
        with pytest.raises(CameraError, match=r"SIGKILL"):
            camera.read()
        assert camera.read() is None


def test_a_network_camera_lives_through_cuts_and_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "swordfish"
    monkeypatch.setenv(LOGIN, f"admin:{secret}")
    with RtspServer(state=State(login=("admin", secret))) as server, open_camera(server.uri) as camera:
        assert isinstance(camera, CameraProcess)
        before = until_frame(camera)
        pid = camera.pid
        assert pid is not None
        assert secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        server.cut()
        with RtspServer(server.port, State(login=("admin", secret))):
            lost = until_frame(camera)
            while lost.sequence <= before.sequence:
                lost = until_frame(camera)
            assert camera.pid == pid  # opened again without a new process
            os.kill(pid, signal.SIGKILL)
            while camera.pid == pid:  # it may still have answered
                with suppress(CameraError):
                    camera.read()
            assert until_frame(camera).sequence > lost.sequence
    assert gone(pid)


@pytest.fixture
def orphan(video: Path) -> Iterator["subprocess.Popen[str]"]:
    code = (
        "import sys, time\nfrom yochi_devices.cameras import open_camera\n"
        f"camera = open_camera({str(video)!r})\ncamera.read()\n"
        "print(camera.pid, 'cv2' in sys.modules, flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_it_ends_with_its_parent_which_never_loads_opencv(orphan: "subprocess.Popen[str]") -> None:
    assert orphan.stdout is not None
    pid, loaded = orphan.stdout.readline().split()
    assert loaded == "False"
    assert not gone(int(pid))
    orphan.kill()
    orphan.wait()
    while not gone(int(pid)):
        time.sleep(0.02)  # the test's own limit ends it
