"""What goes wrong with a camera while it runs, made on purpose, one of ten frames, the kinds in turn.

Faults of the picture (dark, out of focus, covered) are made on the good frame; the others are of the stream:
a frame that comes late, one and the same frame again, none at all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from yochi_devices.camera import CameraError
from yochi_devices.frame import CameraFrame, Rgb
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.limits import FROZEN, STALE
from yochi_runtime.run import Shot
from yochi_runtime.scene import Stages

from .faults import blurred, covered, lit
from .timed import Clock

EVERY = 10  # a fault
PICTURE_FAULTS: dict[str, Callable[[Rgb, np.random.Generator], Rgb]] = {
    "light x 0.002": lambda photo, _: lit(photo, 0.002),
    "blur 6": lambda photo, _: blurred(photo, 6),
    "covered 100%": lambda photo, rng: covered(photo, 1.0, rng),
}
LATE_S, STILL_S = STALE.threshold + 0.5, FROZEN.threshold + 0.1
LATE, STILL, LOST = f"{LATE_S:g} s late", f"the last frame again after {STILL_S:g} s", "no frame"
FAULTS = (*PICTURE_FAULTS, LATE, STILL, LOST)
NO_FAULT = "no fault"


@dataclass(frozen=True)
class Seen:
    """What the camera gave, with which fault, and the note of the moment."""

    fault: str
    shot: Shot
    note: Note


@dataclass
class FaultyCamera:
    """Gives the inspections' frames as a live camera does. `clock` is that of the gates, `time.monotonic`."""

    inspections: Iterator[Inspection]
    clock: Clock
    seed: int
    _last: CameraFrame | None = None
    _given: int = 0
    _kinds: Iterator[str] = field(default_factory=lambda: cycle(FAULTS))

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def read(self, arrived: float) -> Seen:
        """The frame that arrived then; one that repeats is waited for until its first is old enough."""
        self._given += 1
        fault = NO_FAULT if self._given % EVERY else next(self._kinds)
        inspection = next(self.inspections)
        picture = self._picture(fault, inspection.frame.rgb, arrived)
        return Seen(fault, Shot(picture, Stages()), inspection.note)

    def _picture(self, fault: str, rgb: Rgb, arrived: float) -> CameraFrame | CameraError:
        if fault == LOST:
            return CameraError("expected a frame of the camera, got none; the benchmark took it away")
        if fault == STILL and self._last is not None:
            self.clock.sleep(max(0.0, self._last.monotonic + STILL_S - self.clock.now()))
            rgb, arrived = self._last.rgb, self.clock.now()
        elif fault == LATE:
            arrived -= LATE_S
        elif fault in PICTURE_FAULTS:
            rgb = PICTURE_FAULTS[fault](rgb, self._rng)
        self._last = CameraFrame(rgb, self._given, arrived, f"frame {self._given}", live=True)
        return self._last
