"""How far each stage is from what this machine could do, and what bounds it: computing, or moving bytes.

Williams, Waterman and Patterson, "Roofline", CACM 52(4) (2009) 65-76.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yochi_runtime.base import find_base
from yochi_runtime.bundle import LORA, VISION, Bundle, Kind
from yochi_runtime.errors import UsageError
from yochi_runtime.opening import prompt_of

from .ceiling import Ceiling, best_of
from .operations import LanguageModel, Work, stage_work, vision_work
from .percentiles import percentile
from .report import Column, Number, Plot, Row, Series, Table, measured
from .timed import Timings
from .workload import Asked

COLUMNS = (
    Column(id="operations", unit="operations"),
    Column(id="moved", unit="bytes"),
    Column(id="p50", unit="ms", better="lower"),
    Column(id="rate", unit="G operations/s", better="higher"),
    Column(id="intensity", unit="operations/byte"),
    Column(id="limit", unit="G operations/s"),
    Column(id="attained", unit="1", better="higher"),
)
GIGA = 1e9


@dataclass(frozen=True)
class Found:
    """For a report."""

    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    notes: tuple[str, ...]

    def parts(self) -> tuple[tuple[Table, ...], tuple[Plot, ...], tuple[str, ...]]:
        return self.tables, self.plots, self.notes


def work_of(bundle: Bundle, asked: Asked) -> dict[str, Work]:
    """Of a new frame, by stage; over the mean of the notes."""
    if bundle.manifest.kind is not Kind.NANO:
        raise UsageError("expected a bundle of yochi-nano, whose graphs are counted, got a stock model")
    prompt = prompt_of(bundle)
    model = LanguageModel.of(find_base(bundle.manifest.base), bundle.path / LORA)
    each = [stage_work(model, prompt, prompt.note(note.text)) for note in asked.notes]
    language = {stage: _mean([one[stage] for one in each]) for stage in each[0]}
    return {"vision": vision_work(bundle.path / VISION), **language}


def _mean(works: Sequence[Work]) -> Work:
    n = len(works)
    return Work(sum(w.operations for w in works) / n, sum(w.bytes for w in works) / n)


def roofline(work: Mapping[str, Work], timings: Sequence[Timings], limits: Sequence[Ceiling]) -> Found:
    """`timings` of new frames, by stage; `limits` meanwhile. A p50 that so few do not carry is null there."""
    rows, points, bounds, ceiling = [], [], [], best_of(limits)
    for stage, own in work.items():
        taken = percentile([one[stage] for one in timings if stage in one], 0.5)
        intensity = own.operations / own.bytes
        limit = ceiling.of(intensity)
        rate = None if taken.value is None else own.operations / (taken.value / 1e3)
        cells = {
            "operations": measured(own.operations),
            "moved": measured(own.bytes),
            "p50": taken,
            "rate": measured(rate and rate / GIGA, taken.reason),
            "intensity": measured(intensity),
            "limit": measured(limit / GIGA),
            "attained": measured(rate and rate / limit, taken.reason),
        }
        rows.append(Row(id=stage, cells=cells))
        if rate:
            points.append(Series(name=stage, x=(intensity,), y=(rate / GIGA,), marks=True))
        bounds.append(f"{stage} by {'computing' if limit == ceiling.operations else 'moving bytes'}")
    table = Table(
        id="roofline",
        title="Roofline of a new frame",
        columns=COLUMNS,
        rows=tuple(rows),
        caption="p50 with its early-stopping estimate. Operations and bytes are counted from the files.",
    )
    return Found(
        (table, _machine_table(limits)), (_plot(work, ceiling, points),), (f"Bound: {', '.join(bounds)}.",)
    )


def _machine_table(limits: Sequence[Ceiling]) -> Table:
    operations, copied = [one.operations for one in limits], [one.bytes for one in limits]
    return Table(
        id="ceiling",
        title="The machine's limits",
        columns=(
            Column(id="G operations/s", unit="G operations/s", better="higher"),
            Column(id="GB/s", unit="GB/s", better="higher"),
        ),
        rows=(
            Row(id="float32 product", cells={"G operations/s": _best(operations)}),
            Row(id="copy in memory", cells={"GB/s": _best(copied)}),
        ),
        caption="The best of several tries, on the engines' number of threads, before, between and after "
        "what was timed; in brackets the lowest and the highest of these, and the highest is the limit. "
        "Units that multiply smaller numbers (int8, bfloat16) can be faster than float32; what fits into a "
        "cache moves faster.",
    )


def _best(rates: Sequence[float]) -> Number:
    low, high = min(rates) / GIGA, max(rates) / GIGA
    return Number(value=high, low=low, high=high, n=len(rates))


def _plot(work: Mapping[str, Work], ceiling: Ceiling, points: Sequence[Series]) -> Plot:
    ridge = ceiling.operations / ceiling.bytes
    intensities = [own.operations / own.bytes for own in work.values()]
    x = (min(*intensities, ridge) / 4, ridge, max(*intensities, ridge) * 4)
    roof = Series(name="limit", x=x, y=tuple(ceiling.of(one) / GIGA for one in x))
    return Plot(title="Roofline", x="operations a byte", y="G operations/s", series=(roof, *points), log=True)
