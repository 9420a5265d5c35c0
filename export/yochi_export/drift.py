"""How far two judges' probabilities lie apart on the same records: by source, by category, of all slots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_bench.intervals import Interval, Resamples, bootstrap
from yochi_bench.scored import Scored
from yochi_bench.scores import weighted_ratio


@dataclass(frozen=True)
class Drift:
    """How far a group of slots moved: the mean of |b - a| of their probabilities, of b - a, the largest."""

    group: str
    slots: int
    distance: Interval
    shift: float
    largest: float

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "distance": self.distance.as_json()}


def judged_slots(scored: Scored) -> set[str]:
    """Ids of the slots that have a probability."""
    columns = zip(scored.slots, scored.probability.T, strict=True)
    return {slot.id for slot, of_records in columns if not np.isnan(of_records).all()}


def drifts_of(was: Scored, now: Scored, shared: Sequence[str], draws: Resamples) -> Iterator[Drift]:
    """All slots that both judge; then each source, each category, and cues that belong to none."""
    groups: dict[str, list[str]] = {}
    for slot in (was.slots[was.column(name)] for name in shared):
        for group in ("all", f"source {slot.source}", f"category {slot.category or 'none (cues)'}"):
            groups.setdefault(group, []).append(slot.id)
    kinds = ("all", "source", "category")
    names = sorted(groups, key=lambda name: (kinds.index(name.split()[0]), name))
    for name in names:
        moved = _moved(was, now, groups[name])
        each, answers = np.nansum(np.abs(moved), axis=1), (~np.isnan(moved)).sum(axis=1)  # signs: where read
        distance = bootstrap(weighted_ratio(each, answers.astype(np.float64)), draws)
        yield Drift(name, moved.shape[1], distance, float(np.nanmean(moved)), float(np.nanmax(np.abs(moved))))


def _moved(was: Scored, now: Scored, slots: Sequence[str]) -> NDArray[np.float64]:
    """(N, k) how much higher `now` has these slots; NaN where nobody read."""
    before = was.probability[:, [was.column(s) for s in slots]]
    after = now.probability[:, [now.column(s) for s in slots]]
    return np.asarray(after - before)
