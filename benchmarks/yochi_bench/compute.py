"""How much of a judgement's time the engines compute, and how much everything around them takes."""

from collections.abc import Mapping, Sequence

from .report import Column, Row, Table, measured
from .timed import IN_EVIDENCE, IN_JUDGE, WALL, Timings

COLUMNS = (
    Column(id="of judging", unit="1", better="higher"),
    Column(id="of the whole call", unit="1", better="higher"),
    Column(id="computed", unit="ms"),
    Column(id="other", unit="ms", better="lower"),
    Column(id="audit", unit="ms", better="lower"),
)
CAPTION = (
    "Of all judgements of a case together; ms: their mean. computed: while an engine worked on what it was "
    "asked (vision, look, note, words in the picture, the passes for evidence), by the clock of its own "
    "process, so without the wire and without waking up. of judging: what was computed from gates to "
    "verdict, through judge. of the whole call: all that was computed, through its time without audit; "
    "other is the rest of that time. A core that somebody else takes from an engine makes computing longer, "
    "so a share counts only where nothing else runs. audit: the row until it is durable, its fsync included."
)


def compute_table(cases: Mapping[str, Sequence[Timings]], missing: Mapping[str, str]) -> Table:
    """A row for each of `cases`, each with a judgement or more; `missing`: why others have none."""
    rows = [_row(case, timings) for case, timings in cases.items()]
    rows += [
        Row(id=case, cells={c.id: measured(None, why) for c in COLUMNS}) for case, why in missing.items()
    ]
    return Table(id="compute", title="Model compute", columns=COLUMNS, rows=tuple(rows), caption=CAPTION)


def _row(case: str, timings: Sequence[Timings]) -> Row:
    n = len(timings)

    def total(stage: str) -> float:
        return sum(one.get(stage, 0.0) for one in timings)

    audit, computed = total("audit"), total(IN_JUDGE) + total(IN_EVIDENCE)
    whole = total(WALL) - audit
    values = {
        "of judging": total(IN_JUDGE) / total("judge"),
        "of the whole call": computed / whole,
        "computed": computed / n,
        "other": (whole - computed) / n,
        "audit": audit / n,
    }
    return Row(id=case, cells={name: measured(value, n=n) for name, value in values.items()})
