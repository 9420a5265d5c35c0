"""Thresholds: one per source of risk, two for the verdict slot, chosen on validation records.

A source of words, in note or picture, may take any threshold whose F1 of "there is a risk of this source" is
within PLATEAU of its best: that sentence is what the box says and what the bars are about, and the curve is
flat around its top. A picture's F1 hardly sees the false alarms on safe pictures, which are few among all, so
that source and the combinations are free. The verdicts decide (all rates by `yochi_bench.verdicts`):

    stop_recall - 2 miss - 10 max(0, 0.85 - proceed_recall)

Safe work that is stopped is punished hard up to that floor, since a judge that is always red is switched off;
above it a miss weighs more than a false alarm. Chosen by the
verdicts alone, a source lost its threshold wherever another caught the same records: reported risks were
flagged with an F1 of 0.76 at an AUROC of 0.98. Searched coordinate by coordinate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from yochi_bench.scored import any_truth
from yochi_bench.scores import value, weighted_f1
from yochi_bench.verdicts import row
from yochi_runtime.taxonomy import Slot, Source
from yochi_runtime.verdict import JUDGED

from .truth import NOTE_SOURCES

GRID = tuple(round(0.1 + 0.05 * i, 2) for i in range(15))  # 0.1 .. 0.8: nothing hangs on a hair
VERDICT_GRID = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)  # 1: the verdict slot says nothing by itself
PLATEAU = 0.02
UNFITTED = 0.5  # of signs, where nobody read any in the records that the others were chosen on
PROCEED_RECALL = 0.85
WORDS = (*NOTE_SOURCES, Source.IMAGE_TEXT)
CAUTION, STOP = "verdict:caution", "verdict:stop"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What the search sees.

    `probability` (N, S) calibrated, NaN where a slot is not judged, of signs also where nobody read them;
    `truth` (N, S) 1, 0 or -1 unknown; `caution` and `stop` (N,) of the verdict slot; `verdict` the truths,
    None unknown.
    """

    slots: Sequence[Slot]
    severe: NDArray[np.bool_]  # (S,) S2
    probability: Floats
    truth: NDArray[np.int8]
    caution: Floats
    stop: Floats
    verdict: Sequence[str | None]

    def groups(self) -> dict[str, list[int]]:
        """Columns of the judged risk slots by source, in the pack's order."""
        found: dict[str, list[int]] = {}
        for i, slot in enumerate(self.slots):
            if (
                slot.category is not None
                and slot.source is not None
                and not np.isnan(self.probability[:, i]).all()
            ):
                found.setdefault(str(slot.source), []).append(i)
        return found

    def known(self) -> "Validation":
        """The records whose verdict is known."""
        rows = [i for i, truth in enumerate(self.verdict) if truth is not None]
        return replace(
            self,
            probability=self.probability[rows],
            truth=self.truth[rows],
            caution=self.caution[rows],
            stop=self.stop[rows],
            verdict=[self.verdict[i] for i in rows],
        )

    def f1(self, columns: Sequence[int]) -> list[float]:
        """For each threshold of GRID the F1 of "one of these slots holds", where that is known."""
        truth, known = any_truth(self.truth[:, columns])
        highest = self.probability[:, columns].max(axis=1)
        found = (value(weighted_f1(highest >= t, truth, known), len(highest)) for t in GRID)
        return [_or(f1, 0.0) for f1 in found]


@dataclass(frozen=True)
class Chosen:
    """`values`: threshold by source, and the two of the verdict slot; the rates they give on validation."""

    values: dict[str, float]
    rates: dict[str, float]


def choose(data: Validation) -> Chosen:
    """The best of the grids that coordinate search finds, from each source's best F1 and a silent verdict."""
    f1s = {name: data.f1(columns) for name, columns in data.groups().items()}
    allowed: dict[str, Sequence[float]] = {
        name: [
            t for t, f1 in zip(GRID, found, strict=True) if name not in WORDS or f1 >= max(found) - PLATEAU
        ]
        for name, found in f1s.items()
    }
    values = {name: GRID[int(np.argmax(found))] for name, found in f1s.items()}
    # Silent where nothing is gained: a verdict without a named risk explains nothing.
    allowed |= {CAUTION: VERDICT_GRID, STOP: VERDICT_GRID}
    table = VerdictTable(data.known())
    values = _climb(table, allowed, values | {CAUTION: 1.0, STOP: 1.0})
    reached = {f"f1:{name}": found[GRID.index(values[name])] for name, found in f1s.items()}
    return Chosen(values, table.rates(values) | reached)


def _climb(
    table: "VerdictTable", allowed: Mapping[str, Sequence[float]], start: Mapping[str, float]
) -> dict[str, float]:
    """From `start`, one threshold at a time among the allowed ones, until none can be bettered."""
    at, best = dict(start), _objective(table.rates(start))
    while True:
        before = best
        for name, values in allowed.items():
            for threshold in values:
                score = _objective(table.rates({**at, name: threshold}))
                if score > best + 1e-12:
                    best, at = score, {**at, name: threshold}
        if best <= before:
            return at


def _objective(rates: Mapping[str, float]) -> float:
    red = max(0.0, PROCEED_RECALL - _or(rates["proceed_recall"], 1.0))
    return _or(rates["stop_recall"], 0.0) - 2 * _or(rates["miss"], 0.0) - 10 * red


def _or(value: float, otherwise: float) -> float:
    """A rate of nothing is NaN and must not win."""
    return otherwise if np.isnan(value) else value


class VerdictTable:
    """The verdicts for any thresholds, from the highest probability of each source and severity."""

    def __init__(self, data: Validation) -> None:
        self._data = data
        self._highest = {name: self._split(columns) for name, columns in data.groups().items()}

    def _split(self, columns: Sequence[int]) -> tuple[Floats, Floats]:
        """(N,) the highest S1 and the highest S2 probability; -1 where there is no such slot."""
        rows = self._data.probability

        def highest(wanted: bool) -> Floats:
            chosen = [c for c in columns if self._data.severe[c] == wanted]
            return rows[:, chosen].max(axis=1) if chosen else np.full(len(rows), -1.0)

        return highest(False), highest(True)

    def verdicts(self, values: Mapping[str, float]) -> list[str]:
        """As `yochi_runtime.factors.verdict_of_risks` gives them, for all records at once."""
        stop = self._data.stop >= values[STOP]
        caution = self._data.caution >= values[CAUTION]
        for name, (slight, severe) in self._highest.items():
            threshold = values.get(name, UNFITTED)
            stop = stop | (severe >= threshold)
            caution = caution | (slight >= threshold)
        return [JUDGED[2 if s else 1 if c else 0].value for s, c in zip(stop, caution, strict=True)]

    def rates(self, values: Mapping[str, float]) -> dict[str, float]:
        """Of the records whose verdict is known."""
        return {name: rate.value for name, rate in row(self._data.verdict, self.verdicts(values)).items()}
