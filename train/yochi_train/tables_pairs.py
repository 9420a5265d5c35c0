"""Verdict and combination tables."""

from collections.abc import Mapping

from yochi_bench.intervals import bootstrap
from yochi_bench.scored import Scored
from yochi_bench.scores import weighted_auroc
from yochi_bench.verdicts import MODEL, RATES, Rate
from yochi_bench.verdicts import table as verdict_rows
from yochi_runtime.taxonomy import Source

from .tables import Section, Table, at_least, at_most, clusters, interval, number

RUNS = {
    "combinations": "crossed pairs, full",
    "image-blind": "crossed pairs, image-blind (every picture gray)",
    "note-blind": "crossed pairs, note-blind (every note the same)",
    "quadruples": "quadruples, full (one dangerous of four)",
}


def verdict_table(scored: Scored, seed: int, count: int) -> Section:
    """Design section 4's rates with the constant judges beside."""
    rows = verdict_rows(
        [r.verdict for r in scored.records], [v.value for v in scored.verdicts], scored.resamples(seed, count)
    )
    model = rows[MODEL]
    table = Table("Verdicts", ["judge", *RATES])
    for name, rates in rows.items():
        table.rows.append([name.replace("_", " "), *(rate_words(rates[of]) for of in RATES)])
    drawn = model["miss"].interval
    table.caption = f"{len(scored.records)} records; drawn over {clusters(drawn)}." if drawn else ""
    bars = [
        at_least("safe judged proceed", model["proceed_recall"].value, 0.90),
        at_least("stop judged stop", model["stop_recall"].value, 0.85),
        at_most("miss", model["miss"].value, 0.05),
        at_most("cannot_judge on valid input", model["cannot_judge"].value, 0.02),
    ]
    return table, bars


def rate_words(rate: Rate) -> str:
    shown = f"{number(rate.value)} ({rate.hits}/{rate.of})"
    return f"{shown} [{number(rate.interval.low)}, {number(rate.interval.high)}]" if rate.interval else shown


def combination_table(scored: Mapping[str, Scored], seed: int, count: int) -> Section:
    """AUROC of "some combination holds". In crossed pairs a picture or a note alone tells nothing."""
    table = Table("Combinations", ["run", "records", "dangerous", "AUROC"])
    points = {}
    for name, words in RUNS.items():
        part = scored[name]
        columns = part.columns(Source.COMBINATION)
        truth = (part.truth[:, columns] == 1).any(axis=1)
        area = bootstrap(weighted_auroc(part.highest(columns), truth), part.resamples(seed, count))
        points[name] = area.point
        table.rows.append([words, str(len(truth)), str(int(truth.sum())), interval(area)])
        table.caption = f"Drawn over {clusters(area)}."
    bars = [
        at_least("combination AUROC, crossed pairs", points["combinations"], 0.85),
        at_least("combination AUROC, quadruples", points["quadruples"], 0.85),
        at_most("combination AUROC, image-blind", points["image-blind"], 0.60),
        at_most("combination AUROC, note-blind", points["note-blind"], 0.60),
    ]
    return table, bars
