"""What a policy reaches on held-out records, judged as the box would judge with it.

The validation split is halved by picture group. On one half calibration and thresholds are fitted, as the
export fits them; the verdicts of the other half are counted. Fitted anew for every policy: a round that only
shifts all probabilities is no gain, since the export would shift them back.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_bench.answers import Answers
from yochi_bench.cells import Cell, five_cells
from yochi_bench.verdicts import row
from yochi_runtime.bundle import MIN_POSITIVES
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack

from ..calibrate import applied, calibrate
from ..policy import Policy
from ..records import PACK_NOTES
from ..stats import record_cell
from ..thresholds import Validation, VerdictTable
from .examples import Mistake, worst_mistakes

Rates = dict[str, dict[str, object]]


@dataclass(frozen=True)
class TrainedModel:
    """A model that is no bundle yet: its pack, and how many positive examples each slot was trained on."""

    pack: Pack
    positives: dict[str, int]

    def not_trained(self) -> frozenset[str]:
        """As `Bundle.not_trained`."""
        slots = (slot.id for slot in (*self.pack.cue_slots, *self.pack.risk_slots))
        return frozenset(slot for slot in slots if self.positives.get(slot, 0) < MIN_POSITIVES)


@dataclass(frozen=True)
class HeldOut:
    """`fit`: for calibration and thresholds. `count`: other pictures', whose verdict is known."""

    fit: tuple[Record, ...]
    count: tuple[Record, ...]

    @classmethod
    def of(cls, records: Sequence[Record], seed: int) -> "HeldOut":
        """UsageError where a half has no safe or no dangerous record: then nothing can be compared."""
        groups = sorted({record.picture_group for record in records})
        random.Random(f"{seed}-held-out").shuffle(groups)
        fitted = set(groups[: len(groups) // 2])
        fit = tuple(r for r in records if r.picture_group in fitted)
        count = tuple(r for r in records if r.picture_group not in fitted and r.verdict)
        for half in (fit, count):
            safe = sum(r.verdict == "proceed" for r in half)
            if not 0 < safe < sum(r.verdict is not None for r in half):
                raise UsageError(
                    "expected safe and dangerous records in both halves of val.jsonl, got "
                    f"{safe} safe of {sum(r.verdict is not None for r in half)} known; give more records"
                )
        return cls(fit, count)


@dataclass(frozen=True)
class Outcome:
    """Counts of the design's section 4 and of HoliSafe's five cells: `hits`, `of` and `value` each."""

    verdicts: Rates
    cells: Rates
    mistakes: tuple[Mistake, ...] = ()  # the worst, for the eye

    def better_than(self, other: "Outcome") -> bool:
        """More safe and effective, no more oversafe and not one miss more; both of the same records.

        Safe and effective rises too where ten false alarms fewer are bought with three dangers let pass.
        """
        ours, theirs = (
            {name: int(str(o.verdicts[name]["hits"])) for name in ("safe_effective", "oversafety", "miss")}
            for o in (self, other)
        )
        return ours["safe_effective"] > theirs["safe_effective"] and all(
            ours[name] <= theirs[name] for name in ("oversafety", "miss")
        )

    def words(self) -> str:
        names = {"safe_effective": "safe and effective", "oversafety": "oversafety", "miss": "miss"}
        return ", ".join(
            f"{said} {self.verdicts[name]['hits']}/{self.verdicts[name]['of']}"
            for name, said in names.items()
        )


def evaluate(policy: Policy, trained: TrainedModel, held: HeldOut) -> Outcome:
    """Calibrate on one half, judge the other."""
    data, thresholds = _calibrated(policy, trained, held.fit, held.count)
    judged = VerdictTable(data).verdicts(thresholds)
    by_name = {cell.value: cell for cell in Cell}
    cells = five_cells([by_name.get(record_cell(r, trained.pack)) for r in held.count], judged)
    rates = row([r.verdict for r in held.count], judged)
    return Outcome(
        {name: rate.as_json() for name, rate in rates.items()},
        {cell.value: rate.as_json() for cell, rate in cells.items()},
        worst_mistakes(held.count, data, thresholds, judged),
    )


def judge(
    policy: Policy, trained: TrainedModel, fit: Sequence[Record], records: Sequence[Record]
) -> list[str]:
    """Verdicts on `records` with calibration and thresholds fitted to `fit`."""
    data, thresholds = _calibrated(policy, trained, fit, records)
    return VerdictTable(data).verdicts(thresholds)


def _calibrated(
    policy: Policy, trained: TrainedModel, fit: Sequence[Record], records: Sequence[Record]
) -> tuple[Validation, dict[str, float]]:
    """Probabilities of `records`, and the thresholds that `fit` gives."""
    found = calibrate(trained, fit, read_answers(policy, fit))
    return applied(found.calibration, trained, records, read_answers(policy, records)), found.chosen.values


def in_packs(records: Sequence[Record]) -> list[list[Record]]:
    """Neighbours with the same picture together, at most PACK_NOTES."""
    packs: list[list[Record]] = []
    for _, same in groupby(records, key=lambda record: record.image):
        rows = list(same)
        packs += [rows[i : i + PACK_NOTES] for i in range(0, len(rows), PACK_NOTES)]
    return packs


def read_answers(policy: Policy, records: Sequence[Record]) -> Answers:
    """The policy's answers in the order of the records; UsageError where they are no numbers."""
    parts: list[tuple[NDArray[np.float32], ...]] = []
    for pack in in_packs(records):
        with torch.no_grad():
            read = policy.read([pack], policy.images([pack]))
        cues = read.cues.expand(len(pack), -1, -1)
        parts.append(tuple(part.numpy() for part in (cues, read.risks, read.verdict)))
    answers = Answers(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    if not all(np.isfinite(part).all() for part in (answers.cues, answers.risks, answers.verdict)):
        raise UsageError(
            "expected finite answers on the held-out records, got others; lower lora_rate, or start from "
            "another run"
        )
    return answers
