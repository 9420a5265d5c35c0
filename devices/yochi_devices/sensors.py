"""Power, temperature and throttling from the kernel's files; None with a reason where it shows none.

A source is `zone:TYPE` (/sys/class/thermal), `hwmon:CHIP/LABEL` (/sys/class/hwmon; by its label, or by the
name of its input) or `rapl:NAME` (/sys/class/powercap, whose energy is read twice).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .machine import read_line

RAPL_SECONDS = 0.2  # between two readings of an energy counter, which moves every millisecond


@dataclass(frozen=True)
class Reading:
    """`value` in `unit`, or None and why; `source` is the one that answered."""

    value: float | None
    unit: str
    source: str | None = None
    reason: str | None = None

    def text(self) -> str:
        return (
            f"null: {self.reason}" if self.value is None else f"{self.value:.1f} {self.unit} ({self.source})"
        )


def power(sources: Sequence[str], why_not: str, root: Path = Path("/")) -> Reading:
    """Watts of the first source that answers."""
    for source in sources:
        kind, _, name = source.partition(":")
        watts = _rapl(name, root) if kind == "rapl" else _hwmon_watts(name, root) if kind == "hwmon" else None
        if watts is not None:
            return Reading(watts, "W", source)
    return Reading(None, "W", reason=why_not)


def temperature(sources: Sequence[str], root: Path = Path("/")) -> Reading:
    """Degrees Celsius of the first source that answers."""
    for source in sources:
        kind, _, name = source.partition(":")
        milli = (
            _zone(name, root) if kind == "zone" else _hwmon(name, "temp", root) if kind == "hwmon" else None
        )
        if milli is not None:
            return Reading(milli / 1000, "°C", source)
    wanted = " or ".join(sources) or "a source in the profile"
    return Reading(None, "°C", reason=f"expected {wanted}, found none; virtual machines have no sensors")


def throttling(root: Path = Path("/")) -> str | None:
    """In words what has slowed this machine since it started, None where nothing has or nothing tells."""
    said = []
    for cpu in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")):
        count = _number(cpu / "package_throttle_count")
        if count:
            said.append(f"the processor was slowed by heat {count} times")
            break
    for chip in (root / "sys/class/hwmon").glob("*"):
        if read_line(chip / "name") == "rpi_volt" and _number(chip / "in0_lcrit_alarm"):
            said.append("the supply's voltage is too low")
    return ", ".join(said) or None


def _zone(wanted: str, root: Path) -> int | None:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if read_line(zone / "type") == wanted:
            return _number(zone / "temp")
    return None


def _hwmon(name: str, kind: str, root: Path) -> int | None:
    """The input of this kind (temp, power, in, curr) whose label, or whose own name, is asked for."""
    wanted, _, label = name.partition("/")
    for chip in sorted((root / "sys/class/hwmon").glob("*")):
        if read_line(chip / "name") != wanted:
            continue
        for file in sorted(chip.glob(f"{kind}[0-9]*_input")):
            own = file.name.removesuffix("_input")
            if label in (own, read_line(chip / f"{own}_label")):
                return _number(file)
    return None


def _hwmon_watts(name: str, root: Path) -> float | None:
    """Microwatts where the chip counts them, or else millivolts times milliamperes of one channel."""
    micro = _hwmon(name, "power", root)
    if micro is not None:
        return micro / 1e6
    wanted, _, label = name.partition("/")
    for chip in sorted((root / "sys/class/hwmon").glob("*")):
        if read_line(chip / "name") != wanted:
            continue
        for file in sorted(chip.glob("in[0-9]*_label")):
            channel = file.name.removeprefix("in").removesuffix("_label")
            volts, amperes = _number(chip / f"in{channel}_input"), _number(chip / f"curr{channel}_input")
            if read_line(file) == label and volts is not None and amperes is not None:
                return volts * amperes / 1e6
    return None


def _rapl(wanted: str, root: Path) -> float | None:
    for zone in sorted((root / "sys/class/powercap").glob("*")):
        if read_line(zone / "name") == wanted:
            return _mean_watts(zone)
    return None


def _mean_watts(zone: Path) -> float | None:
    """Over RAPL_SECONDS; the counter may begin again from 0 in between."""
    before, start = _number(zone / "energy_uj"), time.monotonic()
    if before is None:
        return None
    time.sleep(RAPL_SECONDS)
    after, took = _number(zone / "energy_uj"), time.monotonic() - start
    if after is None:
        return None
    if after < before:
        after += _number(zone / "max_energy_range_uj") or 0
    return max(0, after - before) / 1e6 / took


def _number(path: Path) -> int | None:
    text = read_line(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None
