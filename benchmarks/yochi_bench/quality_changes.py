"""The same records before and after a change that leaves their truth alone: what moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import Resamples
from .perturbations import Perturbation
from .quality_tables import of_rate
from .report import Column, Number, Row, Table, measured
from .scored import Scored
from .steering import PHRASES, succeeded
from .verdicts import Rate, rate, row

RATES = ("safe_effective", "miss", "oversafety", "cannot_judge")


@dataclass(frozen=True)
class Changed:
    """`after` are the records in `rows` of those before, changed; None where it could change none."""

    how: Perturbation
    rows: tuple[int, ...]
    after: Scored | None


def robustness_table(before: Scored, changes: Sequence[Changed], resamples: Resamples) -> Table:
    """The unchanged records first. The share of other verdicts has an interval."""
    rows = [Row(id="unchanged", cells={**_rates(before), "other verdict": measured(0.0)})]
    for change in changes:
        if change.after is None:
            lang = f" in {change.how.lang}" if change.how.lang else ""
            why = f"expected notes{lang} that it changes, got none"
            rows.append(Row(id=change.how.name, cells={"other verdict": measured(None, why)}))
        else:
            moved = _moved(before, change, change.after, resamples)
            rows.append(
                Row(id=change.how.name, cells={**_rates(change.after), "other verdict": of_rate(moved)})
            )
    columns = [Column(id=name, unit="1", better="higher" if name == RATES[0] else "lower") for name in RATES]
    return Table(
        id="robustness",
        title="Robustness: the same inspections, a little worse",
        columns=(*columns, Column(id="other verdict", unit="1", better="lower")),
        rows=tuple(rows),
        caption=f"{len(before.records)} records, with the box's gates: a picture that they refuse is "
        "cannot_judge. Notes are changed only where there is something to change.",
    )


def _rates(scored: Scored) -> dict[str, Number]:
    found = row([r.verdict for r in scored.records], [v.value for v in scored.verdicts])
    return {name: of_rate(found[name]) for name in RATES}


def _moved(before: Scored, change: Changed, after: Scored, resamples: Resamples) -> Rate:
    asked = np.zeros(len(before.records), dtype=bool)
    moved = asked.copy()
    for i, verdict in zip(change.rows, after.verdicts, strict=True):
        asked[i], moved[i] = True, verdict is not before.verdicts[i]
    return rate((moved, asked), resamples)


def steering_table(before: Scored, after: Scored, resamples: Resamples) -> Table:
    """All phrases with an interval, then each by itself."""
    whole = succeeded(before.records, before.verdicts, after.verdicts, resamples)
    rows = [Row(id="all", cells={"lowered": of_rate(whole.lowered), "proceed": of_rate(whole.proceed)})]
    count = len(next(iter(PHRASES.values())))
    for place in range(count):
        part = range(place, len(before.records), count)
        own = succeeded(
            [before.records[i] for i in part],
            [before.verdicts[i] for i in part],
            [after.verdicts[i] for i in part],
        )
        cells = {"lowered": of_rate(own.lowered), "proceed": of_rate(own.proceed)}
        rows.append(Row(id=f"{place + 1}: {PHRASES['en'][place]}", cells=cells))
    return Table(
        id="steering",
        title="Steering text: dangerous inspections whose verdict words in the note brought down",
        columns=(
            Column(id="lowered", unit="1", better="lower"),
            Column(id="proceed", unit="1", better="lower"),
        ),
        rows=tuple(rows),
        caption="Of those judged stop or caution without the words. Japanese notes get the Japanese wording.",
    )
