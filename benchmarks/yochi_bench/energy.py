"""Joules of a stretch of time: the processor's own counters (RAPL), else the board's power meter, sampled.

A board's meter (`boards.toml`, INA3221 of a Jetson) tells watts of this moment. They are read PERIOD apart on
a thread of its own and summed by trapezoids; a reading takes microseconds. Neither there: null with why.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from yochi_devices.sensors import power
from yochi_runtime.fitting import find_place

from .report import Number, measured

POWER_FILES = Path("/sys/class/powercap")
PERIOD = 0.1  # seconds between readings of a board's meter


class Meter(Protocol):
    """Runs from when it is made; `source` says in words what it reads."""

    source: str

    def joules(self, judgements: int) -> Number:
        """A judgement's share until now, idle power included."""
        ...


def find_meter() -> Meter:
    """What this machine has, beginning now."""
    counters = EnergyMeter()
    if counters.readable:
        return counters
    board = find_place().board
    sampled = [source for source in board.power if source.startswith("hwmon:")]
    answering = power(sampled, board.no_power).source
    if answering is None:
        return counters
    return PowerMeter(answering, lambda: power([answering], board.no_power).value)


class EnergyMeter:
    """Joules that all processor packages used since it was made (Linux powercap, RAPL zones)."""

    source = "RAPL counts the whole processor package"

    def __init__(self, folder: Path = POWER_FILES) -> None:
        self._folder = folder
        self._before = self._read()

    @property
    def readable(self) -> bool:
        return not isinstance(self._before, str)

    def joules(self, judgements: int) -> Number:
        """A judgement's share; None and why where no meter can be read."""
        before, after = self._before, self._read()
        if isinstance(before, str):
            return measured(None, before)
        if isinstance(after, str):
            return measured(None, after)
        if set(before) != set(after) or not judgements:
            return measured(None, "expected the same meters before and after, got others; measure again")
        used = sum(_used(before[zone], after[zone], self._range(zone)) for zone in before)
        return measured(used / 1e6 / judgements, n=judgements)

    def _read(self) -> dict[str, int] | str:
        """Microjoules by zone, or why not. Packages only: their parts count again what they count."""
        try:
            found = {zone: int((self._folder / zone / "energy_uj").read_text()) for zone in self._zones()}
        except (OSError, ValueError) as e:
            words = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            return f"expected to read the energy meter in {self._folder}, got: {words}; root may read it"
        if found:
            return found
        return f"expected an energy meter (RAPL) in {self._folder}, found none; measure at the plug"

    def _zones(self) -> Iterator[str]:
        for zone in sorted(self._folder.glob("*:*")):
            if zone.name.count(":") == 1 and _text(zone / "name").startswith("package"):
                yield zone.name

    def _range(self, zone: str) -> int:
        """Where its counter begins anew."""
        return int(_text(self._folder / zone / "max_energy_range_uj") or 0)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _used(before: int, after: int, counter_range: int) -> int:
    """A counter that stands lower than before has begun anew once."""
    return after - before if after >= before else after - before + counter_range


class PowerMeter:
    """Samples `watts` from when it is made until its joules are asked for, once."""

    def __init__(self, name: str, watts: Callable[[], float | None], period: float = PERIOD) -> None:
        self.source = f"{name}, read every {period:g} s"
        self._watts, self._period = watts, period
        self._samples: list[tuple[float, float | None]] = []
        self._over = threading.Event()
        self._sample()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def joules(self, judgements: int) -> Number:
        """A judgement's share; None where a reading failed."""
        self._over.set()
        self._thread.join()
        self._sample()
        read = [(at, watts) for at, watts in self._samples if watts is not None]
        if len(read) < len(self._samples) or not judgements:
            return measured(None, f"expected every reading of {self.source}, got {len(read)}; measure again")
        return measured(joules_of(read) / judgements, n=judgements)

    def _follow(self) -> None:
        while not self._over.wait(self._period):
            self._sample()

    def _sample(self) -> None:
        self._samples.append((time.monotonic(), self._watts()))


def joules_of(samples: Sequence[tuple[float, float]]) -> float:
    """Of (seconds, watts), by trapezoids."""
    pairs = pairwise(samples)
    return sum((later - at) * (watts + after) / 2 for (at, watts), (later, after) in pairs)
