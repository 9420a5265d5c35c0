"""A camera for hours, every tenth frame a fault: what grows, heats up, slows down or slips through.

Frames arrive at a fixed rate, whatever the judge does, and the newest is judged through the box's own gates.
Every judgement is recorded before it counts, as in a box. Memory, descriptors and heat are read a hundred
times over the run. Growth is a line through what was read after the first tenth, when the allocators have
what they need.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from yochi_runtime.run import Looked, judge_shot
from yochi_runtime.stream import StreamGates
from yochi_runtime.verdict import Verdict

from .camera_faults import EVERY, FAULTS, NO_FAULT, FaultyCamera, Seen
from .camera_stream import RATE, arrivals, frames_table
from .machine import HOTTEST, THROTTLED, Conditions, temperature, throttled
from .memory import process_use
from .percentiles import percentile
from .progress import Progress
from .report import Column, Number, Plot, Row, Series, Table, measured
from .timed import Box
from .workload import Asked

SAMPLES = 100  # readings over the run
COUNT = 10_000  # judgements, where nobody says how long
LATENCIES = {"p50": 0.5, "p90": 0.9}
TOO_FEW = "expected at least 20 readings after the first tenth, got fewer; let it run for longer"


@dataclass(frozen=True)
class Plan:
    """Ends after `count` judgements or `minutes`, whichever comes first; None for no such end."""

    count: int | None = None
    minutes: float | None = None
    rate: float = RATE

    def __post_init__(self) -> None:
        if (self.count is None and self.minutes is None) or self.rate <= 0:
            raise ValueError(f"expected an end and a rate above 0, got {self}")

    def share(self, judged: int, seconds: float) -> float:
        """How much of the run is over, 1 at its end."""
        counted = judged / self.count if self.count else 0.0
        return max(counted, seconds / (60 * self.minutes) if self.minutes else 0.0)


class Reading(NamedTuple):
    """After so many judgements: (bytes, descriptors) of each process, heat, throttle events."""

    at: int
    used: dict[str, tuple[int, int]]
    heat: Number
    throttled: Number


@dataclass
class Run:
    """`ms` of the judgements of good frames, in their order."""

    ms: list[float] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    readings: list[Reading] = field(default_factory=list)

    @property
    def judged(self) -> int:
        return sum(self.made.values())

    def read(self) -> None:
        self.readings.append(Reading(self.judged, process_use(), temperature(), throttled()))


def endure(box: Box, asked: Asked, plan: Plan, seed: int) -> tuple[list[Table], list[Plot]]:
    """For a report."""
    conditions, run, gates = Conditions(), Run(), StreamGates()
    camera = FaultyCamera(asked.new_frames(), box.clock, seed)
    progress = Progress("percent of the run", SAMPLES)
    offered, start = 0, box.clock.now()
    for number, arrived in arrivals(box.clock, plan.rate, start):
        offered = number + 1
        _one(box, camera.read(arrived), gates, run)
        done = min(SAMPLES, int(SAMPLES * plan.share(run.judged, box.clock.now() - start) + 1e-9))
        if done > progress.done:
            run.read()
            progress.step(done - progress.done)
        if done == SAMPLES:
            break
    seconds = box.clock.now() - start
    tables = [
        growth_table(run.readings),
        heat_table(run.readings),
        drift_table(run.ms),
        faults_table(run),
        frames_table(offered, run.judged, seconds),
        conditions.table(),
    ]
    return tables, [_memory_plot(run.readings), _latency_plot(run.ms)]


def _one(box: Box, seen: Seen, gates: StreamGates, run: Run) -> None:
    start = box.clock.now()
    judged = judge_shot(seen.shot, lambda asked: Looked(box.judge.judge(asked)), seen.note, gates)
    judgement = box.log.record(judged.judgement, seen.note.raw, judged.frame)
    taken = (box.clock.now() - start) * 1e3
    refused = judgement.verdict is Verdict.CANNOT_JUDGE
    run.made[seen.fault] += 1
    run.refused[seen.fault] += refused
    if seen.fault == NO_FAULT and not refused:
        run.ms.append(taken)


def growth_table(readings: Sequence[Reading]) -> Table:
    """A row a process, and their sum: resident memory and open descriptors, and how fast memory grows."""
    late = _late(readings)
    rows = []
    for name in late[0].used if late else ():
        held = [(one.at, *one.used[name]) for one in late if name in one.used]
        slope = slope_per_thousand([(at, memory) for at, memory, _ in held])
        cells = {
            "memory after a tenth": measured(held[0][1]),
            "memory at the end": measured(held[-1][1]),
            "growth": slope,
            "descriptors after a tenth": measured(held[0][2]),
            "descriptors at the end": measured(held[-1][2]),
        }
        rows.append(Row(id=name, cells=cells))
    return Table(
        id="growth",
        title="What grows",
        columns=(
            Column(id="memory after a tenth", unit="bytes"),
            Column(id="memory at the end", unit="bytes"),
            Column(id="growth", unit="KB per 1,000", better="lower"),
            Column(id="descriptors after a tenth", unit="count"),
            Column(id="descriptors at the end", unit="count", better="lower"),
        ),
        rows=tuple(rows),
        caption="Resident memory (VmRSS); growth is the slope of a least-squares line, in 1,000 bytes for "
        "each 1,000 judgements.",
    )


def _late(readings: Sequence[Reading]) -> list[Reading]:
    """Those after the first tenth of the judgements."""
    return [one for one in readings if one.at > readings[-1].at / 10]


def slope_per_thousand(held: Sequence[tuple[int, int]]) -> Number:
    """From (judgements, bytes)."""
    if len(held) < SAMPLES // 5:
        return measured(None, TOO_FEW, n=len(held))
    at, memory = np.array(held, dtype=np.float64).T
    return measured(float(np.polyfit(at, memory, 1)[0]), n=len(held))  # bytes a judgement = KB per 1,000


def heat_table(readings: Sequence[Reading]) -> Table:
    """The hottest zone, and how often heat slowed the processor: at first, at the end, and the highest."""
    rows = []
    for name, numbers in (
        (HOTTEST, [one.heat for one in readings]),
        (THROTTLED, [one.throttled for one in readings]),
    ):
        unread = next((number for number in numbers if number.value is None), None)
        highest = unread or max(numbers, key=lambda number: number.value or 0.0)
        cells = {"first": unread or numbers[0], "last": unread or numbers[-1], "highest": highest}
        rows.append(Row(id=name, cells=cells))
    return Table(
        id="heat",
        title="Does it heat up",
        columns=tuple(Column(id=name, unit="as named") for name in ("first", "last", "highest")),
        rows=tuple(rows),
        caption=f"{len(readings)} readings. Throttle events are counted from the system's start.",
    )


def drift_table(ms: Sequence[float]) -> Table:
    """The first and the last tenth."""
    tenth = max(1, len(ms) // 10)
    parts = {"the first tenth": ms[:tenth], "the last tenth": ms[-tenth:]}
    return Table(
        id="drift",
        title="Does it slow down",
        columns=tuple(Column(id=name, unit="ms", better="lower") for name in LATENCIES),
        rows=tuple(
            Row(id=name, cells={word: percentile(of, share) for word, share in LATENCIES.items()})
            for name, of in parts.items()
        ),
        caption="Judgements of good frames, the row in the log included.",
    )


def faults_table(run: Run) -> Table:
    """Faults that were judged all the same, and good frames that were not."""
    false = {"made": measured(run.made[NO_FAULT]), "false cannot_judge": measured(run.refused[NO_FAULT])}
    rows = [Row(id=NO_FAULT, cells=false)]
    for name in FAULTS:
        missed = measured(run.made[name] - run.refused[name])
        rows.append(Row(id=name, cells={"made": measured(run.made[name]), "missed": missed}))
    return Table(
        id="faults",
        title="Faults of the camera",
        columns=(
            Column(id="made", unit="count"),
            Column(id="missed", unit="count", better="lower"),
            Column(id="false cannot_judge", unit="count", better="lower"),
        ),
        rows=tuple(rows),
        caption=f"Every {EVERY}th frame has a fault, in turn. Missed: a fault that was judged all the same.",
    )


def _memory_plot(readings: Sequence[Reading]) -> Plot:
    names = dict.fromkeys(name for one in readings for name in one.used)
    series = [
        Series(
            name=name,
            x=tuple(float(one.at) for one in readings if name in one.used),
            y=tuple(one.used[name][0] / 1e6 for one in readings if name in one.used),
        )
        for name in names
    ]
    return Plot(title="Resident memory", x="judgements", y="MB", series=tuple(series))


def _latency_plot(ms: Sequence[float]) -> Plot:
    """Medians of up to a hundred stretches of the run."""
    parts = [part for part in np.array_split(np.array(ms), SAMPLES) if len(part)]
    x = tuple(float(place) for place in np.cumsum([len(part) for part in parts]))
    line = Series(name="median", x=x, y=tuple(float(np.median(part)) for part in parts))
    return Plot(title="Time of a judgement over the run", x="good frames judged", y="ms", series=(line,))
