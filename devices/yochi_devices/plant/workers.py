"""Threads between signals and the plant: one a sink and one an output, so that a dead one stops no other."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .outbox import Outbox
from .signal import Newest, Output, SignalError, Sink

FIRST_PAUSE, LAST_PAUSE = 0.5, 60.0  # seconds before a sink is tried again; doubled from one to the other
OUTPUT_PAUSE = 1.0  # seconds before an output is tried again
FLUSHING = 3.0  # seconds in which what waits is still sent when the process ends
CLOSING = 6.0  # seconds for a turn that is under way by then
Tell = Callable[[str], object]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """How it stands with one sink or output; `fault` is None while it takes what it is given."""

    name: str
    taken: int = 0  # messages, or times that an output was driven
    fault: str | None = None


class Worker:
    """A thread that tries, tells when that begins or ceases to fail, and never ends by a fault."""

    def __init__(self, name: str, tell: Tell) -> None:
        self.state = State(name)
        self._tell = tell
        self._more = False  # see `_turn`
        self._until = 0.0  # time.monotonic(), once it is to end
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"yochi signal {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def end(self) -> None:
        """Asks it to; `close` waits."""
        if not self._closed.is_set():
            self._until = time.monotonic() + FLUSHING
            self._closed.set()
        self._wake.set()

    def close(self) -> None:
        self.end()
        if self._thread.is_alive():
            self._thread.join(CLOSING)

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._pause(self._try())
            self._more = self.state.fault is None
            while self._more and time.monotonic() < self._until:
                self._try()
        finally:
            self._end()

    def _try(self) -> float | None:
        """Seconds until the next turn."""
        self._wake.clear()
        try:
            self._more = False
            return self._turn()
        except Exception as e:  # noqa: BLE001 -- a thread that ended would be a sink that is dead in silence
            _LOG.debug("%s", self.state.name, exc_info=e)
            self._more = False
            return self._failed(e)

    def _pause(self, seconds: float | None) -> None:
        """None: until there is something to do."""
        if self.state.fault is None:
            self._wake.wait(seconds)
        else:
            self._closed.wait(seconds)

    def _turn(self) -> float | None:
        """Try, and say in `_more` whether there may be more to do at once; seconds until the next turn."""
        raise NotImplementedError

    def _failed(self, error: Exception) -> float:
        """Seconds until the next turn."""
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _took(self) -> None:
        state = self.state
        self.state = State(state.name, state.taken + 1)
        if state.fault is not None:
            self._tell(f"signal {state.name}: works again")

    def _not_taken(self, error: Exception) -> None:
        state = self.state
        said = str(error) if isinstance(error, SignalError) else f"{type(error).__name__}: {error}"
        said = " ".join(said.split()).encode("utf-8", "backslashreplace").decode()
        self.state = State(state.name, state.taken, said)
        if state.fault != said:
            self._tell(f"signal {state.name}: {said}")


class Sender(Worker):
    """Sends a sink what waits for it in the outbox, the oldest first, each until it is acknowledged."""

    def __init__(self, sink: Sink, outbox: Outbox, tell: Tell) -> None:
        super().__init__(sink.name, tell)
        self._sink, self._outbox, self._failures = sink, outbox, 0

    def _turn(self) -> float | None:
        message = self._outbox.first(self._sink.name)
        self._more = message is not None
        if message is None:
            return None
        self._sink.send(message)
        self._outbox.done(self._sink.name, message.sequence)
        self._failures = 0
        self._took()
        return 0.0

    def _failed(self, error: Exception) -> float:
        self._not_taken(error)
        pause = min(LAST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # many boxes must not come back to one broker at once

    def _end(self) -> None:
        self._sink.close()


class Driver(Worker):
    """Drives an output by what `newest` gives, every period; after a fault it is held until that is over."""

    def __init__(self, output: Output, newest: Newest, tell: Tell) -> None:
        super().__init__(output.name, tell)
        self._output, self._newest = output, newest

    def _turn(self) -> float | None:
        start = time.monotonic()
        self._output.drive(self._newest)
        self._took()
        return max(0.0, start + self._output.period - time.monotonic())

    def _failed(self, error: Exception) -> float:
        self._output.fault()
        self._not_taken(error)
        return OUTPUT_PAUSE

    def _end(self) -> None:
        self._output.close()
