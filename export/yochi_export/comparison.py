"""Two bundles on the same records: verdicts that flip, risks that drift, misses, and what they weigh.

`a` is what was, `b` what is to come. Each judges with its own calibration and thresholds, as a box would.
Intervals are drawn over picture groups and note templates (`yochi_bench.intervals`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from yochi_bench.intervals import Interval, paired_difference
from yochi_bench.scored import Scored, score
from yochi_bench.scores import weighted_ratio
from yochi_bench.verdicts import Rate, indicators, rate
from yochi_runtime.bundle import Bundle
from yochi_runtime.record import Record
from yochi_runtime.verdict import Verdict

from .answering import box_answers
from .drift import Drift, drifts_of, judged_slots

SEED, RESAMPLES = 0, 2_000
RATES = ("miss", "oversafety")


@dataclass(frozen=True)
class Side:
    """One bundle; `bytes` of all its files, without the base language model."""

    name: str
    sha256: str
    bytes: int
    rates: dict[str, Rate]  # by the names in RATES


@dataclass(frozen=True)
class Comparison:
    """`flips` by "a->b", each of all records; `alone` are slots that only one of the two judges."""

    a: Side
    b: Side
    records: int
    clusters: dict[str, int]
    flips: dict[str, Rate]
    flipped: Rate
    stops_lost: Rate  # to proceed, of the records whose truth is stop
    changes: dict[str, Interval]  # b - a of each of RATES
    drifts: tuple[Drift, ...]
    alone: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """`compare.json`."""
        return {
            **{name: _side(side) for name, side in (("a", self.a), ("b", self.b))},
            "records": self.records,
            "clusters": self.clusters,
            "flips": {way: found.as_json() for way, found in self.flips.items()},
            "flipped": self.flipped.as_json(),
            "stops_lost": self.stops_lost.as_json(),
            "changes": {name: change.as_json() for name, change in self.changes.items()},
            "drifts": [drift.as_json() for drift in self.drifts],
            "alone": list(self.alone),
        }


def compare_bundles(
    a: Bundle, b: Bundle, records: Sequence[Record], photos: Path, folder: Path, threads: int
) -> Comparison:
    """Ask both; their answers are kept in `folder`, so that a killed comparison goes on."""
    asked = hashlib.sha256("\n".join(record.id for record in records).encode()).hexdigest()[:8]

    def scored(bundle: Bundle) -> Scored:
        file = folder / f"{bundle.sha256[:16]}-{asked}.npz"
        return score(bundle, records, box_answers(bundle.path, records, photos, file, threads))

    return compare_scored(a, b, scored(a), scored(b))


def compare_scored(a: Bundle, b: Bundle, was: Scored, now: Scored) -> Comparison:
    """`was` and `now` are what `a` and `b` said of the same records."""
    draws = was.resamples(SEED, RESAMPLES)
    truth = [record.verdict for record in was.records]
    before, after = (indicators(truth, [str(v) for v in side.verdicts]) for side in (was, now))
    stop = np.array([t == "stop" for t in truth])
    lost = np.array([m is not n is Verdict.PROCEED for m, n in zip(was.verdicts, now.verdicts, strict=True)])
    every = np.ones(len(truth), dtype=bool)
    changed = np.array([m is not n for m, n in zip(was.verdicts, now.verdicts, strict=True)])
    judged = [judged_slots(side) for side in (was, now)]
    return Comparison(
        a=Side(_name(a), a.sha256, _bytes(a), {name: rate(before[name], draws) for name in RATES}),
        b=Side(_name(b), b.sha256, _bytes(b), {name: rate(after[name], draws) for name in RATES}),
        records=len(truth),
        clusters=draws.clusters,
        flips={way: rate((hits, every), draws) for way, hits in _ways(was, now)},
        flipped=rate((changed, every), draws),
        stops_lost=rate((lost & stop, stop), draws),
        changes={
            name: paired_difference(weighted_ratio(*after[name]), weighted_ratio(*before[name]), draws)
            for name in RATES
        },
        drifts=tuple(drifts_of(was, now, sorted(judged[0] & judged[1]), draws)),
        alone=tuple(sorted(judged[0] ^ judged[1])),
    )


def _ways(was: Scored, now: Scored) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Every flip that occurs, by "a->b", and which records it takes."""
    pairs = list(zip(was.verdicts, now.verdicts, strict=True))
    for way in sorted({(m, n) for m, n in pairs if m is not n}):
        yield "->".join(way), np.array([pair == way for pair in pairs])


def _name(bundle: Bundle) -> str:
    return f"{bundle.manifest.name} {bundle.manifest.version}"


def _bytes(bundle: Bundle) -> int:
    return sum(entry.bytes for entry in bundle.manifest.files.values())


def _side(side: Side) -> dict[str, Any]:
    return {**vars(side), "rates": {name: found.as_json() for name, found in side.rates.items()}}


def render(found: Comparison) -> str:
    """The comparison as text: sizes, flips, misses, drift; 95 % intervals in brackets."""
    drawn = ", ".join(f"{count} {factor}" for factor, count in found.clusters.items())
    lines = [f"{found.records} records; intervals: 95 %, bootstrap over {drawn}"]
    for letter, side in (("a", found.a), ("b", found.b)):
        lines.append(f"{letter}: {side.name}, manifest {side.sha256[:16]}, {side.bytes / 1e6:.2f} MB")
    ways = {**found.flips, "any flip": found.flipped, "stop lost to proceed": found.stops_lost}
    lines += [f"{way:<24}{_percent(one)}" for way, one in ways.items()]
    for name in RATES:
        lines.append(f"{name + ' of a':<24}{_percent(found.a.rates[name])}")
        lines.append(f"{name + ' of b':<24}{_percent(found.b.rates[name])}")
        lines.append(f"{name + ', b - a':<24}{_points(found.changes[name], 100.0, 2)} points")
    lines.append(f"{'drift of':<32}{'slots':>6}{'mean |b - a|':>28}{'b - a':>9}{'largest':>9}")
    lines += [
        f"{d.group:<32}{d.slots:>6}{_points(d.distance, 1.0, 4):>28}{d.shift:>9.4f}{d.largest:>9.3f}"
        for d in found.drifts
    ]
    if found.alone:
        lines.append(f"judged by one of the two alone: {', '.join(found.alone)}")
    return "\n".join(lines)


def _percent(found: Rate) -> str:
    if not found.of or found.interval is None:
        return "- (none to count)"
    return f"{_points(found.interval, 100.0, 2)} % ({found.hits} of {found.of})"


def _points(found: Interval, scale: float, digits: int) -> str:
    if np.isnan(found.point):
        return "- (none to count)"
    point, low, high = (f"{x * scale:.{digits}f}" for x in (found.point, found.low, found.high))
    return f"{point} [{low}, {high}]"
