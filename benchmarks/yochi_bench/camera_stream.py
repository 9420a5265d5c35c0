"""A camera of a fixed rate: how old is what was seen when its verdict may be shown, what is passed over?

Frame k arrives at k / rate seconds, whatever the judge does. As in a box the newest frame is judged, and
those that arrived meanwhile are passed over. The time counts from a frame's arrival, so a judge that is too
slow cannot hide behind waiting frames.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from yochi_devices.frame import CameraFrame
from yochi_runtime.inspection import Inspection
from yochi_runtime.stream import StreamGates

from .percentiles import summary
from .report import Column, Number, Row, Table
from .timed import CAPTION, COLUMNS, Box

AGE, SHOWN, GATES = "frame age when judging begins", "frame's arrival to its verdict", "camera gates"
_EARLY = 1e-9  # seconds; a clock's rounding makes no frame late


@dataclass(frozen=True)
class Stream:
    """Milliseconds of each judged frame, and frames that arrived from the first to the last judged one."""

    ages: list[float]
    gates: list[float]
    shown: list[float]
    offered: int
    seconds: float  # from the first arrival to the last verdict

    def tables(self, rate: float) -> list[Table]:
        rows = ((AGE, self.ages), (GATES, self.gates), (SHOWN, self.shown))
        times = Table(
            id="camera",
            title=f"A camera of {rate:g} frames a second",
            columns=COLUMNS,
            rows=tuple(Row(id=name, cells=summary(values)) for name, values in rows),
            caption=CAPTION,
        )
        return [times, self._counts()]

    def _counts(self) -> Table:
        judged = len(self.shown)
        counts = {"offered": self.offered, "judged": judged, "passed over": self.offered - judged}
        rows = [Row(id=name, cells={"frames": Number(value=n)}) for name, n in counts.items()]
        rows.append(Row(id="judged a second", cells={"rate": Number(value=judged / self.seconds)}))
        columns = (Column(id="frames", unit="count"), Column(id="rate", unit="1/s", better="higher"))
        return Table(id="camera_frames", title="The camera's frames", columns=columns, rows=tuple(rows))


def stream(box: Box, frames: Iterator[Inspection], rate: float, count: int) -> Stream:
    """Judge `count` frames of a camera that offers `rate` a second. CannotJudge or GateError where one fails.

    The first frame arrives when this is called.
    """
    ages: list[float] = []
    gates_ms: list[float] = []
    shown: list[float] = []
    gates, last = StreamGates(), -1
    start, following = box.clock.now(), next(frames)
    while len(shown) < count:
        now = box.clock.now() - start
        newest = math.floor(now * rate + _EARLY)
        if newest <= last:
            box.clock.sleep((last + 1) / rate - now)
            continue
        arrived, last, inspection = newest / rate, newest, following
        ages.append((now - arrived) * 1e3)
        # The gates read the system's clock; the frame is as old on it as it is on ours.
        arrival = time.monotonic() - (now - arrived)
        picture = CameraFrame(inspection.frame.rgb, newest, arrival, f"frame {newest}", live=True)
        gates.check(picture, inspection.frame)
        gates_ms.append((box.clock.now() - start - now) * 1e3)
        box.timed(inspection)
        shown.append((box.clock.now() - start - arrived) * 1e3)
        following = next(frames)  # made while no frame waits: a camera's costs nothing here
    return Stream(ages, gates_ms, shown, last + 1, box.clock.now() - start)
