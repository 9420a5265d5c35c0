"""Thresholds that give good verdicts: one per source of risk, two for the verdict slot.

Objective, on validation records (all rates by `yochi_bench.verdicts`, F1 by `yochi_bench.scores`):

    stop_recall - 2 miss + F1 / 2 - 10 max(0, 0.93 - proceed_recall)

F1 is micro F1 over every known (record, slot) pair, averaged over the sources: without it a source whose
risks the verdict slot already catches would have no threshold of its own. Safe work that is stopped is
punished hard, since a judge that is always red is switched off. Searched coordinate by coordinate from
several starts.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from yochi_bench.verdicts import row
from yochi_runtime.taxonomy import Slot
from yochi_runtime.verdict import JUDGED

GRID = tuple(round(0.2 + 0.05 * i, 2) for i in range(13))  # 0.2 .. 0.8: nothing hangs on a hair
STARTS = (0.35, 0.5, 0.65)
PROCEED_RECALL = 0.93
CAUTION, STOP = "verdict:caution", "verdict:stop"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What the search sees. `probability` (N, S) calibrated, NaN where a slot is not judged; `truth` (N, S)
    1, 0 or
    -1 unknown; `caution` and `stop` (N,) of the verdict slot; `verdict` the truths, None unknown.
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
                and not np.isnan(self.probability[:, i]).any()
            ):
                found.setdefault(str(slot.source), []).append(i)
        return found


@dataclass(frozen=True)
class Chosen:
    """`values`: threshold by source, and the two of the verdict slot; the rates they give on validation."""

    values: dict[str, float]
    objective: float
    rates: dict[str, float]


def choose(data: Validation) -> Chosen:
    """The best of the grid that coordinate search finds."""
    table = _Table(data)
    names = [*table.groups, CAUTION, STOP]
    best = max((_climb(table, names, start) for start in STARTS), key=lambda found: (found[0], found[1]))
    values = dict(zip(names, best[1], strict=True))
    return Chosen(values, best[0], table.rates(values))


def _climb(table: "_Table", names: Sequence[str], start: float) -> tuple[float, tuple[float, ...]]:
    """From `start` everywhere, one threshold at a time, until none can be bettered."""
    at = [start] * len(names)
    best = table.objective(dict(zip(names, at, strict=True)))
    while True:
        before = best
        for place, value in itertools.product(range(len(names)), GRID):
            tried = [*at[:place], value, *at[place + 1 :]]
            score = table.objective(dict(zip(names, tried, strict=True)))
            if score > best + 1e-12:
                best, at = score, tried
        if best <= before:
            return best, tuple(at)


class _Table:
    """The verdicts for any thresholds, from the highest probability of each source and severity."""

    def __init__(self, data: Validation) -> None:
        self._data = data
        self.groups = data.groups()
        self._known = [i for i, truth in enumerate(data.verdict) if truth is not None]
        self._truth = [data.verdict[i] for i in self._known]
        self._highest = {name: self._split(columns) for name, columns in self.groups.items()}

    def _split(self, columns: Sequence[int]) -> tuple[Floats, Floats]:
        """(known records,) the highest S1 and the highest S2 probability; -1 where there is no such slot."""
        rows = self._data.probability[self._known]

        def highest(wanted: bool) -> Floats:
            chosen = [c for c in columns if self._data.severe[c] == wanted]
            return rows[:, chosen].max(axis=1) if chosen else np.full(len(rows), -1.0)

        return highest(False), highest(True)

    def verdicts(self, values: Mapping[str, float]) -> list[str]:
        """As `yochi_runtime.factors.verdict_of_risks` gives them, for all records at once."""
        stop = self._data.stop[self._known] >= values[STOP]
        caution = self._data.caution[self._known] >= values[CAUTION]
        for name, (slight, severe) in self._highest.items():
            stop = stop | (severe >= values[name])
            caution = caution | (slight >= values[name])
        return [JUDGED[2 if s else 1 if c else 0].value for s, c in zip(stop, caution, strict=True)]

    def rates(self, values: Mapping[str, float]) -> dict[str, float]:
        shown = {name: rate.value for name, rate in row(self._truth, self.verdicts(values)).items()}
        return {**shown, **{f"f1:{name}": f1 for name, f1 in self._f1(values)}}

    def _f1(self, values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
        for name, columns in self.groups.items():
            truth = self._data.truth[:, columns]
            said = (self._data.probability[:, columns] >= values[name]) & (truth >= 0)
            right = int((said & (truth == 1)).sum())
            total = int(said.sum()) + int((truth == 1).sum())
            yield name, 2 * right / total if total else 0.0

    def objective(self, values: Mapping[str, float]) -> float:
        rates = self.rates(values)
        f1 = [value for name, value in rates.items() if name.startswith("f1:")]
        red = max(0.0, PROCEED_RECALL - _or(rates["proceed_recall"], 1.0))
        known = _or(rates["stop_recall"], 0.0) - 2 * _or(rates["miss"], 0.0)
        return known + (sum(f1) / len(f1) if f1 else 0.0) / 2 - 10 * red


def _or(value: float, otherwise: float) -> float:
    """A rate of nothing is NaN and must not win."""
    return otherwise if np.isnan(value) else value
