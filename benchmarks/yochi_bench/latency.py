"""How long a judgement takes on this device, stage by stage, and what it costs in memory and energy.

MLPerf's SingleStream: one question in flight, the next when its verdict is there. Three cases, because they
cost differently: a new frame (everything runs), a new note on the same frame (what the frame showed is kept),
and the same frame and note again (a still scene under watch). Every case is warmed up first. Then a camera of
a fixed rate. The first judgement after loading stands apart.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from yochi_runtime.audit.log import AuditLog
from yochi_runtime.inspection import Inspection

from .camera_stream import stream
from .compute import compute_table
from .energy import Meter, find_meter
from .machine import Conditions
from .memory import memory_table
from .percentiles import PERCENTILES, times_needed
from .report import Column, Number, Plot, Row, Series, Table, measured
from .timed import COLUMNS, WALL, Box, Timings, stage_table
from .workload import Asked

CASES = {
    "new_frame": "A new frame",
    "new_note": "A new note on the same frame",
    "same_again": "The same frame and note again",
}
ONE_NOTE = "expected at least two different notes, got one; give another --note"


@dataclass(frozen=True)
class Plan:
    """`warmup` and `count` judgements of each case, `rate` frames a second of the camera."""

    warmup: int
    count: int
    rate: float

    def __post_init__(self) -> None:
        if self.warmup < 0 or self.count < 1 or self.rate <= 0:
            raise ValueError(f"expected warmup >= 0, count >= 1 and a rate above 0, got {self}")


@dataclass(frozen=True)
class Measured:
    """For a report."""

    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]


def measure(box: Box, asked: Asked, plan: Plan, meter: Callable[[], Meter] = find_meter) -> Measured:
    """Every case, then the camera. CannotJudge where a judgement failed.

    New frames are `asked`'s with one pixel changed, so that none is known already.
    """
    conditions = Conditions()
    inspections = asked.inspections
    cold, _ = box.timed(inspections[0])
    tables, timings, joules, read = [cold_table(cold)], {}, {}, ""
    skipped: dict[str, str] = {}
    new = asked.new_frames()
    questions = {
        "new_frame": new,
        "new_note": _new_notes(asked),
        "same_again": cycle(inspections[:1]),
    }
    for case, title in CASES.items():
        if case == "new_note" and len(asked.notes) < 2:
            tables.append(_unmeasured(case, title, ONE_NOTE))
            joules[case] = measured(None, ONE_NOTE)
            skipped[case] = ONE_NOTE
            continue
        # The first of a kept frame makes it the kept one.
        box.run(questions[case], 0, plan.warmup + (case != "new_frame"))
        used = meter()
        timings[case] = box.run(questions[case], 0, plan.count)
        joules[case], read = used.joules(plan.count), used.source
        tables.append(stage_table(case, title, timings[case], box.words(questions[case], plan.count)))
    camera = stream(box, new, plan.rate, plan.count)
    tables += [compute_table(timings, skipped), *camera.tables(plan.rate), memory_table()]
    tables += [_energy(joules, read), conditions.table()]
    return Measured(tuple(tables), (_distribution(timings, camera.shown),))


def _new_notes(asked: Asked) -> Iterator[Inspection]:
    return cycle(Inspection(asked.frames[0], note) for note in asked.notes)


def _unmeasured(case: str, title: str, why: str) -> Table:
    row = Row(id=WALL, cells={column.id: measured(None, why) for column in COLUMNS})
    return Table(id=case, title=title, columns=COLUMNS, rows=(row,))


def cold_table(timings: Timings) -> Table:
    """One judgement right after loading; once is all there is."""
    rows = [Row(id=stage, cells={"once": measured(ms)}) for stage, ms in timings.items()]
    total = timings[WALL] + timings.get("load", 0.0)
    rows.append(Row(id="load and first verdict", cells={"once": measured(total)}))
    return Table(
        id="cold",
        title="Cold start",
        columns=(Column(id="once", unit="ms", better="lower"),),
        rows=tuple(rows),
        caption="load: checking every byte of bundle and base, starting both engines. The system's file "
        "cache is as it was.",
    )


def _energy(joules: dict[str, Number], read: str) -> Table:
    return Table(
        id="energy",
        title="Energy of a judgement",
        columns=(Column(id="joules", unit="J", better="lower"),),
        rows=tuple(Row(id=case, cells={"joules": number}) for case, number in joules.items()),
        caption=f"{read}, idle power and other processes included.",
    )


def _distribution(timings: dict[str, list[Timings]], camera: list[float]) -> Plot:
    walls = {case: [one[WALL] for one in of] for case, of in timings.items()}
    series = []
    for name, values in {**walls, "camera, from arrival": camera}.items():
        ordered = sorted(values)
        shares = tuple((i + 1) / len(ordered) for i in range(len(ordered)))
        series.append(Series(name=name, x=tuple(ordered), y=shares))
    return Plot(title="Share of judgements that are ready by then", x="ms", y="share", series=tuple(series))


def reading_notes(plan: Plan) -> list[str]:
    """What the number of judgements carries."""
    missing = [name for name, share in PERCENTILES.items() if plan.count < times_needed(share)]
    if not missing:
        return []
    most = times_needed(PERCENTILES[missing[-1]])
    return [f"{plan.count} judgements a case do not carry {', '.join(missing)}; --count {most} does."]


@contextmanager
def log_beside(out: Path) -> Iterator[AuditLog]:
    """An audit log of the benchmark's own on the disk of `out`, gone afterwards: its cost is that disk's."""
    with (
        tempfile.TemporaryDirectory(prefix="audit-", dir=out) as folder,
        AuditLog(Path(folder) / "audit.db") as log,
    ):
        yield log
