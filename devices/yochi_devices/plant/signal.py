"""What goes out, who takes it, and one small tree of errors.

A `Sink` gets every signal as a message, in order, and none is lost (MQTT, webhook, CSV; see `outbox`). An
`Output` is driven several times a second by the newest signal alone and never by an old one (lamp, PLC, the
retained state of MQTT): what was true a minute ago must not release anything now.

SignalError          a sink or an output that does not take it; worth another try
└── SettingsError    what a person wrote, or a file or a variable that it names

Every message is one line; no password or secret ever stands in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Colour = Literal["green", "amber", "red"]
Newest = Callable[[], "Signal | None"]  # the newest signal, None where there is none that still counts


class SignalError(Exception):
    """A sink or an output does not take it; the message says in words why."""


class SettingsError(SignalError):
    """Settings that cannot be meant, or a secret that cannot be read."""


@dataclass(frozen=True)
class Signal:
    """One judgement for the plant. `issued` and `expires` are time.monotonic() of this process."""

    id: str  # the receiver recognises it by, should it come twice
    words: str  # one line for a person
    issued: float  # when what was judged was seen
    expires: float  # from then on it releases nothing
    payload: Mapping[str, Any]  # for messages; JSON
    release: bool | None  # True, or False for hold; None: information, which drives nothing
    colour: Colour
    code: int  # for registers: 1 proceed, 2 caution, 3 stop, 4 cannot judge; 0 is nobody's

    def releases(self, now: float) -> bool:
        """Asked as "is it exactly this", so that nothing else ever releases."""
        return self.release is True and self.issued <= now < self.expires


@dataclass(frozen=True)
class Message:
    """A signal's payload on its way to one sink."""

    id: str
    sequence: int  # of this sink, rising by one from message to message
    missed: int  # signals before it that found the outbox full
    body: str  # JSON object

    def text(self) -> str:
        """The JSON that is sent: id, sequence and missed, then the payload."""
        head = f'{{"id":"{self.id}","sequence":{self.sequence},"missed":{self.missed}'
        return head + ("}" if self.body == "{}" else "," + self.body[1:])


class Sink(Protocol):
    """Takes messages, one after another. Used by one thread."""

    name: str

    def send(self, message: Message) -> None:
        """Returns once the other side has acknowledged it; SignalError otherwise."""
        ...

    def close(self) -> None:
        """May be repeated."""
        ...


class Output(Protocol):
    """Shows what holds now. Used by one thread; `period` in seconds is how often."""

    name: str
    period: float

    def drive(self, newest: Newest) -> None:
        """Asks `newest` last, right before it writes. SignalError where it fails."""
        ...

    def fault(self) -> None:
        """Told after every SignalError: what was released before must not come back with the connection."""
        ...

    def test(self) -> str:
        """Try everything but a release; in words what was done. SignalError."""
        ...

    def close(self) -> None:
        """Hold, if the other side can still be told. May be repeated."""
        ...
