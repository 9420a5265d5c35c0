"""Thousands of judgements in a row, every tenth frame a fault: what grows, slows down or slips through.

Every judgement is recorded before it counts, as in a box. Memory and descriptors are read now and then, of
this process and of each engine. Growth is a line through what was read after the first tenth, when the
allocators have what they need.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle

import numpy as np
from yochi_devices.frame import Rgb
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection
from yochi_runtime.verdict import Verdict

from .faults import blurred, covered, lit
from .machine import Conditions
from .memory import process_use
from .percentiles import percentile
from .progress import Progress
from .report import Column, Number, Plot, Row, Series, Table, measured
from .timed import Box
from .workload import Asked

EVERY = 10  # a fault
SAMPLES = 100  # readings of memory over the run
FAULTS: dict[str, Callable[[Rgb, np.random.Generator], Rgb]] = {
    "light x 0.002": lambda photo, _: lit(photo, 0.002),
    "blur 6": lambda photo, _: blurred(photo, 6),
    "covered 100%": lambda photo, rng: covered(photo, 1.0, rng),
}
NO_FAULT = "no fault"
TOO_FEW = "expected at least 20 readings after the first tenth, got fewer; give a larger --count"


@dataclass
class Run:
    """`ms` of the judgements of good frames; `used`: (judgements so far, {process: (bytes, descriptors)})."""

    ms: list[float] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)  # missed faults, good frames that were refused
    used: list[tuple[int, dict[str, tuple[int, int]]]] = field(default_factory=list)


def endure(box: Box, asked: Asked, judgements: int, seed: int) -> tuple[list[Table], list[Plot]]:
    """For a report; one judgement after the other, as fast as they come."""
    conditions, run = Conditions(), Run()
    progress = Progress("judgements", judgements)
    step = max(1, judgements // SAMPLES)
    frames = _with_faults(asked.new_frames(), np.random.default_rng(seed))
    for number in range(1, judgements + 1):
        fault, inspection = next(frames)
        _one(box, fault, inspection, run)
        if number % step == 0:
            run.used.append((number, process_use()))
        progress.step()
    tables = [growth_table(run.used, judgements), drift_table(run.ms), faults_table(run), conditions.table()]
    return tables, [_plot(run.used)]


def _with_faults(good: Iterator[Inspection], rng: np.random.Generator) -> Iterator[tuple[str, Inspection]]:
    kinds = cycle(FAULTS)
    for number, inspection in zip(count(1), good, strict=False):
        if number % EVERY:
            yield NO_FAULT, inspection
        else:
            fault = next(kinds)
            yield fault, Inspection(Frame(FAULTS[fault](inspection.frame.rgb, rng)), inspection.note)


def _one(box: Box, fault: str, inspection: Inspection, run: Run) -> None:
    start = box.clock.now()
    judgement = box.log.record(box.judge.judge(inspection), inspection.note.raw, inspection.frame)
    taken = (box.clock.now() - start) * 1e3
    refused = judgement.verdict is Verdict.CANNOT_JUDGE
    run.made[fault] += 1
    run.wrong[fault] += refused if fault == NO_FAULT else not refused
    if fault == NO_FAULT and not refused:
        run.ms.append(taken)


def growth_table(used: Sequence[tuple[int, dict[str, tuple[int, int]]]], judgements: int) -> Table:
    """A row a process, and their sum: resident memory and open descriptors, and how fast memory grows."""
    late = [(at, of) for at, of in used if at > judgements / 10]
    rows = []
    for name in late[0][1] if late else ():
        held = [(at, *of[name]) for at, of in late if name in of]
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


def slope_per_thousand(held: Sequence[tuple[int, int]]) -> Number:
    """From (judgements, bytes)."""
    if len(held) < SAMPLES // 5:
        return measured(None, TOO_FEW, n=len(held))
    at, memory = np.array(held, dtype=np.float64).T
    return measured(float(np.polyfit(at, memory, 1)[0]), n=len(held))  # bytes a judgement = KB per 1,000


def drift_table(ms: Sequence[float]) -> Table:
    """The median of the first and of the last tenth."""
    tenth = max(1, len(ms) // 10)
    parts = {"the first tenth": ms[:tenth], "the last tenth": ms[-tenth:]}
    return Table(
        id="drift",
        title="Does it slow down",
        columns=(Column(id="p50", unit="ms", better="lower"),),
        rows=tuple(Row(id=name, cells={"p50": percentile(of, 0.5)}) for name, of in parts.items()),
        caption="Judgements of good frames, the row in the log included.",
    )


def faults_table(run: Run) -> Table:
    """Faults that were judged all the same, and good frames that were not."""
    rows = [
        Row(id=name, cells={"made": measured(run.made[name]), "wrong": measured(run.wrong[name])})
        for name in (NO_FAULT, *FAULTS)
    ]
    return Table(
        id="faults",
        title="Faults of the camera",
        columns=(Column(id="made", unit="count"), Column(id="wrong", unit="count", better="lower")),
        rows=tuple(rows),
        caption=f"Wrong: a fault that was judged, a frame with {NO_FAULT} that was not.",
    )


def _plot(used: Sequence[tuple[int, dict[str, tuple[int, int]]]]) -> Plot:
    names = dict.fromkeys(name for _, of in used for name in of)
    series = [
        Series(
            name=name,
            x=tuple(float(at) for at, of in used if name in of),
            y=tuple(of[name][0] / 1e6 for _, of in used if name in of),
        )
        for name in names
    ]
    return Plot(title="Resident memory", x="judgements", y="MB", series=tuple(series))
