"""`yochi signals`: look whether the plant's settings can be meant, and whether the other sides take a test.

Exit 0: all of them. 2: called wrongly, or settings that cannot be meant. 3: one does not, with the reason.
"""

import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from yochi_devices.plant.line import outputs_of, sinks_of
from yochi_devices.plant.signal import Message, SettingsError, SignalError, Sink

from .audit.log import now
from .command_line import show_details
from .errors import UsageError
from .signalling import COLUMNS, settings_of

signals_app = typer.Typer(help="Check and test what goes to the plant.", rich_markup_mode=None)

SettingsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The signals' settings (TOML).", show_default=False)
]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks on stderr.")]
WORDS = "a test of Yochi's signals, no judgement"


@signals_app.command()
def check(file: SettingsFile, debug: Debug = False) -> None:
    """Read FILE with every secret and certificate that it names, one line each; nothing is connected."""
    _set_up(debug)
    settings = settings_of(file)
    try:
        sinks, outputs = sinks_of(settings, COLUMNS), outputs_of(settings, driving=False)
    except SettingsError as e:
        raise UsageError(f"{file}: {e}") from e
    for sink in sinks:
        typer.echo(f"{sink.name}: every judgement, kept until it arrives (at most {settings.limit} wait)")
    for output in outputs:
        typer.echo(
            f"{output.name}: driven every {output.period:g} s, a release ends after {settings.release_s:g} s"
        )
    for name in (one.name for one in settings.mqtt if one.password is not None and one.tls is None):
        typer.echo(f"{name}: without tls everybody in the network can read the password; give tls")


@signals_app.command("test")
def try_signals(file: SettingsFile, debug: Debug = False) -> None:
    """Send every sink a message marked as a test, and hold every output for a moment; a line each.

    An output that a running Yochi drives is held for less than a second. Nothing is ever released.
    """
    _set_up(debug)
    settings = settings_of(file)
    try:
        sinks = sinks_of(settings, COLUMNS, role="test")
        outputs = outputs_of(settings, driving=False)
    except SettingsError as e:
        raise UsageError(f"{file}: {e}") from e
    tests = [(output.name, output.test) for output in outputs]
    tests += [(sink.name, partial(_send, sink)) for sink in sinks]
    passed = [_tried(name, test) for name, test in tests]
    if not all(passed):
        raise typer.Exit(3)


def _send(sink: Sink) -> str:
    said = {"test": True, "seen": now(), "words": WORDS}
    message = Message(uuid.uuid4().hex, 0, 0, json.dumps(said, separators=(",", ":")))
    sink.send(message)
    sink.close()
    return f"took a message marked as a test, id {message.id}"


def _tried(name: str, test: Callable[[], str]) -> bool:
    """Whether it passed; a line says what was done, or what is wrong."""
    try:
        typer.echo(f"ok   {name}: {test()}")
    except SignalError as e:
        typer.echo(f"FAIL {name}: {e}")
        return False
    return True


def _set_up(debug: bool) -> None:
    if debug:
        show_details()
