"""`yochi signals`: look whether the plant's settings can be meant, and whether the other sides take a test.

Exit 0: all of them. 2: called wrongly, or settings that cannot be meant. 3: one does not, with the reason.
"""

from pathlib import Path
from typing import Annotated

import typer

from .command_line import show_details

signals_app = typer.Typer(help="Check and test what goes to the plant.", rich_markup_mode=None)

SettingsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The signals' settings (TOML).", show_default=False)
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]


@signals_app.command()
def check(file: SettingsFile, debug: Debug = False) -> None:
    """Read FILE with every secret and certificate that it names, one line each; nothing is connected."""
    from .signals_check import plan

    _set_up(debug)
    for line in plan(file):
        typer.echo(line)


@signals_app.command("test")
def try_signals(file: SettingsFile, debug: Debug = False) -> None:
    """Send every sink a message marked as a test, and hold every output for a moment; a line each.

    Nothing is ever released; an output that a running Yochi drives is held until it drives it again.
    """
    from .signals_check import tries

    _set_up(debug)
    failed = False
    for passed, line in tries(file):
        typer.echo(line)
        failed = failed or not passed
    if failed:
        raise typer.Exit(3)


def _set_up(debug: bool) -> None:
    if debug:
        show_details()
