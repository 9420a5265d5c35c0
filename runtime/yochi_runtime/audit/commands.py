"""`yochi audit`: check, read and export the audit log. Exit 1: the log is broken; its first wrong row."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..command_line import show_details
from ..errors import UsageError

audit_app = typer.Typer(help="Check, read and export the log of judgements.", rich_markup_mode=None)

LogFile = Annotated[
    Path | None, typer.Argument(metavar="DB", help="Audit log (default: ~/.local/state/yochi/audit.db).")
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


@audit_app.command()
def verify(
    db: LogFile = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that was kept elsewhere.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Check every row and the chain that binds them; without a checkpoint a cut end does not show."""
    from . import verifier

    with _log(db, debug) as path:
        try:
            known = verifier.read_checkpoint(checkpoint) if checkpoint else None
        except ValueError as e:
            raise UsageError(str(e)) from e
        typer.echo(f"{path}: {verifier.verify(path, known)}")


@audit_app.command()
def show(
    db: LogFile = None,
    last: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows, the newest last.")] = 10,
    debug: Debug = False,
) -> None:
    """The last judgements, one line each: number, time, verdict, risks or reasons, note."""
    from .table import line
    from .verifier import rows

    with _log(db, debug) as path:
        for row in rows(path, last):
            typer.echo(line(row))


@audit_app.command()
def export(
    csv: Annotated[Path, typer.Option(metavar="FILE", help="The table to write.", show_default=False)],
    db: LogFile = None,
    debug: Debug = False,
) -> None:
    """Write the whole log, checked, as a table for spreadsheets (CSV, UTF-8).

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    from .table import write_csv
    from .verifier import rows

    with _log(db, debug) as path, _written(csv, path):
        typer.echo(f"{csv}: {write_csv(rows(path), csv)} rows")


@audit_app.command()
def checkpoint(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The checkpoint to write.", show_default=False)],
    db: LogFile = None,
    debug: Debug = False,
) -> None:
    """Check the log and write its last row's number and hash to FILE.

    Keep FILE where the box cannot write: `verify --checkpoint FILE` then shows a cut or rewritten log. It is
    not signed, so it proves as much as the place it is kept in.
    """
    from .log import now
    from .verifier import Checkpoint, canonical, rows

    with _log(db, debug) as path, _written(out, path):
        head = deque(rows(path), maxlen=1)
        if not head:
            raise UsageError(f"expected at least one row in {path}, found none; judge something first")
        taken = Checkpoint(head[0].sequence, head[0].hash, now())
        out.write_text(canonical(taken._asdict()) + "\n", encoding="utf-8")
        typer.echo(f"{out}: row {taken.sequence}, {taken.hash}")


@contextmanager
def _log(db: Path | None, debug: bool) -> Iterator[Path]:
    """The log's path; what is wrong with its rows ends the command with 1."""
    from .log import default_log
    from .verifier import Broken

    if debug:
        show_details()
    path = db or default_log()
    if not path.is_file():
        raise UsageError(f"expected an audit log at {path}, found none; give the file that judge wrote")
    try:
        yield path
    except Broken as e:
        typer.echo(f"yochi: {path}: {e}", err=True)
        raise typer.Exit(1) from e


@contextmanager
def _written(path: Path, log: Path) -> Iterator[None]:
    try:
        if path.exists() and path.samefile(log):
            raise UsageError(f"expected another file than the log, got {path} for both; check the paths")
        yield
    except OSError as e:
        raise UsageError(f"expected to write {path}, got: {e.strerror or e}; check path and rights") from e
