"""Tables and bars of an evaluation, and how they are printed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from yochi_bench.intervals import Interval


@dataclass
class Table:
    """Rows of cells already worded; the first column names the row."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    caption: str = ""


@dataclass
class Bar:
    """One thing to reach. `value` and `bar` are worded, `met` decides."""

    name: str
    value: str
    bar: str
    met: bool


Section = tuple[Table, list[Bar]]


def number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def interval(i: Interval, digits: int = 3) -> str:
    """point [low, high]"""
    return f"{number(i.point, digits)} [{number(i.low, digits)}, {number(i.high, digits)}]"


def clusters(i: Interval) -> str:
    return ", ".join(f"{count} {name}" for name, count in i.clusters.items())


def at_least(name: str, value: float, bar: float) -> Bar:
    return Bar(name, number(value), f">= {bar}", value >= bar)  # NaN is never met


def at_most(name: str, value: float, bar: float) -> Bar:
    return Bar(name, number(value), f"<= {bar}", value <= bar)


def markdown(command: str, tables: Sequence[Table], bars: Sequence[Bar]) -> str:
    """The whole report; intervals are 95 % by bootstrap over pictures and note templates."""
    lines = [f"`{command}`", "", "Intervals: 95 %, bootstrap over picture groups and note templates.", ""]
    for table in tables:
        lines += [f"### {table.title}", "", *_rows(table.columns, table.rows), ""]
        if table.caption:
            lines += [table.caption, ""]
    rows = [[bar.name, bar.value, bar.bar, "yes" if bar.met else "**no**"] for bar in bars]
    return "\n".join([*lines, "### Bars", "", *_rows(["what", "reached", "bar", "met"], rows), ""])


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    return [line(columns), line(["---"] * len(columns)), *(line(row) for row in rows)]


def bars_met(bars: Sequence[Bar]) -> str:
    missed = [bar.name for bar in bars if not bar.met]
    return f"{len(bars) - len(missed)} of {len(bars)} bars met" + (
        f"; missed: {', '.join(missed)}" if missed else ""
    )
