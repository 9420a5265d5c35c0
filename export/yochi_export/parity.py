"""Is the bundle the model that was trained? The box's answers against torch's, on the same decoded pixels.

Both sides go through the runtime's own calibration, thresholds and verdict functions, so a difference is one
of the engines: quantized weights and activations, float16, another order of sums.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from yochi_bench.answers import Answers
from yochi_bench.intervals import linked, upper_limit
from yochi_bench.scored import Scored, score
from yochi_runtime.bundle import Bundle
from yochi_runtime.record import Record
from yochi_runtime.verdict import highest

from .layers import Layers

MIN_RECORDS = 500
MAX_MEAN_DIFFERENCE = 0.01  # of a calibrated slot probability, 0..1
MAX_FLIP_LIMIT = 0.02  # 95 % one-sided upper limit of the share of verdicts that differ
MAX_STOPS_LOST = 0  # verdicts that become `proceed` although the truth is `stop`


@dataclass(frozen=True)
class Parity:
    """Torch is the reference. `flips` counts verdicts by "torch->box". `layers` where they were asked."""

    records: int
    pictures: int
    templates: int
    slots: int
    mean_difference: float
    max_difference: float
    worst_slot: str
    flips: dict[str, int]
    flip_rate: float
    flip_limit: float
    stops_lost: int
    layers: Layers | None = None

    @property
    def status(self) -> Literal["passed", "failed", "undecided"]:
        """`undecided` where too few records were compared, or no slot is judged, to say `passed`.

        A layer that differs fails, however few verdicts it flips.
        """
        if self.layers is not None and not self.layers.passed:
            return "failed"
        sound = (
            self.mean_difference <= MAX_MEAN_DIFFERENCE
            and self.flip_limit <= MAX_FLIP_LIMIT
            and self.stops_lost <= MAX_STOPS_LOST
        )
        if self.records < MIN_RECORDS or self.slots == 0:
            return "undecided"
        return "passed" if sound else "failed"

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    def as_json(self) -> dict[str, Any]:
        """`parity.json`: the numbers, the bars, and what follows from them. No timings, no dates."""
        bars = {
            "min_records": MIN_RECORDS,
            "max_mean_difference": MAX_MEAN_DIFFERENCE,
            "max_flip_limit": MAX_FLIP_LIMIT,
            "max_stops_lost": MAX_STOPS_LOST,
        }
        numbers = {
            k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items() if k != "layers"
        }
        layers = {} if self.layers is None else {"layers": self.layers.as_json()}
        return {**numbers, "bars": bars, "status": self.status, "passed": self.passed} | layers


def compare(bundle: Bundle, records: Sequence[Record], box: Answers, reference: Answers) -> Parity:
    """`box` against `reference` on `records`, with the calibration of `bundle`, over every judged slot."""
    if not records:
        raise ValueError("expected at least one record to compare, got none")
    ours, theirs = score(bundle, records, box), score(bundle, records, reference)
    difference = np.abs(ours.probability - theirs.probability)  # (N, S), NaN where a slot is not judged
    judged = ~np.isnan(difference).all(axis=0)
    seen = difference[:, judged] if judged.any() else np.zeros((len(records), 1))  # nothing judged: undecided
    worst = int(np.argmax(np.where(judged, np.nan_to_num(difference).max(axis=0), -1.0)))
    flips = _flips(ours, theirs)
    flipped = sum(flips.values())
    return Parity(
        records=len(records),
        pictures=len({r.image for r in records}),
        templates=len(set(linked([r.templates for r in records]))),
        slots=int(judged.sum()),
        mean_difference=float(seen.mean()),
        max_difference=float(seen.max()),
        worst_slot=ours.slots[worst].id if judged.any() else "none",
        flips=flips,
        flip_rate=flipped / len(records),
        flip_limit=upper_limit(flipped, len(records)),
        stops_lost=sum(
            record.verdict == "stop" and highest((was, now)) is not now
            for record, was, now in zip(records, theirs.verdicts, ours.verdicts, strict=True)
        ),
    )


def unlike(layers: Layers) -> dict[str, Any]:
    """`parity.json` where a layer differs, so that no judgements were compared."""
    return {"records": 0, "layers": layers.as_json(), "status": "failed", "passed": False}


def layers_alone(layers: Layers) -> dict[str, Any]:
    """`parity.json` of what no engine of the box judges with yet: stages that agree prove no judgement."""
    status = "undecided" if layers.passed else "failed"
    return {"records": 0, "layers": layers.as_json(), "status": status, "passed": False}


def _flips(ours: Scored, theirs: Scored) -> dict[str, int]:
    pairs = zip(theirs.verdicts, ours.verdicts, strict=True)
    counts = Counter(f"{was}->{now}" for was, now in pairs if was is not now)
    return dict(sorted(counts.items()))


def spread(total: int, count: int) -> list[int]:
    """`count` rows evenly over `total`, so that all kinds take part; all where there are fewer."""
    return [i * total // count for i in range(count)] if total > count else list(range(total))
