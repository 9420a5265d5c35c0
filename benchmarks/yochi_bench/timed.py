"""One judgement as the box gives it, timed: judge, the plant's rules, and the row that must be durable first.

Judging ends when the answer is there, so no synchronisation is needed. The clock can be another, for tests.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import CannotJudge, Reason
from yochi_runtime.inspection import Inspection
from yochi_runtime.judgement import Identities, Judgement
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.run import ruled

from .percentiles import summary
from .report import Column, Row, Table, measured

WALL = "whole call"  # by the caller's clock; the stages inside are the judge's own
STAGES = ("gates", "prepare", "sign text", "vision", "look", "note", "verdict", "judge", "evidence")
AFTER = ("explanation, first word", "explanation, last word", "rules", "audit", WALL)
NOT_DONE = {
    "sign text": "expected a bundle that judges words in pictures and a reader of them (yochi[ocr])",
    "explanation, first word": "expected words, got a bundle whose answers are read out and not written",
    "explanation, last word": "expected words, got a bundle whose answers are read out and not written",
    "rules": "expected a rulebook, got none; give --rules",
}
COLUMNS = tuple(Column(id=name, unit="ms", better="lower") for name in ("p50", "p90", "p99", "max"))
CAPTION = (
    "ms; in brackets the early-stopping estimate: with 99 % confidence the true percentile is no higher. "
    "judge: gates to verdict, without evidence. look: picture and cue slots; note: note, risk slots, verdict."
)
Timings = dict[str, float]  # milliseconds by stage


class Judging(Protocol):
    """What is measured: `yochi_runtime.judge.Judge`, or a stand-in."""

    def judge(self, inspection: Inspection) -> Judgement: ...


@dataclass(frozen=True)
class Clock:
    """Seconds from any start, and a wait of so many."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Box:
    """The judge with what stands behind it."""

    judge: Judging
    log: AuditLog
    rules: PlantRules | None = None
    clock: Clock = Clock()

    def timed(self, inspection: Inspection) -> tuple[Timings, Identities]:
        """Milliseconds by stage. CannotJudge where it failed (`check_judged`)."""
        stages: Timings = {}
        with self._stage(stages, WALL):
            judgement = self.judge.judge(inspection)
            if self.rules is not None:
                with self._stage(stages, "rules"):
                    judgement = ruled(self.rules, judgement, inspection.note)
            with self._stage(stages, "audit"):
                judgement = self.log.record(judgement, inspection.note.raw, inspection.frame)
        check_judged(judgement)
        return {**judgement.timings_ms, **stages}, judgement.identities

    def run(self, inspections: Iterator[Inspection], warmup: int, count: int) -> list[Timings]:
        """One after the other, the first `warmup` not counted."""
        return [self.timed(next(inspections))[0] for _ in range(warmup + count)][warmup:]

    @contextmanager
    def _stage(self, stages: Timings, name: str) -> Iterator[None]:
        start = self.clock.now()
        yield
        stages[name] = (self.clock.now() - start) * 1e3


def check_judged(judgement: Judgement) -> None:
    """CannotJudge where it failed: what a failure took says nothing.

    An unproved bundle still does all the work and may be timed.
    """
    failures = [reason for reason in judgement.reasons if reason is not Reason.UNPROVED]
    if failures:
        raise CannotJudge(failures[0], judgement.message or f"expected a judgement, got {failures[0]}")


def stage_table(table: str, title: str, timings: Sequence[Mapping[str, float]]) -> Table:
    """Percentiles by stage; what never ran with its reason."""
    return Table(id=table, title=title, columns=COLUMNS, rows=tuple(stage_rows(timings)), caption=CAPTION)


def stage_rows(timings: Sequence[Mapping[str, float]]) -> list[Row]:
    """A row a stage, over the judgements in which it ran."""
    known = (*STAGES, *AFTER)
    strange = dict.fromkeys(stage for one in timings for stage in one if stage not in known)
    rows = []
    for stage in (*STAGES, *strange, *AFTER):
        values = [one[stage] for one in timings if stage in one]
        if values:
            rows.append(Row(id=stage, cells=summary(values)))
        elif stage in NOT_DONE:
            rows.append(Row(id=stage, cells={c.id: measured(None, NOT_DONE[stage]) for c in COLUMNS}))
    return rows
