"""The last judgements of a log over time: what was flagged, how long each stage took, what gates measured."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ..taxonomy import Frozen
from .chain import Broken, Row
from .search import newest_first, parsed

BUCKETS = 48  # points of a plot, at most
PER_BUCKET = 8  # judgements of one, on average at least


class Stage(Frozen):
    """Milliseconds."""

    stage: str
    count: int
    median: float
    p95: float
    largest: float


class GateRange(Frozen):
    """What a gate measured, from the least to the largest value, and how often it refused."""

    reason: str
    unit: str
    bound: str
    threshold: float
    least: float | None
    largest: float | None
    refused: int
    count: int


class Plot(Frozen):
    """Share of the judgements of each time slice, 0..1; None where there were none."""

    id: str
    count: int  # judgements that it is true of
    shares: tuple[float | None, ...]


class History(Frozen):
    """Of `judgements` in `slices` equal parts of the time from `since` to `until` (UTC, ISO 8601)."""

    judgements: int
    since: str | None
    until: str | None
    slices: tuple[int, ...]  # judgements in each
    verdicts: tuple[Plot, ...]
    factors: tuple[Plot, ...]  # the most frequent first
    reasons: tuple[Plot, ...]
    stages: tuple[Stage, ...]
    gates: tuple[GateRange, ...]


@dataclass(frozen=True)
class _Made:
    time: datetime
    held: dict[str, Any]


def make_history(path: Path, last: int) -> History:
    """Of the `last` rows of the log at `path`; Broken where one of them is wrong."""
    made = list(_judgements(islice(newest_first(path), last))) if path.exists() else []
    if not made:
        return History(
            judgements=0, since=None, until=None, slices=(), verdicts=(), factors=(), reasons=(), stages=(),
            gates=(),
        )  # fmt: skip
    since, until = min(each.time for each in made), max(each.time for each in made)
    parts = max(1, min(BUCKETS, len(made) // PER_BUCKET))
    places = [_slice(each.time, since, until, parts) for each in made]
    slices = Counter(places)

    def plots(names: Sequence[Sequence[str]]) -> tuple[Plot, ...]:
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for place, own in zip(places, names, strict=True):
            for name in own:
                counts[name][place] += 1
        found = (
            Plot(id=name, count=sum(own.values()), shares=tuple(_share(own, slices, parts)))
            for name, own in counts.items()
        )
        return tuple(sorted(found, key=lambda plot: (-plot.count, plot.id)))

    return History(
        judgements=len(made),
        since=_said(since),
        until=_said(until),
        slices=tuple(slices[i] for i in range(parts)),
        verdicts=plots([[each.held["verdict"]] for each in made]),
        factors=plots([[factor["slot"] for factor in each.held["factors"]] for each in made]),
        reasons=plots([each.held["reasons"] for each in made]),
        stages=tuple(_stages(made)),
        gates=tuple(_gates(made)),
    )


def _judgements(rows: Iterator[Row]) -> Iterator[_Made]:
    for row in rows:
        held = parsed(row)
        if "verdict" in held:
            try:
                yield _Made(datetime.fromisoformat(row.time), held)
            except ValueError as e:
                raise Broken(f"row {row.sequence} has no time that can be read") from e


def _slice(time: datetime, since: datetime, until: datetime, parts: int) -> int:
    span = until - since
    return 0 if span <= timedelta() else min(parts - 1, int((time - since) / span * parts))


def _share(own: Counter[int], slices: Counter[int], parts: int) -> Iterator[float | None]:
    for i in range(parts):
        yield own[i] / slices[i] if slices[i] else None


def _stages(made: Sequence[_Made]) -> Iterator[Stage]:
    times: dict[str, list[float]] = defaultdict(list)
    for each in made:
        for stage, ms in each.held["timings_ms"].items():
            times[stage].append(ms)
    for stage, found in times.items():
        found.sort()
        yield Stage(
            stage=stage,
            count=len(found),
            median=found[len(found) // 2],
            p95=found[min(len(found) - 1, int(0.95 * len(found)))],
            largest=found[-1],
        )


def _gates(made: Sequence[_Made]) -> Iterator[GateRange]:
    """By reason and limit, as the newest judgements have them."""
    found: dict[tuple[str, str, str, float], list[dict[str, Any]]] = defaultdict(list)
    for each in made:
        for gate in each.held["gates"]:
            found[gate["reason"], gate["unit"], gate["bound"], gate["threshold"]].append(gate)
    for (reason, unit, bound, threshold), own in found.items():
        values = [gate["value"] for gate in own if gate["value"] is not None]
        yield GateRange(
            reason=reason,
            unit=unit,
            bound=bound,
            threshold=threshold,
            least=min(values, default=None),
            largest=max(values, default=None),
            refused=sum(not gate["passed"] for gate in own),
            count=len(own),
        )


def _said(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
