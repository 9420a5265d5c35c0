"""A report for people: lines on the terminal, and the same lines as a table for a spreadsheet."""

from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path

from ..factors import quote
from .report import Key, Report, Tally
from .table import write_table

ORDER = ("total", "verdict", "reason", "clause", "factor", "camera", "hour")
HEADER = (*Key._fields, *(field.name for field in fields(Tally)))


def lines(report: Report) -> Iterator[str]:
    """For the terminal, which no name in the log can steer."""
    judged = sum(report.modes.values())
    modes = ", ".join(f"{count} in mode {quote(mode)}" for mode, count in sorted(report.modes.items()))
    yield f"What enforce would have done with {judged} judgements{f' ({modes})' if modes else ''}."
    yield f"Each counts for at most {report.valid:g} s; one may be held for several reasons."
    if report.missed:
        yield f"{report.missed} more could not be recorded: each would be held, and is in no line below."
    if report.clock_back:
        yield f"{report.clock_back} times the clock went back; no time is counted there."
    table = [HEADER, *(_cells(key, tally) for key, tally in in_order(report))]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    names = len(Key._fields)
    for row in table:
        cells = [
            cell.ljust(width) if i < names else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def write_report(report: Report, path: Path) -> int:
    """The table in `path`, or no file at all; how many lines."""
    return write_table(path, HEADER, ((*key, *astuple(tally)) for key, tally in in_order(report)))


def in_order(report: Report) -> list[tuple[Key, Tally]]:
    """What is held longest comes first, but hours in their order."""

    def place(found: tuple[Key, Tally]) -> tuple[int, float, int, str, str]:
        key, tally = found
        large = (0.0, 0) if key.by == "hour" else (-tally.seconds, -tally.held)
        return (ORDER.index(key.by), *large, key.value, key.zone)

    return sorted(report.tallies.items(), key=place)


def _cells(key: Key, tally: Tally) -> tuple[str, ...]:
    numbers = (f"{value:.1f}" if isinstance(value, float) else str(value) for value in astuple(tally))
    return (*(quote(part) for part in key), *numbers)
