"""The handshake with a PLC as a state machine: request, ready, result, acknowledge, heartbeat. No network.

Holding registers of the PLC, which is the Modbus server. It writes two:

| read_at  | request     | a number other than 0 asks for a judgement; another number asks again     |
| + 1      | acknowledge | the number of the answer that it has taken                                |

Yochi writes six, in one request, every period:

| write_at | heartbeat   | 1 .. 65535, another each time, never 0                                    |
| + 1      | ready       | 1 while judgements come and drive outputs                                 |
| + 2      | answer      | the number of the request that is answered, 0: none                       |
| + 3      | result      | 0: none, HOLD, RELEASE                                                    |
| + 4      | verdict     | for display: 1 proceed, 2 caution, 3 stop, 4 cannot judge, 0: none        |
| + 5      | valid_ms    | what is left of a RELEASE, 0: nothing                                     |

The PLC releases only while `result` is RELEASE, `answer` its own request, `valid_ms` not 0 and the heartbeat
has changed within its own time limit. RELEASE is a pattern that neither cleared nor stuck registers show.

What answers was seen after the request was. A release that is over (expired, a later judgement that holds, a
fault) is HOLD for the rest of that request: only another number can be released again.
"""

from dataclasses import dataclass
from typing import NamedTuple

from .signal import Signal

NONE, HOLD, RELEASE = 0, 0xA5A5, 0x5A5A  # complements of each other
MAX = 0xFFFF
READ, WRITTEN = 2, 6  # registers


class Registers(NamedTuple):
    """What Yochi writes."""

    heartbeat: int
    ready: int
    answer: int
    result: int
    verdict: int
    valid_ms: int


IDLE = Registers(0, 0, 0, NONE, 0, 0)


@dataclass(frozen=True)
class _Asked:
    """A request: since when, and its answer (None: not yet) which may become HOLD and never RELEASE again."""

    number: int
    since: float
    answer: int | None = None


class Handshake:
    """One PLC's. Times are time.monotonic(); `answer_s` in seconds."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self._heartbeat = 0
        self._asked: _Asked | None = None
        self._finished = 0  # the request that was acknowledged last

    def step(self, request: int, acknowledge: int, signal: Signal | None, now: float) -> Registers:
        """What to write, after what was read. `signal`: the newest that counts, if any."""
        self._heartbeat = self._heartbeat % MAX + 1
        self._take(request, acknowledge, now)
        if self._asked is not None:
            self._asked = self._answered(self._asked, signal, now)
        return self._registers(signal, now)

    def fault(self) -> None:
        """The connection failed: whatever was asked before is held."""
        if self._asked is not None:
            self._asked = _Asked(self._asked.number, self._asked.since, HOLD)

    def _take(self, request: int, acknowledge: int, now: float) -> None:
        if request != self._finished:
            self._finished = 0
        if self._asked is not None and request != self._asked.number:
            self._asked = None
        if request == 0 or request == self._finished:
            return
        if acknowledge == request and (self._asked is None or self._asked.answer is not None):
            self._asked, self._finished = None, request  # also an old one that stands there when Yochi starts
        elif self._asked is None:
            self._asked = _Asked(request, now)

    def _answered(self, asked: _Asked, signal: Signal | None, now: float) -> _Asked:
        if asked.answer == HOLD:
            return asked
        if signal is not None and signal.release is None:
            return asked if asked.answer is None else _Asked(asked.number, asked.since, HOLD)
        if asked.answer is None and (signal is None or signal.issued <= asked.since):
            late = now - asked.since > self._answer_s
            return _Asked(asked.number, asked.since, HOLD) if late else asked
        released = signal is not None and signal.releases(now)
        return _Asked(asked.number, asked.since, RELEASE if released else HOLD)

    def _registers(self, signal: Signal | None, now: float) -> Registers:
        asked = self._asked
        released = asked is not None and asked.answer == RELEASE and signal is not None
        left = int((signal.expires - now) * 1000) if released and signal is not None else 0
        answered = asked is not None and asked.answer is not None
        return Registers(
            heartbeat=self._heartbeat,
            ready=int(signal is not None and signal.release is not None),
            answer=asked.number if asked is not None and answered else 0,
            result=(asked.answer or NONE) if asked is not None else NONE,
            verdict=0 if signal is None else signal.code,
            valid_ms=min(MAX, max(1, left)) if released else 0,
        )
