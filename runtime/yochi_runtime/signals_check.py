"""What `yochi signals` looks at: the settings with all that they name, and whether the other sides answer."""

import json
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from yochi_devices.plant.line import outputs_of, sinks_of
from yochi_devices.plant.settings import SignalSettings
from yochi_devices.plant.signal import Message, Output, SettingsError, SignalError, Sink

from .audit.log import now
from .errors import UsageError
from .signalling import COLUMNS, settings_of

WORDS = "a test of Yochi's signals, no judgement"


def plan(file: Path) -> Iterator[str]:
    """A line for each sink and output. UsageError where the settings, or what they name, cannot be meant."""
    settings, sinks, outputs = _opened(file)
    for sink in sinks:
        yield f"{sink.name}: every judgement, kept until it arrives (at most {settings.limit} wait)"
    for output in outputs:
        yield f"{output.name}: every {output.period:g} s, a release ends after {settings.release_s:g} s"
    for name in (one.name for one in settings.mqtt if one.password is not None and one.tls is None):
        yield f"{name}: without tls everybody in the network can read the password; give tls"


def tries(file: Path) -> Iterator[tuple[bool, str]]:
    """Of each output, then of each sink: whether it took a test, and what was done or is wrong."""
    _, sinks, outputs = _opened(file)
    tests: list[tuple[str, Callable[[], str]]] = [(output.name, output.test) for output in outputs]
    tests += [(sink.name, partial(_send, sink)) for sink in sinks]
    for name, test in tests:
        try:
            yield True, f"ok   {name}: {test()}"
        except SignalError as e:
            yield False, f"FAIL {name}: {e}"


def _opened(file: Path) -> tuple[SignalSettings, list[Sink], list[Output]]:
    settings = settings_of(file)
    try:
        return settings, sinks_of(settings, COLUMNS, role="test"), outputs_of(settings, driving=False)
    except SettingsError as e:
        raise UsageError(f"{file}: {e}") from e


def _send(sink: Sink) -> str:
    said = {"test": True, "seen": now(), "words": WORDS}
    message = Message(uuid.uuid4().hex, 0, 0, json.dumps(said, separators=(",", ":")))
    try:
        sink.send(message)
    finally:
        sink.close()
    return f"took a message marked as a test, id {message.id}"
