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
from yochi_runtime.explainer import Explained
from yochi_runtime.inspection import Inspection
from yochi_runtime.judgement import Judgement
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.run import ruled

from .percentiles import summary
from .report import Column, Row, Table, measured

WALL = "whole call"  # by the caller's clock; the stages inside are the judge's own
STAGES = ("gates", "prepare", "sign text", "vision", "look", "note", "verdict", "judge", "evidence")
IN_JUDGE, IN_EVIDENCE = "computed in judge", "computed in evidence"  # no stages: parts of two (`compute`)
FIRST_WORD, LAST_WORD = "explanation, first word", "explanation, last word"
AFTER = (FIRST_WORD, LAST_WORD, "rules", "audit", WALL)
NOT_LEARNED = "expected a bundle that learned to explain, this one did not"
NOT_DONE: Mapping[str, str] = {
    "sign text": "expected a bundle that judges words in pictures and a reader of them (yochi[ocr])",
    "rules": "expected a rulebook, got none; give --rules",
}
COLUMNS = tuple(Column(id=name, unit="ms", better="lower") for name in ("p50", "p90", "p99", "max"))
CAPTION = (
    "ms; in brackets the early-stopping estimate: with 99 % confidence the true percentile is no higher. "
    "judge: gates to verdict, without evidence. look: picture and cue slots; note: note, risk slots, verdict."
)
OF_WORDS = (
    " explanation: counted from its beginning, after the row; of as many other judgements of this kind."
)
Timings = dict[str, float]  # milliseconds by stage


class Judging(Protocol):
    """What is measured: `yochi_runtime.judge.Judge`, or a stand-in."""

    def judge(self, inspection: Inspection) -> Judgement: ...


class Explaining(Judging, Protocol):
    """That says what its engines computed, and may say something after its verdicts, too."""

    @property
    def computed_ms(self) -> Mapping[str, float]: ...
    @property
    def explains(self) -> bool: ...
    def explain(self, shown: Judgement) -> Iterator[Explained]: ...


@dataclass(frozen=True)
class Words:
    """Timings of the explanations that were said, and where none was, why."""

    timings: list[Timings]
    missing: str | None = None


@dataclass(frozen=True)
class Clock:
    """Seconds from any start, and a wait of so many."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Box:
    """The judge with what stands behind it."""

    judge: Explaining
    log: AuditLog
    rules: PlantRules | None = None
    clock: Clock = Clock()

    def timed(self, inspection: Inspection) -> tuple[Timings, Judgement]:
        """Milliseconds by stage, and the judgement as it is recorded. Among them what engines computed.

        CannotJudge where it failed (`check_judged`).
        """
        stages: Timings = {}
        with self._stage(stages, WALL):
            judgement = self.judge.judge(inspection)
            computed = self.judge.computed_ms
            if self.rules is not None:
                with self._stage(stages, "rules"):
                    judgement = ruled(self.rules, judgement, inspection.note)
            with self._stage(stages, "audit"):
                judgement = self.log.record(judgement, inspection.note.raw, inspection.frame)
        check_judged(judgement)
        parts = {IN_JUDGE: computed.get("judge", 0.0), IN_EVIDENCE: computed.get("evidence", 0.0)}
        return {**judgement.timings_ms, **stages, **parts}, judgement

    def run(self, inspections: Iterator[Inspection], warmup: int, count: int) -> list[Timings]:
        """One after the other, the first `warmup` not counted."""
        return [self.timed(next(inspections))[0] for _ in range(warmup + count)][warmup:]

    def words(self, inspections: Iterator[Inspection], count: int) -> Words:
        """Of `count` more judgements, when the first and the last word of their explanations were there.

        Apart from `run`: neither time nor energy of a judgement has an explanation in it.
        """
        if not self.judge.explains:
            return Words([], NOT_LEARNED)
        ends: list[Explained] = []
        for _ in range(count):
            ends += [*self.judge.explain(self.timed(next(inspections))[1])][-1:]
        said = [one for one in ends if one.text is not None and one.first_ms is not None]
        if said:
            return Words([{FIRST_WORD: one.first_ms or 0.0, LAST_WORD: one.ms} for one in said])
        if not ends:
            return Words([], "expected a verdict with a risk above its threshold, none had one")
        why = ", ".join(sorted({str(one.dropped) for one in ends}))
        return Words([], f"expected an explanation, all {len(ends)} were dropped ({why})")

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


def stage_table(table: str, title: str, timings: Sequence[Mapping[str, float]], words: Words) -> Table:
    """Percentiles by stage; what never ran with its reason."""
    unsaid = {} if words.missing is None else dict.fromkeys((FIRST_WORD, LAST_WORD), words.missing)
    rows = stage_rows([*timings, *words.timings], {**NOT_DONE, **unsaid})
    return Table(id=table, title=title, columns=COLUMNS, rows=tuple(rows), caption=CAPTION + OF_WORDS)


def stage_rows(timings: Sequence[Mapping[str, float]], missing: Mapping[str, str] = NOT_DONE) -> list[Row]:
    """A row a stage, over the judgements in which it ran; why there is none, where `missing` says it."""
    known = (*STAGES, *AFTER, IN_JUDGE, IN_EVIDENCE)
    strange = dict.fromkeys(stage for one in timings for stage in one if stage not in known)
    rows = []
    for stage in (*STAGES, *strange, *AFTER):
        values = [one[stage] for one in timings if stage in one]
        if values:
            rows.append(Row(id=stage, cells=summary(values)))
        elif stage in missing:
            rows.append(Row(id=stage, cells={c.id: measured(None, missing[stage]) for c in COLUMNS}))
    return rows
