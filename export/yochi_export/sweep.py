"""`yochi-export sweep`: every rung of a run as a bundle, and one table of what each costs and loses.

    <rung>/bundle                   as `all` makes it, each with thresholds of its own
    costs.json                      time and memory of each, in a process of its own, by turns
    report.json ... of the bench    `sweep/`: the table, the plot, and which rung is recommended and why

In the same folder as `all`: what either has done the other does not do again. yochi-nano's language half has
one rung, so its ladder is that of the vision half.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from pydantic import TypeAdapter, ValidationError
from yochi_bench.percentiles import percentile
from yochi_bench.report import Column, Number, Plot, Row, Series, Table, measured
from yochi_bench.verdicts import Rate
from yochi_bench.verdicts import row as rates_of
from yochi_runtime.bundle import Bundle
from yochi_runtime.record import Record
from yochi_train.progress import Progress

from .order import Order, Say
from .parity import MAX_FLIP_LIMIT, RESAMPLES, SEED, Parity
from .rung_cost import WARM_UP, RungCost, measure_cost, together
from .rungs import NANO_LANGUAGE, VisionRung
from .stages import Proved, begin, proved
from .targets import Choice, Target

TIMED, TURNS = 24, 3  # judgements of a rung that count, in so many turns; 11 carry a p50
ALIKE = 0.05  # of a time: less is no difference on a machine that does other things, too
COSTS = "costs.json"


_COSTS = TypeAdapter(dict[VisionRung, RungCost])


@dataclass(frozen=True)
class Swept:
    """One rung. `graph` in bytes; `miss` and `oversafety` of the compared records."""

    rung: VisionRung
    bundle: Bundle
    graph: int
    cost: RungCost
    parity: Parity
    miss: Rate
    oversafety: Rate

    @property
    def p50(self) -> Number:
        return percentile(self.cost.ms, 0.5)


@dataclass(frozen=True)
class Sweep:
    """`recommended` is None where no rung is proved and fits; `why` in one line either way."""

    rungs: tuple[Swept, ...]
    recommended: Swept | None
    why: str
    choice: Choice

    @property
    def shown(self) -> Bundle:
        """The bundle that the report is of."""
        return (self.recommended or self.rungs[0]).bundle

    def table(self) -> Table:
        return Table(
            id="ladder",
            title="The rungs of the vision half",
            columns=COLUMNS,
            rows=tuple(Row(id=self._name(one), cells=_cells(one)) for one in self.rungs),
            caption=(
                f"Language half: {NANO_LANGUAGE}, the only rung. Flips: verdicts that differ from torch's, "
                "with their exact 95 % upper limit. Factor error: mean difference of a slot's probability. "
                "More misses: than torch, of the dangerous records, with their one-sided 95 % upper limit. "
                "Miss and oversafety with 95 % intervals over pictures and templates. Size: of the bundle, "
                "without the base language model. Latency: p50 of a new frame; it and memory are "
                f"of both engines, without camera and page. {self.why}"
            ),
        )

    def plot(self) -> Plot:
        points = [
            Series(
                name=self._name(one),
                x=(one.graph / 1e6,),
                y=(100 * one.parity.flip_limit,),
                marks=True,
            )
            for one in self.rungs
        ]
        most = max(one.graph for one in self.rungs) / 1e6
        bar = Series(name="bar", x=(0.0, most), y=(100 * MAX_FLIP_LIMIT,) * 2)
        return Plot(
            title="Size against flips",
            x="vision graph, MB",
            y="upper limit of flips, %",
            series=(*points, bar),
            caption="Left and below is better; above the bar nothing is proved.",
        )

    def notes(self) -> tuple[str, ...]:
        return (*(f"{one.rung}: {verdict_of(one.parity)}" for one in self.rungs), self.choice.why)

    def _name(self, one: Swept) -> str:
        return f"{one.rung} (recommended)" if one is self.recommended else str(one.rung)


COLUMNS = (
    Column(id="graph", unit="bytes", better="lower"),
    Column(id="size", unit="bytes", better="lower"),
    Column(id="peak memory", unit="bytes", better="lower"),
    Column(id="latency", unit="ms", better="lower"),
    Column(id="flips", unit="1", better="lower"),
    Column(id="factor error", unit="probability", better="lower"),
    Column(id="more misses", unit="1", better="lower"),
    Column(id="miss", unit="1", better="lower"),
    Column(id="oversafety", unit="1", better="lower"),
)


def _cells(one: Swept) -> dict[str, Number]:
    parity = one.parity
    return {
        "graph": measured(one.graph),
        "size": measured(sum(entry.bytes for entry in one.bundle.manifest.files.values())),
        "peak memory": one.cost.peak,
        "latency": one.p50,
        "flips": Number(value=parity.flip_rate, high=parity.flip_limit, n=parity.records),
        "factor error": Number(value=parity.mean_difference, n=parity.records),
        "more misses": Number(
            value=(parity.miss.lost - parity.miss.won) / parity.miss.of,
            high=parity.miss.limit,
            n=parity.miss.of,
        )
        if parity.miss.of
        else measured(None, "expected dangerous records, got none"),
        "miss": _rate(one.miss),
        "oversafety": _rate(one.oversafety),
    }


def _rate(found: Rate) -> Number:
    if not found.of or found.interval is None:
        return measured(None, "expected records to count, got none")
    limits = {"low": found.interval.low, "high": found.interval.high}
    return Number(value=found.value, n=found.of, **{k: None if np.isnan(v) else v for k, v in limits.items()})


def sweep(order: Order, say: Say) -> Sweep:
    """Every rung, and which one the target should run."""
    report, choice, torch = begin(order, say)
    progress = Progress("rungs", len(VisionRung))
    made = []
    for rung in VisionRung:
        made.append(proved(order, rung, torch, report, say))
        progress.step(note=rung)
    costs = _costs(order, made, say)
    rungs = [_swept(found, costs[found.rung]) for found in made]
    best, why = recommend(rungs, choice)
    return Sweep(tuple(rungs), best, why, choice)


def _swept(found: Proved, cost: RungCost) -> Swept:
    records = found.judged.records
    truth, words = [r.verdict for r in records], [str(v) for v in found.judged.verdicts]
    rates = rates_of(truth, words, found.judged.resamples(SEED, RESAMPLES))
    return Swept(
        rung=found.rung,
        bundle=found.bundle,
        graph=found.parts.vision.stat().st_size,
        cost=cost,
        parity=found.parity,
        miss=rates["miss"],
        oversafety=rates["oversafety"],
    )


def _costs(order: Order, made: Sequence[Proved], say: Say) -> dict[VisionRung, RungCost]:
    """By turns, so that what else the machine does meets all of them; from its file where one is there."""
    file = order.out / COSTS
    if file.exists():
        try:
            return _COSTS.validate_json(file.read_bytes())
        except ValidationError:
            file.unlink()  # half-written by a killed sweep
    say("time and memory, by turns")
    turns: dict[VisionRung, list[RungCost]] = {found.rung: [] for found in made}
    each, progress = TIMED // TURNS, Progress("time and memory", TURNS * len(made))
    for turn in range(TURNS):
        for found in made:
            pictures = cycle(_pictures(found.judged.records))  # a small record set has fewer
            records = list(islice(pictures, turn * each, (turn + 1) * each + WARM_UP))
            turns[found.rung].append(measure_cost(found.bundle.path, records, order.photos, order.threads))
            progress.step(note=found.rung)
    costs = {rung: together(of) for rung, of in turns.items()}
    file.write_bytes(_COSTS.dump_json(costs))
    return costs


def _pictures(records: Sequence[Record]) -> list[Record]:
    """The first record of each picture."""
    return list({record.image: record for record in reversed(records)}.values())[::-1]


def recommend(rungs: Sequence[Swept], choice: Choice) -> tuple[Swept | None, str]:
    """Of the proved ones that fit, the fastest; of those as fast, the smallest. Nothing else is recommended.

    For a GPU only what it gains from: times were taken on a processor.
    """
    passed = [one for one in rungs if one.parity.passed]
    fitting = [one for one in passed if (one.cost.peak.value or 0.0) <= choice.budget]
    on_gpu = choice.target is Target.CUDA
    left = [one for one in fitting if one.rung in choice.vision] if on_gpu else fitting
    if not left:
        return None, f"None is recommended: {len(passed)} of {len(rungs)} rungs are proved, {len(left)} fit."
    times = {one.rung: one.p50.value if one.p50.value is not None else np.inf for one in left}
    least = min(times.values())
    alike = [one for one in left if times[one.rung] <= least * (1 + ALIKE)]
    best = min(alike, key=lambda one: one.graph)
    others = ", ".join(one.rung for one in rungs if not one.parity.passed) or "none"
    return best, (
        f"Recommended for {choice.target}: {best.rung}, the smallest of the {len(alike)} that are proved "
        f"and as fast as the fastest within {ALIKE:.0%} ({least:.0f} ms); not proved: {others}."
    )


def verdict_of(parity: Parity) -> str:
    """The proof's status and what keeps it from passing."""
    return f"{parity.status}{''.join(f'; {why}' for why in _reasons(parity))}"


def _reasons(parity: Parity) -> Iterator[str]:
    if parity.layers is not None and not parity.layers.passed:
        yield f"differs at {parity.layers.address}"
    if parity.flip_limit > MAX_FLIP_LIMIT:
        yield f"flips up to {parity.flip_limit:.1%}"
    if parity.stops_lost:
        yield f"{parity.stops_lost} stops lost"
    if parity.miss.status != "shown":
        yield f"misses {parity.miss.status}: {parity.miss.lost} lost of {parity.miss.of}"
