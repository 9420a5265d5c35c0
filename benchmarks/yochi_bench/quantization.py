"""Every rung of an export sweep on latency, size and quality: which of them are beaten by none.

The sweep (`yochi-export sweep`) writes a report of its own, with a table that has a row a rung. It is read
here and nothing is measured again: machine, bundle, workload and date stay the sweep's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from yochi_runtime.errors import UsageError

from .report import JSON_FILE, Column, Plot, Report, Row, Series, Table, measured, read_report

SWEEP = "sweep"  # folder of the report within that of the sweep
LATENCY, SIZE = "latency", "size"
QUALITIES = ("flips", "factor error", "miss", "oversafety")  # of each less is better
Costs = tuple[float, ...]


def read_sweep(path: Path) -> Report:
    """Of a sweep's folder, or its report itself. UsageError where neither is one."""
    if not path.is_dir():
        return read_report(path)
    inner = path / SWEEP / JSON_FILE
    return read_report(inner if inner.exists() else path / JSON_FILE)


def quantization(sweep: Report, command: str) -> Report:
    """The sweep's report with its fronts. UsageError where it has no rung with all that a front needs."""
    table = _rungs(sweep)
    judged = [column.id for column in table.columns if column.id in QUALITIES]
    if not judged:
        raise UsageError(f"expected a column of {', '.join(QUALITIES)} in the sweep, got none; sweep again")
    fronts = {quality: front(_costs(table, quality)) for quality in judged}
    units = {column.id: column.unit for column in table.columns}
    plots = tuple(_plot(table, quality, fronts[quality], units) for quality in judged)
    updated = {
        "kind": "quantization",
        "command": command,
        "tables": (_front_table(table, fronts), *sweep.tables),
        "plots": (*plots, *sweep.plots),
        "notes": (f"Measured by: {sweep.command}", *sweep.notes),
    }
    return Report.model_validate({**dict(sweep), **updated})


def _rungs(sweep: Report) -> Table:
    if sweep.kind != "sweep":
        raise UsageError(f"expected a report of yochi-export sweep, got one of {sweep.kind}")
    found = [t for t in sweep.tables if {LATENCY, SIZE} <= {column.id for column in t.columns}]
    if not found:
        raise UsageError(f"expected a table with the columns {LATENCY} and {SIZE}, got none; sweep again")
    return found[0]


def _costs(table: Table, quality: str) -> dict[str, Costs]:
    """Of every rung with all three. UsageError where there is none."""
    found = {}
    for row in table.rows:
        numbers = [row.cells.get(name) for name in (LATENCY, SIZE, quality)]
        values = [number.value for number in numbers if number is not None and number.value is not None]
        if len(values) == len(numbers):
            found[row.id] = tuple(values)
    if not found:
        raise UsageError(f"expected a rung with {LATENCY}, {SIZE} and {quality}, got none; sweep again")
    return found


def front(costs: Mapping[str, Costs]) -> list[str]:
    """Those that no other is as good as in everything and better in something (Pareto), in their order."""
    return [name for name, own in costs.items() if not any(_beats(other, own) for other in costs.values())]


def _beats(one: Costs, other: Costs) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _front_table(table: Table, fronts: Mapping[str, Sequence[str]]) -> Table:
    rows = []
    for row in table.rows:
        kept = {name: row.cells[name] for name in (LATENCY, SIZE) if name in row.cells}
        beaten = {quality: measured(float(row.id in found)) for quality, found in fronts.items()}
        rows.append(Row(id=row.id, cells={**kept, **beaten}))
    costs = [column for column in table.columns if column.id in (LATENCY, SIZE)]
    return Table(
        id="fronts",
        title="Which rungs no other beats",
        columns=(*costs, *(Column(id=quality, unit="count") for quality in fronts)),
        rows=tuple(rows),
        caption=f"1: no rung is as good in {LATENCY}, {SIZE} and this quality and better in one of them. "
        "A rung without one of the three is on no front.",
    )


def _plot(table: Table, quality: str, found: Sequence[str], units: Mapping[str, str]) -> Plot:
    """Size has no axis left: it stands with the name."""
    costs = _costs(table, quality)
    scale, unit = (1e6, "MB") if units[SIZE] == "bytes" else (1.0, units[SIZE])
    marks = [
        Series(name=f"{name}, {own[1] / scale:.3g} {unit}", x=(own[0],), y=(own[2],), marks=True)
        for name, own in costs.items()
    ]
    ordered = sorted((costs[name] for name in found), key=lambda own: own[0])
    line = Series(name="beaten by none", x=tuple(o[0] for o in ordered), y=tuple(o[2] for o in ordered))
    return Plot(
        title=f"Quantization: {LATENCY} and {quality}",
        x=f"{LATENCY} [{units[LATENCY]}]",
        y=quality,
        series=(line, *marks),
        x_from_zero=False,
        caption="The line joins the rungs that no other beats in latency, size and quality.",
    )
