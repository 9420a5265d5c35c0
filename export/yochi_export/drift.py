"""How far two judges' probabilities lie apart on the same records: by source, by category, of all slots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
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
    for group in sorted(groups, key=lambda name: (kinds.index(name.split()[0]), name)):
        yield _drift(group, was, now, groups[group], draws)


def _drift(group: str, was: Scored, now: Scored, slots: Sequence[str], draws: Resamples) -> Drift:
    moved = (
        now.probability[:, [now.column(s) for s in slots]]
        - was.probability[:, [was.column(s) for s in slots]]
    )
    each = np.abs(moved).mean(axis=1)  # (N,)
    distance = bootstrap(weighted_ratio(each, np.ones(len(each))), draws)
    return Drift(group, len(slots), distance, float(moved.mean()), float(np.abs(moved).max()))
