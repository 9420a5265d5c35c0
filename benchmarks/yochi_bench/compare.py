"""Two reports side by side, or why they cannot stand there.

A difference between two numbers means something only where everything else is the same. Kind, workload,
bundle and threads have to be; the machine may differ, since machines are what such reports are compared for,
and settings that differ are named. One of bundle and threads may be what is compared (`across`).
"""

from collections.abc import Iterator
from typing import Literal

from yochi_runtime.errors import UsageError

from .report import Column, Number, Report, Table
from .report_text import cell, shown_unit

Across = Literal["bundle", "threads"]


def refusals(a: Report, b: Report, across: Across | None = None) -> list[str]:
    """Every reason why they are not comparable; none where they are."""
    asked = {
        "kind": (a.kind, b.kind),
        "workload": (_short(a.workload.sha256), _short(b.workload.sha256)),
        "bundle": (_short(a.bundle.sha256), _short(b.bundle.sha256)),
        "threads": (str(a.threads), str(b.threads)),
    }
    return [
        f"{what}: {one} and {other}"
        for what, (one, other) in asked.items()
        if one != other and what != across
    ]


def _short(sha256: str) -> str:
    return sha256[:12]


def compare(a: Report, b: Report, across: Across | None = None) -> str:
    """Every number that both have, as text. UsageError where they are not comparable."""
    found = refusals(a, b, across)
    if found:
        raise UsageError(
            f"expected two reports of the same kind, workload, bundle and threads, got {'; '.join(found)}; "
            "measure again under the same conditions"
        )
    lines = [*_differences(a, b)]
    shared = {table.id for table in b.tables}
    for table in a.tables:
        if table.id in shared:
            lines += ["", table.title, *_table_lines(table, b.table(table.id))]
    return "\n".join(lines)


def _differences(a: Report, b: Report) -> Iterator[str]:
    """What is not the same though it may differ."""
    for name, report in (("A", a), ("B", b)):
        machine = report.machine
        yield (
            f"{name}: {report.date:%Y-%m-%d %H:%M}, {machine.cpu or machine.architecture}, "
            f"{machine.cores} cores, bundle {report.bundle.name} {report.bundle.version}"
        )
    if a.machine.sha256 != b.machine.sha256:
        yield "The machines differ."
    for name in sorted({*a.settings, *b.settings}):
        one, other = a.settings.get(name), b.settings.get(name)
        if one != other:
            yield f"Setting {name}: {one} and {other}."


def _table_lines(a: Table, b: Table) -> Iterator[str]:
    theirs = {row.id: row for row in b.rows}
    for row in a.rows:
        for column in a.columns:
            one = row.cells.get(column.id)
            other = theirs[row.id].cells.get(column.id) if row.id in theirs else None
            if one is not None and other is not None:
                label = f"{row.id} {column.id}"
                yield f"  {label:44}{cell(one, column.unit):>28}{cell(other, column.unit):>28}  " + change(
                    one, other, column
                )


def change(a: Number, b: Number, column: Column) -> str:
    """From A to B: a factor, or a difference of shares; better or worse only where the limits are apart.

    Limits that overlap do not prove that there is no difference, so nothing is said of them but that.
    """
    if a.value is None or b.value is None:
        return "not measured in both"
    shift = b.value - a.value
    if column.unit == "1":
        words = f"{shift:+.3f}"
    elif a.value:
        words = f"x {b.value / a.value:.2f}"
    else:
        words = f"{shift:+g} {shown_unit(column.unit)}"
    if column.better is None or shift == 0:
        return words
    if None not in (a.low, a.high, b.low, b.high):
        apart = (a.high or 0.0) < (b.low or 0.0) or (b.high or 0.0) < (a.low or 0.0)
        if not apart:
            return f"{words}, limits overlap"
    return f"{words}, {'better' if (shift < 0) is (column.better == 'lower') else 'worse'}"
