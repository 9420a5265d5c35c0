"""`yochi-bench`: what a bundle costs on this device, and what the gates notice.

Exit 0 when it was measured, 2 for a wrong call, 3 when nothing could be judged, 1 for a fault, 130 for
Ctrl-C; one line each on stderr.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from yochi_runtime.command_line import run_app, show_details
from yochi_runtime.errors import UsageError
from yochi_runtime.image import read_frame
from yochi_runtime.inspection import Inspection, Note

from .latency import Report, measure, render

app = typer.Typer(
    help="Measure a bundle on this device, and the gates on photos.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def latency(
    out: Annotated[Path, typer.Argument(help="Folder for latency.txt and latency.json; made if missing.")],
    image: Annotated[list[Path], typer.Option(help="A picture to judge; give several for a fair mixture.")],
    note: Annotated[list[str], typer.Option(help="A note; two or more are needed to time a new note.")],
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; the shipped one if left out.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Judgements that count, for each case.")] = 20,
    warmup: Annotated[int, typer.Option(min=0, help="Judgements before them, for each case.")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each engine.")] = None,
    debug: Annotated[bool, typer.Option(help="Show a traceback on errors.")] = False,
) -> None:
    """Time judgements: p50 and p90 in ms a stage for a new frame, a new note, the same again; peak memory."""
    if debug:
        show_details()
    inspections = pair(image, note)
    _make_folder(out)
    _write(out, _measure(inspections, bundle, count, warmup, threads))


@app.command()
def gates(
    photos: Annotated[Path, typer.Argument(help="Folder of photos, searched to its bottom.")],
    count: Annotated[int, typer.Option(min=1, help="Photos, drawn at random.")] = 300,
    seed: Annotated[int, typer.Option(help="For the draw and for the faults.")] = 0,
) -> None:
    """How often the gates refuse good photos, and photos with faults made on purpose: a table, then JSON."""
    from .gates import HEAD, line, measure, read_photos

    found = read_photos(photos, count, seed)
    typer.echo(HEAD)
    rows = []
    for row in measure(found, seed):
        typer.echo(line(row))
        rows.append(row)
    typer.echo(json.dumps({"photos": len(found), "seed": seed, "rows": rows}))


def pair(images: list[Path], notes: list[str]) -> list[Inspection]:
    """Every picture with every note; UsageError, FrameError or NoteError for what cannot be judged."""
    texts = [Note(text) for text in notes]
    return [Inspection(frame, note) for frame in map(read_frame, images) for note in texts]


def _measure(
    inspections: list[Inspection], bundle: Path | None, count: int, warmup: int, threads: int | None
) -> Report:
    # Loads both engines' libraries: not for --help, not for a wrong path.
    from yochi_runtime.judge import Judge

    with Judge.open(bundle, threads=threads) as judge:
        return {"threads": threads, **measure(judge, inspections, warmup, count)}


def _make_folder(out: Path) -> None:
    """Before the minutes of measuring, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"expected to make the folder {out}, got: {e.strerror or e}; give another") from e


def _write(out: Path, report: Report) -> None:
    """Table and JSON into `out`; the table, then the JSON as one line, on stdout."""
    shown = render(report)
    try:
        (out / "latency.txt").write_text(shown + "\n", encoding="utf-8")
        (out / "latency.json").write_text(
            json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
    except OSError as e:
        raise UsageError(f"expected to write into {out}, got: {e.strerror or e}; give another folder") from e
    typer.echo(shown)
    typer.echo(json.dumps(report, allow_nan=False))


def main() -> None:
    """The entry point `yochi-bench`."""
    sys.exit(command(sys.argv[1:]))


def command(arguments: list[str]) -> int:
    """Run one command line; its exit code."""
    return run_app(app, "yochi-bench", arguments)
