"""A camera of another package: a real distribution with an entry point, good, broken, and out of its mind."""

import importlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
from yochi_devices.camera import AddressError, Camera, CameraError
from yochi_devices.camera_process import CameraProcess
from yochi_devices.cameras import open_camera
from yochi_devices.frame import CameraFrame
from yochi_devices.other_cameras import other_schemes

from tests.runtime.processes import gone

# What acme://HOST does is what its host says.
ACME = """
import os, sys, time
from pathlib import Path
from urllib.parse import urlsplit
import numpy as np
from yochi_devices.camera import Camera, CameraError
from yochi_devices.frame import CameraFrame

GOOD = np.full((48, 64, 3), 120, dtype=np.uint8)
NOW = time.monotonic
FRAMES = {
    "small": lambda: CameraFrame(np.zeros((0, 5, 3), np.uint8), 0, NOW(), ""),
    "large": lambda: CameraFrame(np.broadcast_to(np.uint8(0), (10_000, 6_000, 3)), 0, NOW(), ""),
    "gray": lambda: CameraFrame(GOOD[..., 0], 0, NOW(), ""),
    "floats": lambda: CameraFrame(GOOD / 255, 0, NOW(), ""),
    "lists": lambda: CameraFrame([[[1, 2, 3]]], 0, NOW(), ""),
    "text": lambda: "frame",
    "timeless": lambda: CameraFrame(GOOD, 0, float("nan"), ""),
    "future": lambda: CameraFrame(GOOD, 0, NOW() + 60, ""),
    "dated": lambda: CameraFrame(GOOD, 0, "now", ""),
}

class Acme(Camera):
    def __init__(self, host, state):
        self.host, self.state, self.number, self.buffer = host, state, 0, GOOD.copy()
    def read(self):
        time.sleep(0.01)
        self.number += 1
        if self.host == "raises": raise ValueError("user:secret")
        if self.host == "exits": sys.exit(3)
        if self.host == "refuses": raise CameraError("expected light, got none; switch it on")
        if self.host == "dies": os._exit(9)
        if self.host == "hangs": time.sleep(600)
        if self.host == "ends" and self.number > 3: return None
        if self.host in FRAMES: return FRAMES[self.host]()
        self.buffer[:] = self.number % 250  # the same memory for every frame
        return CameraFrame(self.buffer, 7, NOW(), "user:secret", False, True)
    def close(self):
        if self.host == "ends": raise ValueError("closed twice")

def opened(uri):
    parts = urlsplit(uri)
    Path(__file__).with_name("opened").open("a").write(uri + "\\n")
    if parts.hostname == "absent": raise OSError("no such device")
    return object() if parts.hostname == "nothing" else Acme(parts.hostname, parts.path)
"""
ENTRY = """[yochi.cameras]
acme = acme_cam:opened
broken = acme_cam:missing
rtsp = acme_cam:opened
rtsps = acme_cam:opened
"""


def install(folder: Path, name: str, entries: str) -> None:
    """A distribution as pip leaves it, as far as anybody looks."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / "acme_cam.py").write_text(ACME)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    install(folder, "acme-cam", ENTRY)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    return folder


def until_frame(camera: Camera) -> CameraFrame:
    """A busy machine lets a read pass without one."""
    for _ in range(20):
        try:
            frame = camera.read()
        except CameraError:
            continue
        assert frame is not None
        return frame
    raise AssertionError("no frame came")


def until_error(camera: Camera, words: str) -> str:
    """The first fault that says so; never a frame."""
    said: list[str] = []
    for _ in range(40):
        with pytest.raises(CameraError) as raised:
            camera.read()
        said.append(str(raised.value))
        if words in said[-1]:
            return said[-1]
    raise AssertionError(f"expected {words!r}, got {said}")


def test_its_frames_are_live_new_and_numbered_here(acme: Path) -> None:
    assert other_schemes() == ("acme", "broken", "rtsp", "rtsps")
    with open_camera("ACME://good/yard?key=secret") as camera:
        assert isinstance(camera, CameraProcess)
        pid = camera.pid
        asked = time.monotonic()
        frames = [until_frame(camera) for _ in range(5)]
    assert pid is not None
    assert gone(pid)
    assert (acme / "opened").read_text() == "ACME://good/yard?key=secret\n"
    assert [frame.live for frame in frames] == [True] * 5
    assert not any(frame.still for frame in frames)
    assert asked < frames[0].monotonic <= time.monotonic()
    numbers = [frame.sequence for frame in frames]
    assert numbers == sorted(set(numbers))
    for frame in frames:  # whole and unmixed, though the package writes into the same memory again
        assert frame.rgb.shape == (48, 64, 3)
        assert len(np.unique(frame.rgb)) == 1
        assert frame.name == f"acme://good/yard?...#{frame.sequence}"


FAULTS = [
    ("raises", "its package raised ValueError in acme_cam.py, line "),
    ("exits", "its package raised SystemExit"),
    ("refuses", "expected light, got none; switch it on"),
    ("absent", "its package raised OSError"),
    ("nothing", "its package gave object, which is no camera"),
    ("dies", "its process ended (exit status 9)"),
    ("hangs", "silent"),
    ("small", "gave 5 x 0 pixels"),
    ("large", "gave 6000 x 10000 pixels"),
    ("gray", "gave no picture"),
    ("floats", "gave no picture"),
    ("lists", "gave no picture"),
    ("text", "gave no picture"),
    ("timeless", "a frame of no time"),
    ("future", "a frame of no time"),
    ("dated", "a frame of no time"),
]


@pytest.mark.parametrize(("host", "said"), FAULTS, ids=[host for host, _ in FAULTS])
@pytest.mark.usefixtures("acme")
def test_whatever_it_does_is_a_fault_of_the_camera(host: str, said: str) -> None:
    with open_camera(f"acme://{host}/?key=secret") as camera:
        found = until_error(camera, said)
    assert "secret" not in found
    assert "\n" not in found


@pytest.mark.usefixtures("acme")
def test_one_that_ends_is_opened_again(acme: Path) -> None:
    with open_camera("rtsps://ends") as camera:  # begins as another, and is not it
        for _ in range(200):
            until_frame(camera)
            if (acme / "opened").read_text().count("\n") >= 3:
                return
    raise AssertionError("it was not opened again")


@pytest.mark.usefixtures("acme")
def test_a_package_without_its_factory_is_a_fault_too() -> None:
    with open_camera("broken://yard") as camera:
        assert "raised AttributeError" in until_error(camera, "broken://yard")


def test_an_unknown_scheme_names_the_known_ones(acme: Path) -> None:
    with pytest.raises(
        AddressError, match=r"\(rtsp://, acme://, broken://, rtsps://\), got another"
    ) as raised:
        open_camera("gige://admin:secret@yard")
    assert "secret" not in str(raised.value)
    with pytest.raises(AddressError, match="acme://PLACE without user and password") as raised:
        open_camera("acme://admin:secret@yard")
    assert "secret" not in str(raised.value)
    with pytest.raises(AddressError, match="without user and password"):
        open_camera("rtsp://admin:secret@yard")  # which no package can take over
    assert not (acme / "opened").exists()


def test_two_packages_for_one_scheme_are_not_chosen_from(acme: Path) -> None:
    install(acme, "other-cam", "[yochi.cameras]\nacme = acme_cam:opened\n")
    importlib.invalidate_caches()
    with open_camera("acme://good") as camera:
        assert "got acme-cam, other-cam" in until_error(camera, "expected one package")
    assert not (acme / "opened").exists()
