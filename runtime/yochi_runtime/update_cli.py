"""`yochi bundle install` and `yochi bundle rollback`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import show_details
from .errors import UsageError
from .installed import ROOT_VARIABLE

if TYPE_CHECKING:
    from .audit.log import AuditLog
    from .update import Updated

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        envvar=ROOT_VARIABLE,
        metavar="DIR",
        help="Where this box's bundles lie (default: bundles, beside the audit log).",
        show_default=False,
    ),
]
Audit = Annotated[
    str | None,
    typer.Option(
        "--audit",
        metavar="DB",
        help="Audit log for what is done (default: ~/.local/state/yochi/audit.db).",
        show_default=False,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


def install(
    bundle: Annotated[Path, typer.Argument(help="The new bundle's folder.", show_default=False)],
    root: Root = None,
    audit: Audit = None,
    debug: Debug = False,
) -> None:
    """Judge with BUNDLE from the next start on, if it is let in and judges the built-in frame.

    It is copied. The one before is kept for `rollback`, and judges on where anything fails (exit 3). Other
    commands find it at the default place, or where YOCHI_BUNDLES points.
    """
    from .update import install as install_bundle

    if not bundle.is_dir():
        raise UsageError(f"expected a bundle folder at {bundle}, found none; check the path")
    _say(_with_log(lambda folder, log: install_bundle(bundle, folder, log), root, audit, debug))


def rollback(root: Root = None, audit: Audit = None, debug: Debug = False) -> None:
    """Judge with the bundle before the installed one again; with none before it, with the shipped one."""
    from .update import roll_back

    _say(_with_log(roll_back, root, audit, debug))


def _with_log(
    work: "Callable[[Path, AuditLog], Updated]", root: Path | None, audit: str | None, debug: bool
) -> "Updated":
    from .audit.log import NONE, open_log
    from .installed import bundles_folder

    if debug:
        show_details()
    if audit == NONE:
        raise UsageError('expected an audit log, in which every update stands, got "none"; give --audit DB')
    with open_log(audit) as log:
        return work(root or bundles_folder(), log)


def _say(done: "Updated") -> None:
    if done.changed:
        typer.echo(f"{done.folder}: judges from the next start on; restart what is running")
    else:
        typer.echo(f"{done.folder}: is installed already, nothing was changed")
