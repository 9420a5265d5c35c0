"""`report.html` of a training run: curves of its log, what each round reached, utility, pictures of mistakes.

It loads nothing.
"""

import html
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from . import examples_page
from .convert.written import written
from .html_page import table, whole_page

PAGE, LOG, REPORT, UTILITY = "report.html", "log.jsonl", "report.json", "utility.json"
WIDTH, HEIGHT, LEFT, POINTS = 700, 110, 70, 350  # pixels; at most so many points a curve
STYLE = "polyline{fill:none;stroke:#4477aa}line{stroke:#ccc}\n" + examples_page.STYLE
COUNTERS = {"round", "step"}


def write_run_page(out: Path, photos: Path) -> None:
    """From `log.jsonl` and, where there are rounds, `report.json` of the run folder `out`.

    `photos`: what the images of records are relative to.
    """
    lines = (out / LOG).read_text(encoding="utf-8").splitlines() if (out / LOG).is_file() else []
    rows = [json.loads(line) for line in lines]
    with written(out / PAGE) as page:
        page.write(run_page(out.resolve().name, rows, photos, _read(out / REPORT), _read(out / UTILITY)))


def _read(file: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def run_page(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    photos: Path,
    report: Mapping[str, Any] | None,
    utility: Mapping[str, Any] | None = None,
) -> str:
    """`rows` of the log, a step each; `report` as `rlaif.rounds` writes it, `utility` as `utility` does."""
    parts = [f"<h1>{html.escape(name)}</h1><p>{len(rows)} steps.</p>"]
    parts += _rounds(report) if report else []
    parts += _utility(utility) if utility else []
    for key in rows[0] if rows else ():
        if key not in COUNTERS:
            parts.append(f"<h2>{html.escape(key)}</h2>{curve([_number(row.get(key)) for row in rows])}")
    if report and report["start"]:
        standing = [report["start"], *(one for one in report["rounds"] if one["kept"])][-1]
        parts += examples_page.mistakes_part(standing.get("mistakes", ()), photos)
        parts += examples_page.answers_part(report["rounds"], photos)
    return whole_page(name, STYLE, parts)


def curve(values: Sequence[float]) -> str:
    """Means of neighbours, where there are more values than points; what is no number is a gap."""
    size = math.ceil(len(values) / POINTS)
    shown = [_mean(values[i : i + size]) for i in range(0, len(values), size)]
    known = [value for value in shown if math.isfinite(value)]
    if not known:
        return "<p>No number.</p>"
    low, high = min(known), max(known)
    across, up = WIDTH / max(1, len(shown) - 1), HEIGHT / ((high - low) or 1.0)
    at = [(LEFT + i * across, 10 + (high - value) * up) for i, value in enumerate(shown)]
    drawn = "".join(
        f'<polyline points="{x:.1f},{y:.1f} {u:.1f},{v:.1f}"/>'
        for (x, y), (u, v) in pairwise(at)
        if math.isfinite(y) and math.isfinite(v)
    )
    marks = "".join(
        f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y}" y2="{y}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:.4g}</text>'
        for y, value in ((10, high), (10 + HEIGHT, low))
    )
    last = f'<text x="{LEFT + WIDTH + 6}" y="{HEIGHT // 2 + 14}">last {shown[-1]:.4g}</text>'
    return f'<div><svg width="{LEFT + WIDTH + 110}" height="{HEIGHT + 20}">{marks}{drawn}{last}</svg></div>'


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rounds(report: Mapping[str, Any]) -> list[str]:
    """The five cells and the verdicts, a column for the start and each round."""
    made: list[tuple[str, Mapping[str, Any]]] = [("start", report["start"])] if report["start"] else []
    for number, one in enumerate(report["rounds"], 1):
        made.append((f"round {number}, {'kept' if one['kept'] else 'taken back'}", one))
    heads = [name for name, _ in made]
    parts = [f"<p>Taught by: {html.escape(str(report['critic']))}. {html.escape(report['ended'] or '')}</p>"]
    for title, key in (("Judged rightly, by cell", "cells"), ("Verdicts", "verdicts")):
        names = dict.fromkeys(name for _, one in made for name in one[key])
        rows = [[name, *(_rate(one[key].get(name)) for _, one in made)] for name in names]
        parts.append(f"<h2>{title}</h2>{table(['', *heads], rows, len(heads))}" if rows else "")
    told = [one["explanations"] for _, one in made if "explanations" in one]
    if told:
        rows = [
            ["tokens, median", *(f"{one['median_tokens']:g}" for one in told)],
            *([of, *(_share(one[of], one["of"]) for one in told)] for of in ("formed", "true")),
        ]
        parts.append(f"<h2>Explanations</h2>{table(['', *heads], rows, len(heads))}")
    return parts


def _utility(of: Mapping[str, Any]) -> list[str]:
    """Ordinary skills before and after."""
    made = [(when, of[when]) for when in ("before", "after") if when in of]
    rows = [
        ["loss a token", *(f"{one['loss']:.4f}" for _, one in made)],
        ["short replies word for word", *(_share(one["exact"], one["short"]) for _, one in made)],
    ]
    heads = ["", *(when for when, _ in made)]
    name = html.escape(str(of["set"]["file"]))
    return [f"<h2>Utility on {name}</h2>{table(heads, rows, len(made))}"]


def _rate(of: Mapping[str, Any] | None) -> str:
    return _share(of["hits"], of["of"]) if of else "-"


def _share(hits: int, of: int) -> str:
    return f"{100 * hits / of:.1f} % ({hits}/{of})" if of else "-"
