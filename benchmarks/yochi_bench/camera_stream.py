"""A camera of a fixed rate: how old is what was seen when its verdict may be shown, what is passed over?

Frame k arrives at k / rate seconds, whatever the judge does. As in a box the newest frame is judged, and
those that arrived meanwhile are passed over. The time counts from a frame's arrival, so a judge that is too
slow cannot hide behind waiting frames.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from yochi_devices.frame import CameraFrame
from yochi_runtime.inspection import Inspection
from yochi_runtime.stream import StreamGates

from .percentiles import summary
from .report import Column, Number, Row, Table
from .timed import CAPTION, COLUMNS, Box, Clock, Timings, stage_rows

AGE, SHOWN, GATES = "frame age when judging begins", "frame's arrival to its verdict", "camera gates"
RATE = 5.0  # frames a second, where nobody says otherwise
_EARLY = 1e-9  # seconds; a clock's rounding makes no frame late


@dataclass(frozen=True)
class Stream:
    """Milliseconds of each judged frame, and frames that arrived from the first to the last judged one."""

    ages: list[float]
    gates: list[float]
    stages: list[Timings]
    shown: list[float]
    offered: int
    seconds: float  # from the first arrival to the last verdict

    def tables(self, rate: float) -> list[Table]:
        """From a frame's arrival to its durable verdict, part by part; and how many frames there were."""
        before, after = (
            [Row(id=name, cells=summary(values)) for name, values in parts]
            for parts in (((AGE, self.ages), (GATES, self.gates)), ((SHOWN, self.shown),))
        )
        times = Table(
            id="camera",
            title=f"A camera of {rate:g} frames a second",
            columns=COLUMNS,
            rows=(*before, *stage_rows(self.stages), *after),
            caption=CAPTION,
        )
        return [times, frames_table(self.offered, len(self.shown), self.seconds)]


def frames_table(offered: int, judged: int, seconds: float) -> Table:
    """How many the camera offered, and how many of them were judged."""
    counts = {"offered": offered, "judged": judged, "passed over": offered - judged}
    rows = [Row(id=name, cells={"frames": Number(value=n)}) for name, n in counts.items()]
    rows.append(Row(id="judged a second", cells={"rate": Number(value=judged / seconds)}))
    columns = (Column(id="frames", unit="count"), Column(id="rate", unit="1/s", better="higher"))
    return Table(id="camera_frames", title="The camera's frames", columns=columns, rows=tuple(rows))


def arrivals(clock: Clock, rate: float, start: float) -> Iterator[tuple[int, float]]:
    """Number and arrival, in the clock's seconds, of the newest frame each time; waits where none is new.

    Frame 0 arrives at `start`.
    """
    last = -1
    while True:
        now = clock.now() - start
        newest = math.floor(now * rate + _EARLY)
        if newest <= last:
            clock.sleep((last + 1) / rate - now)
            continue
        last = newest
        yield newest, start + newest / rate


def stream(box: Box, frames: Iterator[Inspection], rate: float, count: int) -> Stream:
    """Judge `count` frames of a camera that offers `rate` a second. CannotJudge or GateError where one fails.

    The first frame arrives when this is called. The box's clock must be that of the gates, `time.monotonic`.
    """
    ages: list[float] = []
    gates_ms: list[float] = []
    stages: list[Timings] = []
    shown: list[float] = []
    gates, following, offered, start = StreamGates(), next(frames), 0, box.clock.now()
    for number, arrived in arrivals(box.clock, rate, start):
        now, inspection, offered = box.clock.now(), following, number + 1
        ages.append((now - arrived) * 1e3)
        picture = CameraFrame(inspection.frame.rgb, number, arrived, f"frame {number}", live=True)
        gates.check(picture, inspection.frame)
        gates_ms.append((box.clock.now() - now) * 1e3)
        stages.append(box.timed(inspection)[0])
        shown.append((box.clock.now() - arrived) * 1e3)
        if len(shown) == count:
            break
        following = next(frames)  # made while no frame waits: a camera's costs nothing here
    return Stream(ages, gates_ms, stages, shown, offered, box.clock.now() - start)
