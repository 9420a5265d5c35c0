"""A report's tables as text: numbers with their limits in brackets, `-` and the reason below for nulls."""

from collections.abc import Iterator

from .report import Number, Report, Table

_SCALED = {"bytes": (1e6, "MB"), "operations": (1e9, "G operations")}


def render(report: Report) -> str:
    """Every table, then what has to be known to read them."""
    blocks = ["\n".join(table_lines(table)) for table in report.tables]
    return "\n\n".join([*blocks, *report.notes])


def table_lines(table: Table) -> list[str]:
    """Title, heads, a line a row, the caption and the reasons of what was not measured."""
    heads = ["", *(f"{column.id} [{shown_unit(column.unit)}]" for column in table.columns)]
    heads = [head.replace(" [1]", "") for head in heads]
    body = [
        [row.id, *(cell(row.cells.get(column.id), column.unit) for column in table.columns)]
        for row in table.rows
    ]
    widths = [max(len(line[i]) for line in (heads, *body)) for i in range(len(heads))]
    lines = [table.title]
    for first, *rest in (heads, *body):
        words = [first.ljust(widths[0]), *(word.rjust(w) for word, w in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(words).rstrip())
    return [*lines, *([table.caption] if table.caption else []), *_reasons(table)]


def shown_unit(unit: str) -> str:
    """As it stands above a column."""
    return _SCALED[unit][1] if unit in _SCALED else unit


def cell(number: Number | None, unit: str) -> str:
    """`12.3 [11.9, 13.0]`, `-` for what was not measured, nothing for what says nothing."""
    if number is None:
        return ""
    if number.value is None:
        return "-"
    limits = [_digits(limit, unit) for limit in (number.low, number.high) if limit is not None]
    shown = _digits(number.value, unit)
    if len(limits) == 2:
        return f"{shown} [{limits[0]}, {limits[1]}]"
    return f"{shown} (< {limits[0]})" if number.high is not None else shown


def _digits(value: float, unit: str) -> str:
    scaled = value / _SCALED[unit][0] if unit in _SCALED else value
    if unit == "count":
        return f"{scaled:.0f}"
    if unit == "1":
        return f"{scaled:.3f}"
    return (
        f"{scaled:.0f}" if abs(scaled) >= 1000 else f"{scaled:.3g}" if abs(scaled) < 10 else f"{scaled:.1f}"
    )


def _reasons(table: Table) -> Iterator[str]:
    """Each reason once, with everything it stands for."""
    where: dict[str, list[str]] = {}
    for row in table.rows:
        for column, number in row.cells.items():
            if number.reason is not None:
                where.setdefault(number.reason, []).append(f"{row.id} {column}")
    for reason, places in where.items():
        named = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
        yield f"  -: {named}: {reason}"
