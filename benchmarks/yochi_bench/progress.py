"""One line of progress with the time left, for terminals and for logs."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Progress:
    """Counts up to `total`. Redraws in place on a terminal; elsewhere a line every `interval` seconds."""

    def __init__(
        self,
        what: str,
        total: int,
        done: int = 0,
        interval: float = 15.0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.done, self.interval = what, total, done, interval
        self._stream = stream or sys.stderr
        self._clock = clock
        self._first = done
        self._start = clock()
        self._shown = float("-inf")

    def step(self, count: int = 1, note: str = "") -> None:
        self.done += count
        now = self._clock()
        live = self._stream.isatty()
        if now - self._shown < (0.2 if live else self.interval) and self.done < self.total:
            return
        self._shown = now
        line = self.line(now, note)
        self._stream.write(f"\r{line}\x1b[K" if live else f"{line}\n")
        if live and self.done >= self.total:
            self._stream.write("\n")
        self._stream.flush()

    def line(self, now: float, note: str = "") -> str:
        fresh = self.done - self._first
        left = (now - self._start) / fresh * (self.total - self.done) if fresh else 0.0
        tail = f", {note}" if note else ""
        return f"{self.what}: {self.done}/{self.total}, {int(left) // 60}:{int(left) % 60:02d} left{tail}"
