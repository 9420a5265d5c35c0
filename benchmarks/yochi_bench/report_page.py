"""A report as one HTML page: tables, plots, identities. It needs nothing else and loads nothing.

Every word that comes from elsewhere is escaped, and the page's own policy forbids scripts and all loading.
"""

import html
from collections.abc import Iterable, Mapping

from .report import Number, Report, Table
from .report_plot import STYLE as PLOT_STYLE
from .report_plot import svg
from .report_text import cell, shown_unit

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = (
    """body{font:14px sans-serif;margin:1em auto;max-width:1000px;color:#222}
table{border-collapse:collapse}th,td{padding:2px 8px;border:1px solid #ccc;text-align:right}
th{background:#f4f4f4;font-weight:normal}th.name{text-align:left}td.null{color:#999}
figure{margin:1em 0}figcaption,.caption{color:#555}code{word-break:break-all}div{overflow-x:auto}
"""
    + PLOT_STYLE
)


def page(report: Report) -> str:
    """The whole page."""
    title = f"yochi-bench {report.kind}: {report.bundle.name} {report.bundle.version}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{report.date:%Y-%m-%d %H:%M} UTC. <code>{html.escape(report.command)}</code></p>",
        *(f"<p>{html.escape(note)}</p>" for note in report.notes),
        *(_section(table) for table in report.tables),
        *(svg(plot) for plot in report.plots),
        "<h2>Measured on and of</h2>",
        _facts(_identities(report)),
        "<h2>Settings</h2>",
        _facts({name: _word(value) for name, value in report.settings.items()}),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _section(table: Table) -> str:
    heads = "".join(
        f"<th>{html.escape(c.id)}{'' if c.unit == '1' else f' [{html.escape(shown_unit(c.unit))}]'}</th>"
        for c in table.columns
    )
    rows = "".join(
        f'<tr><th class="name">{html.escape(row.id)}</th>'
        + "".join(_cell(row.cells.get(c.id), c.unit) for c in table.columns)
        + "</tr>"
        for row in table.rows
    )
    caption = f'<p class="caption">{html.escape(table.caption)}</p>' if table.caption else ""
    body = f"<div><table><tr><th></th>{heads}</tr>{rows}</table></div>"
    return f"<h2>{html.escape(table.title)}</h2>{body}{caption}"


def _cell(number: Number | None, unit: str) -> str:
    """A null shows its reason where one points at it, and below in words for who cannot point."""
    shown = html.escape(cell(number, unit))
    if number is not None and number.reason is not None:
        return f'<td class="null" title="{html.escape(number.reason)}">{shown}</td>'
    n = "" if number is None or number.n is None else f' title="of {number.n}"'
    return f"<td{n}>{shown}</td>"


def _identities(report: Report) -> dict[str, str]:
    machine, bundle, workload = report.machine, report.bundle, report.workload
    engines = ", ".join(f"{name} {number}" for name, number in machine.engines.items())
    memory = "unknown" if machine.memory_bytes is None else f"{machine.memory_bytes / 2**30:.1f} GiB"
    return {
        "machine": f"{machine.cpu or 'unknown processor'}, {machine.cores} cores, {memory}, "
        f"{machine.architecture}",
        "system": f"{machine.system}, Python {machine.python}; {engines}",
        "governor": machine.governor or "not told by the system",
        "power mode": machine.power_mode or "not told by the system",
        "machine sha256": machine.sha256,
        "bundle sha256": bundle.sha256,
        "base sha256": bundle.base,
        "workload": f"{workload.name}: {workload.frames} frames, {workload.notes} notes",
        "workload sha256": workload.sha256,
        "threads of each engine": str(report.threads),
        "yochi": report.yochi,
    }


def _facts(facts: Mapping[str, str]) -> str:
    return f"<table>{''.join(_fact_rows(facts.items()))}</table>"


def _fact_rows(facts: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, value in facts:
        yield f'<tr><th class="name">{html.escape(name)}</th><td><code>{html.escape(value)}</code></td></tr>'


def _word(value: object) -> str:
    return "-" if value is None else str(value)
