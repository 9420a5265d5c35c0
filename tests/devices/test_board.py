"""Boards, found by the kernel's files as they were recorded, and chosen by hand."""

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from yochi_devices import sensors
from yochi_devices.board import OVERRIDE, BoardError, chosen_board, find_board, known_boards
from yochi_devices.machine import Machine, MachineError, read_machine

from .recorded import BOARDS, GIB, JETSON, N100, PI, WORKSTATION, memory, write


@pytest.fixture(autouse=True)
def no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERRIDE, raising=False)


def machine(root: Path, name: str, cores: int = 4) -> Machine:
    arch, files = BOARDS[name]
    return read_machine(write(root, files), arch=arch, cores=cores)


@pytest.mark.parametrize("name", BOARDS)
def test_each_board_is_found(tmp_path: Path, name: str) -> None:
    assert find_board(machine(tmp_path, name))[0].id == name
    assert {board.id for board in known_boards()} == set(BOARDS)


def test_what_a_machine_is(tmp_path: Path) -> None:
    jetson = machine(tmp_path / "jetson", "jetson-orin-nano", cores=6)
    assert jetson.model == "NVIDIA Jetson Orin Nano Developer Kit"
    assert jetson.compatible[-1] == "nvidia,tegra234"
    assert (jetson.cores, jetson.memory, jetson.available) == (6, (7 * GIB + 500_000) * 1024, 5 * 2**30)
    board, how = find_board(jetson)
    assert how == "detected"
    assert board.threads_on(jetson) == 4
    assert board.budget(jetson) == (7 * GIB + 500_000) * 1024 - 1500 * 2**20
    small = machine(tmp_path / "small", "intel-n100", cores=2)
    assert find_board(small)[0].threads_on(small) == 2
    assert (small.model, small.cpu) == ("Mini PC", "Intel(R) N100")


def test_this_machine_can_be_read() -> None:
    here = read_machine()
    assert here.arch == os.uname().machine
    assert 1 <= here.cores <= len(os.sched_getaffinity(0))
    assert 0 < here.available <= here.memory


@pytest.mark.parametrize(
    ("files", "cores", "total"),
    [
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, 2, 2**30),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"}, 8, 8 * 2**30),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1, 8 * 2**30),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
            },
            4,
            2**29,
        ),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            8,
            8 * 2**30,
        ),
    ],
)
def test_limits_of_a_container_count_like_hardware(
    tmp_path: Path, files: dict[str, str], cores: int, total: int
) -> None:
    root = write(tmp_path, {**memory(8 * GIB, 6 * GIB), **files})
    found = read_machine(root, arch="x86_64", cores=8)
    assert (found.cores, found.memory) == (cores, total)
    assert found.available == min(6 * 2**30, total)


def test_what_is_no_linux_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="expected MemTotal in"):
        read_machine(tmp_path)


PROFILE = """
id = "own"
name = "Our box"
arch = "x86_64"
threads = 2
reserve_mib = 100
power = ["hwmon:meter/power1"]
temperature = []
no_power = "the meter is off"
"""


def test_a_board_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine(tmp_path, "generic-x86-64")
    monkeypatch.setenv(OVERRIDE, "intel-n100")
    assert find_board(found)[0].id == "intel-n100"
    file = tmp_path / "own.toml"
    file.write_text(PROFILE, encoding="utf-8")
    monkeypatch.setenv(OVERRIDE, str(file))
    board, how = find_board(found)
    assert (board.id, how) == ("own", f"YOCHI_BOARD={file}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            PROFILE.replace("threads = 2", "threads = 0"),
            "threads: Input should be greater",
        ),
        (PROFILE + "fan = 1\n", "fan: Extra inputs are not permitted"),
        (PROFILE.replace("hwmon:meter/power1", "/dev/null"), "power.0: String should match"),
        ("[board", "expected a board's profile"),
    ],
)
def test_a_wrong_profile_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BoardError, match=words):
        chosen_board(str(file))


def test_boards_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="expected YOCHI_BOARD to be a profile's file or one of jetson"):
        chosen_board("pi5")
    riscv = read_machine(write(tmp_path, memory(GIB, GIB)), arch="riscv64", cores=1)
    with pytest.raises(BoardError, match="got riscv64; name a profile"):
        find_board(riscv)


def test_power_is_millivolts_times_milliamperes_or_microwatts(tmp_path: Path) -> None:
    """By hand: 5.072 V * 0.936 A = 4.747 W."""
    board = chosen_board("jetson-orin-nano")
    reading = sensors.power(board.power, board.no_power, write(tmp_path, JETSON))
    assert reading.value == pytest.approx(4.747, abs=0.001)
    assert reading.text() == "4.7 W (hwmon:ina3221/VDD_IN)"
    own = write(
        tmp_path, {"sys/class/hwmon/hwmon7/name": "meter", "sys/class/hwmon/hwmon7/power1_input": "1500000"}
    )
    assert sensors.power(("hwmon:meter/power1",), "none", own).value == 1.5


@pytest.mark.parametrize(("after", "watts"), [(9_500_000, 2.5), (500_000, 7.5)])
def test_power_by_an_energy_counter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, watts: float
) -> None:
    """By hand, over 0.2 s: 0.5 J; or 1.5 J over the counter's end at 10 J."""
    root = write(tmp_path, N100)
    ticks = itertools.count(0.0, 0.2)

    def sleep(_: float) -> None:
        write(root, {"sys/class/powercap/intel-rapl:0/energy_uj": str(after)})

    monkeypatch.setattr(sensors, "time", SimpleNamespace(monotonic=lambda: next(ticks), sleep=sleep))
    board = chosen_board("intel-n100")
    assert sensors.power(board.power, board.no_power, root).value == pytest.approx(watts)


def test_what_cannot_be_measured_is_null_with_its_reason(tmp_path: Path) -> None:
    board = chosen_board("raspberry-pi-5")
    reading = sensors.power(board.power, board.no_power, write(tmp_path, PI))
    assert reading.value is None
    assert reading.text() == "null: the kernel shows no meter of this board; put one into its supply"
    hidden = write(tmp_path, {"sys/class/powercap/intel-rapl:0/name": "package-0\n"})  # energy is root's only
    n100 = chosen_board("intel-n100")
    assert "sudo chmod o+r" in sensors.power(n100.power, n100.no_power, hidden).text()
    cold = sensors.temperature(("zone:none", "hwmon:none/temp1"), tmp_path)
    assert cold.text().startswith("null: expected zone:none or hwmon:none/temp1, found none")


@pytest.mark.parametrize(
    ("name", "files", "degrees"),
    [
        ("jetson-orin-nano", JETSON, 48.531),
        ("raspberry-pi-5", PI, 61.25),
        ("intel-n100", N100, 52.0),
        ("nvidia-workstation", WORKSTATION, 45.125),
    ],
)
def test_temperature(tmp_path: Path, name: str, files: dict[str, str], degrees: float) -> None:
    assert sensors.temperature(chosen_board(name).temperature, write(tmp_path, files)).value == degrees


def test_throttling_is_told(tmp_path: Path) -> None:
    assert sensors.throttling(write(tmp_path / "pi", PI)) == "the supply's voltage is too low"
    assert sensors.throttling(write(tmp_path / "n100", N100)) == "the processor was slowed by heat 7 times"
    assert sensors.throttling(write(tmp_path / "jetson", JETSON)) is None
