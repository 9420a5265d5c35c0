"""How far two judges' probabilities lie apart on the same records: by source, by category, of all slots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_bench.intervals import Interval, Resamples, bootstrap_means
from yochi_bench.scored import Scored


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
    moved = [_moved(was, now, groups[name]) for name in names]
    if not moved:
        return
    distances = bootstrap_means(np.stack([np.abs(m).mean(axis=1) for m in moved], axis=1), draws)
    for name, m, distance in zip(names, moved, distances, strict=True):
        yield Drift(name, m.shape[1], distance, float(m.mean()), float(np.abs(m).max()))


def _moved(was: Scored, now: Scored, slots: Sequence[str]) -> NDArray[np.float64]:
    """(N, k) how much higher `now` has these slots."""
    before = was.probability[:, [was.column(s) for s in slots]]
    after = now.probability[:, [now.column(s) for s in slots]]
    return np.asarray(after - before)
