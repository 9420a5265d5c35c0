"""An engine that is started again when it fails, in a process of its own.

Whatever goes wrong with a request (a crash, silence, lateness, numbers that are none, rubbish) ends the
process and is an EngineError: what such an engine holds in memory is not believed. The next request starts
another. After more than FREE_RESTARTS failures within WINDOW seconds the next start waits 1, 2, 4 ...
MAX_PAUSE seconds, and requests until then fail at once.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .engine_child import COMPUTED
from .engine_process import ANSWER_LIMIT, SILENCE_LIMIT, START_LIMIT, EngineProcess
from .errors import EngineError, Reason
from .wire import Arrays, Message

FREE_RESTARTS = 3
WINDOW = 300.0  # seconds
MAX_PAUSE = 30.0  # seconds
Check = Callable[[], None]
T = TypeVar("T")


class Supervised:
    """The engine `kind` of `engine_child`, opened with `settings` (JSON values).

    `whole` is called before every start but the first, and raises where the files that were checked on
    opening are others by now. `facts` is what the engine said of itself when it was ready; `computed_ms` what
    it has computed since, all its processes together. EngineError where it cannot be opened.
    """

    def __init__(self, kind: str, settings: Mapping[str, Any], whole: Check) -> None:
        self._kind, self._settings, self._whole = kind, settings, whole
        self._process: EngineProcess | None = None
        self._failures: deque[float] = deque(maxlen=32)
        self._last = EngineError(Reason.ENGINE_FAILED, f"expected an open {kind} engine, it is closed")
        self._not_before = 0.0
        self.facts: Mapping[str, Any] = {}
        self.starts = 0
        self.computed_ms = 0.0
        self._guarded(self._start)

    def ask(
        self,
        head: Mapping[str, Any],
        arrays: Arrays,
        read: Callable[[Message], T],
        within: float | None = None,
    ) -> T:
        """What `read` makes of the answer; an EngineError of its own is the engine's failure, too.

        `within`: seconds, at most and by default ANSWER_LIMIT.
        """

        def asked() -> T:
            limit = ANSWER_LIMIT if within is None else min(within, ANSWER_LIMIT)
            process, start = self._running(), time.perf_counter()
            answer = process.exchange(Message(head, arrays), limit, SILENCE_LIMIT)
            self.computed_ms += computed(answer, (time.perf_counter() - start) * 1e3)
            return read(answer)

        wait = self._not_before - time.monotonic()
        if self._process is None and wait > 0:
            raise EngineError(
                self._last.reason,
                f"expected the {self._kind} engine, got {len(self._failures)} failures in a row; "
                f"it is started again in {wait:.0f} s. The last: {self._last}",
            )
        return self._guarded(asked)

    def ping(self) -> None:
        """EngineError unless it is there and answers."""
        self.ask({"do": "ping"}, {}, lambda _: None)

    def close(self) -> None:
        """End it for good; may be repeated."""
        self._end()
        self._not_before = float("inf")

    def _running(self) -> EngineProcess:
        if self._process is None:
            self._whole()
            return self._start()
        return self._process

    def _start(self) -> EngineProcess:
        self.starts += 1
        try:
            self._process = EngineProcess(self._kind)
        except OSError as e:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected to start the {self._kind} engine, got: {e.strerror}; close other programs",
            ) from e
        self.facts = self._process.exchange(Message(self._settings), START_LIMIT, START_LIMIT).head
        return self._process

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except BaseException as e:  # an interrupted request would leave its answer to the next one
            self._end()
            if isinstance(e, EngineError):
                self._note(e)
            raise

    def _note(self, failure: EngineError) -> None:
        now = time.monotonic()
        self._last = failure
        self._failures.append(now)
        over = sum(now - at < WINDOW for at in self._failures) - FREE_RESTARTS
        self._not_before = now + (min(2.0 ** (over - 1), MAX_PAUSE) if over > 0 else 0.0)

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def computed(answer: Message, waited: float) -> float:
    """Milliseconds that an engine says it computed, of the `waited` ones; 0 where it says nothing sound.

    Benchmarks alone read it: a wrong one may make a share too small, never too large, and ends no engine.
    """
    said = answer.head.get(COMPUTED)
    # bool is an int, and NaN lies in no interval
    return said if type(said) is float and 0.0 <= said <= waited else 0.0
