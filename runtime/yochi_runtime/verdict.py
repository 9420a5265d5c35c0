"""From probabilities to one word: a pure function, with a truth table as its test.

The verdict is the highest of the verdict slot and of every factor above its calibrated threshold
(S2 -> stop, S1 -> caution). Nothing lowers it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """Ordered from harmless to dangerous; `cannot_judge` stands apart and above."""

    PROCEED = "proceed"
    CAUTION = "caution"
    STOP = "stop"
    CANNOT_JUDGE = "cannot_judge"


JUDGED = (Verdict.PROCEED, Verdict.CAUTION, Verdict.STOP)
_RANK = {Verdict.PROCEED: 0, Verdict.CAUTION: 1, Verdict.STOP: 2, Verdict.CANNOT_JUDGE: 3}


def highest(verdicts: Iterable[Verdict]) -> Verdict:
    """The most careful of `verdicts`; `proceed` for none."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.PROCEED)


def of_severity(severity: Literal["S1", "S2"]) -> Verdict:
    return Verdict.STOP if severity == "S2" else Verdict.CAUTION


def of_slot(caution: float, stop: float, threshold_caution: float, threshold_stop: float) -> Verdict:
    """The verdict slot alone. `caution` is P(caution or stop), `stop` is P(stop), both 0..1.

    Asked as `not <`, so that a NaN, which compares as false, is never the way to `proceed`.
    """
    if not stop < threshold_stop:
        return Verdict.STOP
    if not caution < threshold_caution:
        return Verdict.CAUTION
    return Verdict.PROCEED
