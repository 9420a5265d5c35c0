"""What a frame and its camera are measured by, the limit of each measure, and what a person does about it.

Limits are in the measure's own unit. `yochi-bench gates PHOTOS` shows how often each refuses a good photo and
how often it notices a fault that was made on purpose. Light, cover and blur of one frame were chosen on 300
photos; the limits of a stream and of a reference on drawn scenes only.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .errors import FrameError, Reason
from .taxonomy import Frozen

Finite = Annotated[float, Field(allow_inf_nan=False)]
Bound = Literal["at_least", "at_most"]


class Gate(Frozen):
    """One measure of a frame and the limit it must keep; `reason` is what it fails with."""

    reason: Reason
    value: Finite | None  # None: what came is no number, and does not pass
    bound: Bound
    threshold: Finite
    unit: str
    passed: bool

    @model_validator(mode="after")
    def _passed_is_what_the_numbers_say(self) -> "Gate":
        if self.passed != _keeps(self.value, self.bound, self.threshold):
            raise ValueError(f"{self.reason}: expected passed where the value keeps the threshold")
        return self


@dataclass(frozen=True)
class Limit:
    """A gate before it measures: `expected` is a format of `limit`, `do` is for a person."""

    reason: Reason
    bound: Bound
    threshold: float
    unit: str
    expected: str
    do: str

    def gate(self, value: float) -> Gate:
        return Gate(
            reason=self.reason,
            value=value if math.isfinite(value) else None,
            bound=self.bound,
            threshold=self.threshold,
            unit=self.unit,
            passed=_keeps(value, self.bound, self.threshold),
        )

    def refusal(self, value: float) -> str:
        """One line: what was expected, what came, what to do."""
        expected = self.expected.format(limit=self.threshold)
        return f"expected {expected}, got {value:.1f} {self.unit}; {self.do}"


Measured = tuple[Limit, float]


class GateError(FrameError):
    """A frame that a gate refuses; `gates` are all that were measured, in order."""

    def __init__(self, reason: Reason, message: str, gates: tuple[Gate, ...]) -> None:
        super().__init__(reason, message)
        self.gates = gates


def check(measured: list[Measured]) -> tuple[Gate, ...]:
    """All gates, or GateError with the reason of the first that does not pass."""
    gates = tuple(limit.gate(value) for limit, value in measured)
    for (limit, value), gate in zip(measured, gates, strict=True):
        if not gate.passed:
            raise GateError(gate.reason, limit.refusal(value), gates)
    return gates


def gates_of(error: Exception) -> tuple[Gate, ...]:
    """What had been measured when `error` was raised; nothing where it is no gate's."""
    return error.gates if isinstance(error, GateError) else ()


def _keeps(value: float | None, bound: Bound, threshold: float) -> bool:
    if value is None or not math.isfinite(value):
        return False
    return value >= threshold if bound == "at_least" else value <= threshold


# One frame. The flattest of the photos, smoke and snow included, has a deviation of 12.9.
BLANK = Limit(
    Reason.FRAME_BLANK, "at_least", 4.0, "of 255",
    "a picture whose gray levels deviate by {limit:g} of 255 or more",
    "uncover the camera, check light and lens",
)  # fmt: skip
# The darkest of 300 photos, flames at night, has 32; all but one in 200 have 80 or more.
DARK = Limit(
    Reason.FRAME_DARK, "at_least", 28.0, "of 255",
    "a picture whose lightest twentieth is at {limit:g} of 255 or more",
    "switch the light on or raise the exposure",
)  # fmt: skip
# The lightest of 300 photos has 138.
OVEREXPOSED = Limit(
    Reason.FRAME_OVEREXPOSED, "at_most", 208.0, "of 255",
    "a picture whose darkest twentieth is at {limit:g} of 255 or less",
    "shade the lens or lower the exposure",
)  # fmt: skip
# One frame cannot tell a hand from a clear sky: one photo in 200 is plain over 76 %. See HIDDEN.
COVERED = Limit(
    Reason.FRAME_COVERED, "at_most", 80.0, "%",
    "a picture of which at most {limit:g} % is one plain region from its border on",
    "take away what is in front of the camera, wipe the lens",
)  # fmt: skip
# Of 512 pixels. All but one photo in 200 have 1.16 or less; blurred by a Gaussian of 2 the median is 1.6.
BLURRED = Limit(
    Reason.FRAME_BLURRED, "at_most", 1.2, "px",
    "a picture whose edges spread over at most {limit:g} px of 512",
    "wipe the lens, check its focus, hold the camera still",
)  # fmt: skip

# A stream.
STALE = Limit(
    Reason.FRAME_STALE, "at_most", 1.0, "s",
    "a live frame at most {limit:g} s old",
    "check the camera and what else runs here",
)  # fmt: skip
# A live sensor's noise never repeats itself. Two seconds, because a driver may give a frame twice.
FROZEN = Limit(
    Reason.FRAME_FROZEN, "at_most", 2.0, "s",
    "other pixels within {limit:g} s",
    "the camera repeats one picture, restart it",
)  # fmt: skip
# A recording that has shown noise: more than a network's hiccup or a doubled frame rate repeats.
REPEATED = Limit(
    Reason.FRAME_FROZEN, "at_most", 10.0, "frames",
    "at most {limit:g} repetitions of one frame",
    "the recording stands still, check its camera",
)  # fmt: skip

# A fixed camera against its reference.
RESIZED = Limit(
    Reason.FRAME_RESIZED, "at_most", 0.0, "px",
    "the reference's width and height",
    "set the camera's resolution back or give a new reference",
)  # fmt: skip
HIDDEN = Limit(
    Reason.FRAME_COVERED, "at_most", 20.0, "%",
    "at most {limit:g} % of what the reference shows to be plain now",
    "take away what is in front of the camera, wipe the lens",
)  # fmt: skip
MOVED = Limit(
    Reason.FRAME_MOVED, "at_most", 3.0, "%",
    "the reference's view, at most {limit:g} % of the picture's longer side away",
    "turn the camera back or give a new reference",
)  # fmt: skip
