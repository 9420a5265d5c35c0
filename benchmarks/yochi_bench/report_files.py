"""Making a report's head, and writing it: JSON, page, table and plots into one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from yochi_runtime.bundle import Bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.fitting import find_place

from .machine import machine
from .report import (
    JSON_FILE,
    PAGE_FILE,
    TABLE_FILE,
    BundleIdentity,
    Kind,
    Plot,
    Report,
    Setting,
    Table,
    Workload,
    today,
    yochi_version,
)
from .report_page import page
from .report_plot import file_name, svg_file
from .report_text import render


def new_report(
    kind: Kind,
    command: str,
    bundle: Bundle,
    workload: Workload,
    threads: int,
    settings: Mapping[str, Setting],
    tables: Sequence[Table],
    plots: Sequence[Plot] = (),
    notes: Sequence[str] = (),
) -> Report:
    """With today's date and this machine."""
    manifest = bundle.manifest
    return Report(
        kind=kind,
        command=command,
        date=today(),
        yochi=yochi_version(),
        machine=machine(),
        bundle=BundleIdentity(
            name=manifest.name, version=manifest.version, sha256=bundle.sha256, base=manifest.base.sha256
        ),
        workload=workload,
        threads=threads,
        settings=dict(settings),
        tables=tuple(tables),
        plots=tuple(plots),
        notes=tuple(notes),
    )


def engine_threads(asked: int | None) -> int:
    """As many as `Judge.open` takes for `asked`."""
    return asked or find_place().threads


def make_folder(out: Path) -> None:
    """Before the minutes of measuring, not after. UsageError where it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"expected to make the folder {out}, got: {e.strerror or e}; give another") from e


def write_report(report: Report, out: Path) -> None:
    """Into `out`; on stdout the table, then the JSON as one line. UsageError where it cannot be written.

    ValueError where it lacks what its kind has.
    """
    if lacks := report.lacks():
        raise ValueError(f"expected a whole report of {report.kind}, got one without {', '.join(lacks)}")
    shown = render(report)
    try:
        (out / TABLE_FILE).write_text(shown + "\n", encoding="utf-8")
        (out / JSON_FILE).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (out / PAGE_FILE).write_text(page(report), encoding="utf-8")
        for plot in report.plots:
            (out / file_name(plot)).write_text(svg_file(plot), encoding="utf-8")
    except OSError as e:
        raise UsageError(f"expected to write into {out}, got: {e.strerror or e}; give another folder") from e
    typer.echo(shown)
    typer.echo(report.model_dump_json())
