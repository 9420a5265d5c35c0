"""`yochi doctor`, and what does not fit the machine: refused with the numbers."""

import importlib.metadata
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from yochi_devices import sensors
from yochi_devices.board import OVERRIDE
from yochi_devices.machine import Machine, read_machine
from yochi_devices.uvc import UvcCamera
from yochi_runtime import doctor, fitting
from yochi_runtime.bundle import open_bundle
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.fitting import OVERHEAD, find_place, needed
from yochi_runtime.judge import Judge

from tests.devices.recorded import BOARDS, write
from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import PLAIN_NOTE, Yochi, refused

Put = Callable[[str], None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Stand on a recorded board."""
    monkeypatch.delenv(OVERRIDE, raising=False)

    def stand(name: str) -> None:
        arch, files = BOARDS[name]
        root = write(tmp_path / "root", files)

        def recorded() -> Machine:
            return read_machine(root, arch=arch, cores=4)

        monkeypatch.setattr(fitting, "read_machine", recorded)

    return stand


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box with every package, a cool processor and room on its disk."""
    monkeypatch.setattr(doctor, "list_uvc", list)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.0")
    monkeypatch.setattr(sensors, "throttling", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 10**9))


@pytest.mark.usefixtures("whole")
def test_a_whole_box(yochi: Yochi, put: Put, tiny: TinyBundle) -> None:
    put("intel-n100")
    code, out, err = yochi("doctor")
    assert (code, err) == (0, "")
    assert "ok      board" in out
    assert "intel-n100: Intel N100 (detected)" in out
    assert "3 for each engine" in out
    assert "CPUExecutionProvider" in out
    assert f"{needed(open_bundle(tiny.folder)) / 1e6:.0f} MB needed" in out
    assert str(tiny.base) in out
    assert "5.0 GB free" in out
    assert "MISSING" not in out
    assert "To mend:" not in out


@pytest.mark.usefixtures("whole")
def test_what_is_missing_comes_with_what_mends_it(
    yochi: Yochi, put: Put, copy: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("raspberry-pi-5")
    copy.base.unlink()
    monkeypatch.setattr(doctor, "list_uvc", lambda: [UvcCamera(0, "HD Webcam", False)])
    monkeypatch.setattr(sensors, "throttling", lambda: "the supply's voltage is too low")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))

    def version(name: str) -> str:
        if name == "llama-cpp-python":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    code, out, _ = yochi("doctor")
    assert code == 3
    mends = {line[2:].partition(": ")[0]: line for line in out.partition("To mend:\n")[2].splitlines()}
    assert set(mends) == {"throttling", "llama-cpp-python", "base model", "camera 0", "log"}
    assert mends["base model"].endswith(": yochi bundle base")
    assert "sudo usermod -aG video" in mends["camera 0"]
    assert "null: the kernel shows no meter of this board" in out


@pytest.mark.usefixtures("whole")
def test_a_board_is_chosen_or_refused(yochi: Yochi, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("generic-x86-64")
    monkeypatch.setenv(OVERRIDE, "nvidia-workstation")
    assert f"({OVERRIDE}=nvidia-workstation)" in yochi("doctor")[1]
    monkeypatch.setenv(OVERRIDE, "pi5")
    code, out, err = yochi("doctor")
    assert (code, out) == (2, "")
    assert "expected YOCHI_BOARD to be a profile's file or one of" in err
    with pytest.raises(UsageError, match="YOCHI_BOARD"):
        find_place()


@pytest.mark.usefixtures("whole")
def test_what_cannot_fit_is_refused_with_the_numbers(
    yochi: Yochi, put: Put, picture: Path, tiny: TinyBundle, tmp_path: Path
) -> None:
    """By hand: 1000 MiB less 500 are 524 MB; the bundle takes its files and OVERHEAD."""
    put("raspberry-pi-5")
    write(tmp_path / "root", {"proc/meminfo": "MemTotal: 1024000 kB\nMemAvailable: 900000 kB\n"})
    need = needed(open_bundle(tiny.folder))
    assert need > OVERHEAD > 524_288_000
    judgement = refused(yochi("judge", picture, "--note", PLAIN_NOTE, "--json"))
    assert judgement.reasons == (Reason.BUNDLE_TOO_LARGE,)
    said = (
        "expected at most 524 MB for the bundle tiny (1049 MB less 524 for the system, board raspberry-pi-5)"
    )
    assert judgement.message is not None
    assert judgement.message.startswith(said)
    assert f"it needs {need / 1e6:.0f} MB" in judgement.message
    code, out, _ = yochi("doctor")
    assert code == 3
    assert said in out


@pytest.mark.usefixtures("whole")
def test_memory_that_others_hold_now_is_told(yochi: Yochi, put: Put, tmp_path: Path) -> None:
    put("raspberry-pi-5")
    write(tmp_path / "root", {"proc/meminfo": "MemTotal: 4096000 kB\nMemAvailable: 100000 kB\n"})
    code, out, _ = yochi("doctor")
    assert code == 3
    assert "- memory: close other programs" in out


def test_the_judge_takes_the_board_s_threads(
    put: Put, tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("intel-n100")
    asked = []

    def noted(*_: object, threads: int, **__: object) -> None:
        asked.append(threads)
        raise UsageError("enough")

    monkeypatch.setattr("yochi_runtime.judging_engines.LanguageClient", noted)
    for given in (None, 1):
        with pytest.raises(UsageError, match="enough"):
            Judge.open(tiny.folder, threads=given)
    assert asked == [3, 1]
