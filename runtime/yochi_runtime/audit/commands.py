"""`yochi audit`: check, read and export the audit log. Exit 1: the log is broken; its first wrong row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
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
    public_key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="The log's first public key: it, or what replaced it, must have signed checkpoint and "
            "tombstones. Further ones are believed where they replaced a lost key.",
        ),
    ] = None,
    rows_only: Annotated[
        bool, typer.Option("--rows-only", help="Not the pictures: for a copy of the log without them.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Check every row, the chain that binds them, and that kept pictures are there or gone by tombstone.

    Without a checkpoint a cut end does not show.
    """
    from . import verifier
    from .checkpoint import read_checkpoint
    from .signing import read_public_key

    with readable_log(db, debug) as path:
        known = read_checkpoint(checkpoint) if checkpoint else None
        keys = [read_public_key(file) for file in public_key or ()]
        typer.echo(f"{path}: {verifier.verify(path, known, keys, pictures=not rows_only)}")


@audit_app.command()
def show(
    db: LogFile = None,
    last: Annotated[int, typer.Option(min=1, metavar="N", help="How many rows, the newest last.")] = 10,
    debug: Debug = False,
) -> None:
    """The last judgements, one line each: number, time, verdict, risks or reasons, note."""
    from .chain import rows
    from .table import line

    with readable_log(db, debug) as path:
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
    from .chain import rows
    from .table import write_csv

    with readable_log(db, debug) as path, _written(csv, path):
        typer.echo(f"{csv}: {write_csv(rows(path), csv)} rows")


@audit_app.command()
def report(
    db: LogFile = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on (default: the first row).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Before this time (default: the last row).")
    ] = None,
    valid: Annotated[float, typer.Option(min=0.1, help="Seconds after which a verdict expires.")] = 10.0,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table here, too.", show_default=False)
    ] = None,
    debug: Debug = False,
) -> None:
    """What mode enforce would have done with the judgements of a time: how often and how long it would hold.

    By verdict, reason, clause, factor, camera and zone, and hour; with what people said was wrong. TIME is
    ISO 8601, by the box's clock. A time between two judgements of a camera that is longer than --valid is
    held as `expired`.
    """
    from .report import FIRST, LAST, Span, make_report, parse_time
    from .report_table import lines, write_report

    span = Span(parse_time(since, FIRST), parse_time(until, LAST))
    if span.since >= span.until:
        raise UsageError(f"expected --since before --until, got {since} and {until}; mend one of them")
    with readable_log(db, debug) as path:
        found = make_report(path, span, valid)
        for line in lines(found):
            typer.echo(line)
        if csv is not None:
            with _written(csv, path):
                typer.echo(f"{csv}: {write_report(found, csv)} rows")


@audit_app.command()
def checkpoint(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The checkpoint to write.", show_default=False)],
    db: LogFile = None,
    key: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="Sign it with this key of `audit keygen`.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Check the log and write its last row's number and hash to FILE.

    Keep FILE where the box cannot write: `verify --checkpoint FILE` then shows a cut or rewritten log.
    Without a key it is not signed, and proves as much as the place it is kept in.
    """
    from .checkpoint import checkpoint_text, take_checkpoint
    from .log import now
    from .signing import read_key

    with readable_log(db, debug) as path, _written(out, path, key):
        taken = take_checkpoint(path, now(), read_key(key) if key else None)
        out.write_text(checkpoint_text(taken), encoding="utf-8")
        typer.echo(f"{out}: row {taken.sequence}, {taken.hash}, {'signed' if key else 'not signed'}")


@audit_app.command()
def keygen(
    keyfile: Annotated[Path, typer.Argument(help="Where to put the new private key.", show_default=False)],
    debug: Debug = False,
) -> None:
    """Make a key that signs checkpoints: KEYFILE, for its owner only, and KEYFILE.pub for who verifies."""
    from .signing import create_key

    if debug:
        show_details()
    public, beside = create_key(keyfile)
    typer.echo(f"{keyfile}: private key, keep it on the box\n{beside}: public key {public}")


@audit_app.command()
def rotate(
    new: Annotated[
        Path,
        typer.Option(metavar="KEYFILE", help="Signs from now on (`keygen` makes it).", show_default=False),
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="The key in force, which it replaces.")
    ] = None,
    lost_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead of --key where that is lost: its public half. Verifiers report a break of trust.",
        ),
    ] = None,
    db: LogFile = None,
    debug: Debug = False,
) -> None:
    """Replace the key that signs checkpoints and tombstones: a row of the log, signed by both keys.

    Who has the log's first public key goes on with it. Take a checkpoint with the new key at once.
    """
    from .rotation import rotate as replace
    from .signing import read_key, read_public_key

    if (key is None) == (lost_key is None):
        raise UsageError("expected the old key, got none or two; give --key KEYFILE or --lost-key FILE")
    with readable_log(db, debug) as path:
        old = read_key(key) if key else read_public_key(lost_key or Path())
        following = read_key(new)
        number = replace(path, old, following)
        typer.echo(f"{path}: from row {number} on {following.public} signs, no longer {old.public}")
        if lost_key:
            typer.echo(
                f"yochi: a break of trust: the old key has not signed row {number}. Verifiers refuse the log "
                f"unless {new}.pub is given to them, too; bring it to them by a safe way",
                err=True,
            )


@audit_app.command()
def retain(
    days: Annotated[
        int,
        typer.Option(min=0, max=36_500, metavar="N", help="Age a picture may reach.", show_default=False),
    ],
    key: Annotated[
        Path,
        typer.Option(metavar="KEYFILE", help="Signs the tombstones.", show_default=False),
    ],
    db: LogFile = None,
    debug: Debug = False,
) -> None:
    """Delete kept pictures last used more than N days ago; the rows stay, with a signed tombstone."""
    from .log import now
    from .retention import retain as delete_old
    from .signing import read_key

    with readable_log(db, debug) as path:
        done = delete_old(path, now(timedelta(days=days)), read_key(key))
        typer.echo(f"{path}: {done.pictures} pictures deleted ({done.bytes / 1e6:.1f} MB)")
        if done.missing:
            typer.echo(f"yochi: {path}: {done.missing} old pictures were missing already", err=True)
            raise typer.Exit(1)


@contextmanager
def readable_log(db: Path | None, debug: bool) -> Iterator[Path]:
    """The log's path; what is wrong with its rows ends the command with 1."""
    from .chain import Broken
    from .log import default_log

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
def _written(path: Path, *sources: Path | None) -> Iterator[None]:
    """What goes wrong with writing `path`, which must be none of `sources`, is the caller's mistake."""
    try:
        if path.exists() and any(source and path.samefile(source) for source in sources):
            raise UsageError(f"expected another file to write than {path}, which is read; check the paths")
        yield
    except OSError as e:
        raise UsageError(f"expected to write {path}, got: {e.strerror or e}; check path and rights") from e
