"""The log of a run while it is made: a line a step in `log.jsonl`, and its numbers as TensorBoard scalars.

Event files are written by tensorboardX's record writer, without its thread: what cannot be written, on a full
disk for instance, is an error here and not a queue that nobody empties.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import Summary

from .progress import Progress
from .run_folder import LOG
from .run_page import COUNTERS
from .settings import PolicySettings

SCALARS = "tensorboard"


class Walker(Protocol):
    """What a run of steps is made by; `step` counts those that are done, in the run folder `out`."""

    step: int
    out: Path

    @property
    def settings(self) -> PolicySettings: ...
    def train_step(self) -> dict[str, Any]:
        """One more step; its line of the log, with `loss`."""

    def checkpoint(self) -> None: ...


def walk(name: str, walker: Walker, total: int) -> None:
    """To the step `total`: each is logged and shown, and after every so many the run can go on from there."""
    progress = Progress(name, total, walker.step)
    with RunLog(walker.out, walker.step) as log:
        while walker.step < total:
            line = walker.train_step()
            log.add(line)
            if walker.step % walker.settings.checkpoint_every == 0 or walker.step == total:
                walker.checkpoint()
            progress.step(note=f"loss {line['loss']:.3f}")


class RunLog:
    """Goes on behind `done` steps: TensorBoard forgets what an interrupted run wrote of later ones.

    A context manager. OSError where it cannot write.
    """

    def __init__(self, out: Path, done: int) -> None:
        self._step = done
        (out / SCALARS).mkdir(exist_ok=True)
        self._lines = (out / LOG).open("a", encoding="utf-8")
        # the step in the name: two within a second are two files
        self._events = EventsWriter(str(out / SCALARS / "events"), f".{done}")
        self._write(Event(session_log=SessionLog(status=SessionLog.START), step=done + 1))

    def add(self, line: Mapping[str, Any]) -> None:
        """One step: every number of it, under its own name."""
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        self._step += 1
        numbers = {name: value for name, value in line.items() if name not in COUNTERS and value is not None}
        self.scalars(numbers, self._step)

    def scalars(self, numbers: Mapping[str, float], step: int) -> None:
        """Numbers of no line, such as what a round reached."""
        values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in numbers.items()]
        self._write(Event(summary=Summary(value=values), step=step))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._events.write_event(event)
        self._events.flush()

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._events.close()
