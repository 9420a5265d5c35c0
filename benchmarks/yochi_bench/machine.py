"""What is measured on, and what it does meanwhile: processor, memory, power mode, heat. Linux's own files.

Whatever the system does not tell is None with its reason, never a guess.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .report import Column, Machine, Number, Row, Table, measured

ENGINES = ("onnxruntime", "llama-cpp-python", "numpy")
CPU_FILES, HEAT_FILES = Path("/sys/devices/system/cpu"), Path("/sys/class/thermal")
GOVERNOR = "cpu0/cpufreq/scaling_governor"
# What sets how much a machine may use: of a Jetson, of a laptop or small PC, of an Intel or AMD processor.
POWER_MODES = {
    "nvpmodel": Path("var/lib/nvpmodel/status"),
    "platform profile": Path("sys/firmware/acpi/platform_profile"),
    "energy preference": Path("sys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference"),
}
HOTTEST, THROTTLED = "hottest zone, degrees C", "throttle events"


def machine() -> Machine:
    """This one, with a hash over everything said of it."""
    facts: dict[str, object] = {
        "architecture": platform.machine(),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "engines": {name: of for name in ENGINES if (of := _version(name))},
        "governor": _word(CPU_FILES / GOVERNOR),
    }
    if mode := power_mode():
        facts["power_mode"] = mode  # left out where there is none: such a machine has the hash of before
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return Machine.model_validate({**facts, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def power_mode(root: Path = Path("/")) -> str | None:
    """In words, such as `nvpmodel pmode:0002`; None where the system does not say."""
    told = [f"{name} {word}" for name, file in POWER_MODES.items() if (word := _word(root / file))]
    return ", ".join(told) or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _word(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str | None:
    """As the kernel names it; None where it does not (ARM boards often)."""
    names = [line.partition(":")[2].strip() for line in _lines(info) if line.startswith("model name")]
    return names[0] if names else None


def memory_bytes(info: Path = Path("/proc/meminfo")) -> int | None:
    """All that the system has."""
    total = [line.split() for line in _lines(info) if line.startswith("MemTotal:")]
    return int(total[0][1]) * 1024 if total else None


def _lines(file: Path) -> list[str]:
    return (_word(file) or "").splitlines()


class Conditions:
    """What may disturb the times, read when it is made and again for the table."""

    def __init__(self, cpu: Path = CPU_FILES, heat: Path = HEAT_FILES) -> None:
        self._cpu, self._heat = cpu, heat
        self._before = self._read()

    def table(self) -> Table:
        """Load average, the hottest zone, and how often the processor was slowed down, before and after."""
        after = self._read()
        rows = tuple(
            Row(id=name, cells={"before": before, "after": after[name]})
            for name, before in self._before.items()
        )
        columns = (Column(id="before", unit="as named"), Column(id="after", unit="as named"))
        caption = "A load average above the threads that measured: somebody else had a share of the cores."
        return Table(id="conditions", title="Conditions", columns=columns, rows=rows, caption=caption)

    def _read(self) -> dict[str, Number]:
        return {
            "load average, 1 min": measured(round(os.getloadavg()[0], 2)),
            HOTTEST: temperature(self._heat),
            THROTTLED: throttled(self._cpu),
        }


def temperature(heat: Path = HEAT_FILES) -> Number:
    """Of the hottest zone, in degrees Celsius."""
    found = _numbers(heat.glob("thermal_zone*/temp"))
    if found:
        return measured(max(found) / 1000)
    return measured(None, f"expected thermal zones in {heat}, found none; a virtual machine has none")


def throttled(cpu: Path = CPU_FILES) -> Number:
    """How often any core was slowed by heat since the system started."""
    found = _numbers(cpu.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    if found:
        return measured(sum(found))
    return measured(None, f"expected throttle counters in {cpu}, found none; Intel's alone have them")


def _numbers(files: Iterable[Path]) -> list[int]:
    """Of the files that hold a whole number; a zone that is switched off holds none."""
    words = [_word(file) or "" for file in files]
    return [int(word) for word in words if word.removeprefix("-").isdecimal()]
