"""Memory, heat, throttling, power mode and energy, read from folders made like Linux's."""

import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from yochi_bench import energy
from yochi_bench.energy import EnergyMeter, PowerMeter, find_meter, joules_of
from yochi_bench.machine import Conditions, cpu_name, machine, memory_bytes, power_mode
from yochi_bench.memory import memory_table, peak_rss


def write(file: Path, text: str | int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n", encoding="ascii")


def meter(folder: Path, microjoules: int, dram: int = 0) -> None:
    """A package and its DRAM part, whose counter begins anew at 1 J."""
    for zone, name, used in (("intel-rapl:0", "package-0", microjoules), ("intel-rapl:0:0", "dram", dram)):
        write(folder / zone / "name", name)
        write(folder / zone / "energy_uj", used)
        write(folder / zone / "max_energy_range_uj", 1_000_000)


def test_joules_a_judgement(tmp_path: Path) -> None:
    meter(tmp_path, 100_000)
    used = EnergyMeter(tmp_path)
    meter(tmp_path, 500_000, dram=900_000)  # a part of a zone is no zone of its own
    assert used.joules(4).value == pytest.approx(0.1)


def test_a_counter_that_begins_anew(tmp_path: Path) -> None:
    meter(tmp_path, 900_000)
    used = EnergyMeter(tmp_path)
    meter(tmp_path, 100_000)
    assert used.joules(2).value == pytest.approx(0.1)  # 0.1 J to the end, 0.1 J after it


def test_no_meter_is_null_with_its_reason(tmp_path: Path) -> None:
    none = EnergyMeter(tmp_path).joules(3)
    assert none.value is None
    assert "RAPL" in str(none.reason)
    meter(tmp_path, 5)
    used = EnergyMeter(tmp_path)
    write(tmp_path / "intel-rapl:0" / "energy_uj", "not a number")
    assert used.joules(3).value is None
    meter(tmp_path, 6)
    used = EnergyMeter(tmp_path)
    meter(tmp_path / "more", 5)
    (tmp_path / "more" / "intel-rapl:0").rename(tmp_path / "intel-rapl:1")
    assert "same meters" in str(used.joules(3).reason)


def test_watts_become_joules_by_hand() -> None:
    """2 s from 4 to 6 W and 1 s at 6 W."""
    assert joules_of([(10.0, 4.0), (12.0, 6.0), (13.0, 6.0)]) == pytest.approx(10.0 + 6.0)
    assert joules_of([(10.0, 4.0)]) == 0.0


def test_a_boards_meter_is_sampled_until_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 W on a clock that goes on 0.5 s at every look: 2 J for each sample after the first."""
    ticks = count(1)
    monkeypatch.setattr(energy, "time", SimpleNamespace(monotonic=lambda: 0.5 * next(ticks)))
    looks: list[float] = []

    def watts() -> float:
        looks.append(4.0)
        return 4.0

    meter = PowerMeter("hwmon:chip/VDD_IN", watts, period=0.001)
    found = meter.joules(2)
    assert len(looks) >= 2
    assert found.value == pytest.approx(2.0 * (len(looks) - 1) / 2)
    assert meter.source == "hwmon:chip/VDD_IN, read every 0.001 s"


def test_a_reading_that_fails_makes_no_number() -> None:
    assert "got 0; measure again" in str(PowerMeter("x", lambda: None, period=60.0).joules(1).reason)


def test_the_counters_come_before_the_boards_meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = SimpleNamespace(board=SimpleNamespace(power=("rapl:x", "hwmon:chip/in"), no_power="buy a meter"))
    monkeypatch.setattr(energy, "find_place", lambda: board)
    monkeypatch.setattr(energy, "power", lambda of, _: SimpleNamespace(value=3.0, source=of[0]))
    monkeypatch.setattr(EnergyMeter.__init__, "__defaults__", (tmp_path,))
    meter = find_meter()
    assert isinstance(meter, PowerMeter)
    assert meter.source.startswith("hwmon:chip/in,")
    meter.joules(1)  # ends its thread
    monkeypatch.setattr(energy, "power", lambda *_: SimpleNamespace(value=None, source=None))
    assert "RAPL" in str(find_meter().joules(1).reason)
    write(tmp_path / "intel-rapl:0" / "name", "package-0")
    write(tmp_path / "intel-rapl:0" / "energy_uj", 5)
    assert isinstance(find_meter(), EnergyMeter)


def test_the_power_mode_in_words(tmp_path: Path) -> None:
    assert power_mode(tmp_path) is None
    write(tmp_path / "var" / "lib" / "nvpmodel" / "status", "pmode:0002")
    write(tmp_path / "sys" / "firmware" / "acpi" / "platform_profile", "balanced")
    assert power_mode(tmp_path) == "nvpmodel pmode:0002, platform profile balanced"


def test_conditions_before_and_after(tmp_path: Path) -> None:
    cpu, heat = tmp_path / "cpu", tmp_path / "heat"
    write(heat / "thermal_zone0" / "temp", 41_500)
    write(heat / "thermal_zone1" / "temp", "switched off")
    for core in (0, 1):
        write(cpu / f"cpu{core}" / "thermal_throttle" / "core_throttle_count", 2)
    conditions = Conditions(cpu, heat)
    write(heat / "thermal_zone0" / "temp", 70_000)
    write(cpu / "cpu0" / "thermal_throttle" / "core_throttle_count", 5)
    rows = {row.id: row.cells for row in conditions.table().rows}
    hot, slowed = rows["hottest zone, degrees C"], rows["throttle events"]
    assert (hot["before"].value, hot["after"].value) == (41.5, 70.0)
    assert (slowed["before"].value, slowed["after"].value) == (4, 7)


def test_what_a_virtual_machine_does_not_have_is_null(tmp_path: Path) -> None:
    rows = {row.id: row.cells for row in Conditions(tmp_path, tmp_path).table().rows}
    assert rows["hottest zone, degrees C"]["after"].reason
    assert rows["throttle events"]["before"].reason


def test_the_machine_is_named_and_hashed(tmp_path: Path) -> None:
    assert machine() == machine()
    info = tmp_path / "info"
    write(info, "processor\t: 0\nmodel name\t: A processor\nMemTotal:   2048 kB")
    assert cpu_name(info) == "A processor"
    assert memory_bytes(info) == 2048 * 1024
    assert cpu_name(tmp_path / "none") is None
    assert memory_bytes(tmp_path / "none") is None


def test_peak_memory_is_the_kernels_number(tmp_path: Path) -> None:
    status = tmp_path / "status"
    write(status, "Name:\tpython\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB")
    assert peak_rss(status).value == 2048 * 1024
    assert "only Linux" in str(peak_rss(tmp_path / "none").reason)
    write(status, "Name:\tpython")
    assert peak_rss(status).value is None


def test_every_process_has_a_row_and_counts() -> None:
    code = "held = b'x' * 50_000_000; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        rows = {row.id: row.cells["peak"].value or 0.0 for row in memory_table().rows}
        child.communicate(b"\n")
    children = [held for name, held in rows.items() if name not in ("yochi-bench", "all")]
    assert max(children) > 50_000_000
    assert rows["all"] == pytest.approx(rows["yochi-bench"] + sum(children))
