"""Is the bundle the model that was trained? The box's answers against torch's, on the same decoded pixels.

Both sides go through the runtime's own calibration, thresholds and verdict functions, so a difference is one
of the engines: quantized weights and activations, float16, another order of sums.

Passed is what was shown: misses are not more than MISS_MARGIN worse on dangerous records (one-sided), and the
upper limit of the share of flips lies below its bar. What too few records leave open is `undecided`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from yochi_bench.answers import Answers
from yochi_bench.intervals import Resamples, linked, upper_limit
from yochi_bench.noninferiority import NonInferiority, non_inferiority
from yochi_bench.scored import Scored, score
from yochi_bench.verdicts import indicators
from yochi_runtime.bundle import Bundle
from yochi_runtime.record import Record
from yochi_runtime.verdict import highest

from .drift import Drift, drifts_of, judged_slots
from .layers import Layers

MIN_RECORDS = 500
MAX_MEAN_DIFFERENCE = 0.01  # of a calibrated slot probability, 0..1
MAX_FLIP_LIMIT = 0.02  # 95 % one-sided upper limit of the share of verdicts that differ
MAX_STOPS_LOST = 0  # verdicts that become `proceed` although the truth is `stop`
MISS_MARGIN = 0.01  # of the dangerous records; with none lost 299 of them show it
DANGEROUS = 0.62  # of the records compared: 310 of 500
SEED, RESAMPLES = 0, 2_000


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
    miss: NonInferiority
    drifts: tuple[Drift, ...]
    layers: Layers | None = None

    @property
    def status(self) -> Literal["passed", "failed", "undecided"]:
        """`undecided` where too few records were compared, too few of them dangerous, or no slot is judged.

        A layer that differs fails, however few verdicts it flips.
        """
        if self.layers is not None and not self.layers.passed:
            return "failed"
        sound = (
            self.mean_difference <= MAX_MEAN_DIFFERENCE
            and self.flip_limit <= MAX_FLIP_LIMIT
            and self.stops_lost <= MAX_STOPS_LOST
            and self.miss.status != "refuted"
        )
        if self.records < MIN_RECORDS or self.slots == 0:
            return "undecided"
        if sound and self.miss.status == "undecided":
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
            "miss_margin": MISS_MARGIN,
        }
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        numbers = {k: round(v, 6) if isinstance(v, float) else v for k, v in plain.items()}
        numbers |= {"miss": self.miss.as_json(), "drifts": [drift.as_json() for drift in self.drifts]}
        del numbers["layers"]
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
    draws = ours.resamples(SEED, RESAMPLES)
    return Parity(
        records=len(records),
        pictures=len({r.image for r in records}),
        templates=len(set(linked([r.templates for r in records]))),
        slots=int(judged.sum()),
        mean_difference=float(np.nanmean(seen)),  # of signs only where they were read
        max_difference=float(np.nanmax(seen)),
        worst_slot=ours.slots[worst].id if judged.any() else "none",
        flips=flips,
        flip_rate=flipped / len(records),
        flip_limit=upper_limit(flipped, len(records)),
        stops_lost=sum(
            record.verdict == "stop" and highest((was, now)) is not now
            for record, was, now in zip(records, theirs.verdicts, ours.verdicts, strict=True)
        ),
        miss=_misses(ours, theirs, draws),
        drifts=tuple(drifts_of(theirs, ours, sorted(judged_slots(ours)), draws)),
    )


def _misses(ours: Scored, theirs: Scored, draws: Resamples) -> NonInferiority:
    truth = [record.verdict for record in ours.records]
    (new, dangerous), (old, _) = (
        indicators(truth, [str(v) for v in side.verdicts])["miss"] for side in (ours, theirs)
    )
    return non_inferiority(old, new, dangerous, draws, MISS_MARGIN)


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


def to_compare(records: Sequence[Record], count: int) -> list[int]:
    """`count` rows, DANGEROUS of them with a truth of stop or caution, each kind spread evenly over its own.

    An even spread over all would need 600 records for as many dangerous ones, and misses are what kills.
    """
    if len(records) <= count:
        return list(range(len(records)))
    kinds: tuple[list[int], list[int]] = ([], [])
    for row, record in enumerate(records):
        kinds[record.verdict in ("stop", "caution")].append(row)
    others, dangerous = kinds
    of_dangerous = min(len(dangerous), max(round(DANGEROUS * count), count - len(others)))
    shares = ((dangerous, of_dangerous), (others, count - of_dangerous))
    return sorted(rows[place] for rows, many in shares for place in spread(len(rows), many))
