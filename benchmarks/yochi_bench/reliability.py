"""A reliability diagram: of the answers that were said with about this probability, how many hold.

DeGroot and Fienberg, The Statistician 32 (1983) 12-22. Bins of equal width, so that the whole range is seen:
a risk is rare, and nine of ten bins of equal mass would lie below a probability of 0.1. Limits are Clopper
and Pearson's, 95 %. They take answers as independent; the slots of one record and the records of one picture
are not, so other pictures may lie outside more often than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .intervals import clopper_pearson
from .report import Series
from .scores import known, real

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The answers whose probability is in [`low`, `high`); the last bin has its upper end, too.

    `said`: their mean probability; `held` of `answers` were true.
    """

    low: float
    high: float
    said: float
    answers: int
    held: int

    @property
    def share(self) -> float:
        return self.held / self.answers

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Of the share."""
        return clopper_pearson(self.held, self.answers)


def reliability(probability: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> list[Bin]:
    """BINS bins, those that hold no answer left out."""
    yes, counted = known(truth, mask)
    p, y = real(probability, counted, "probabilities")[counted], yes[counted]
    place = np.minimum((p * BINS).astype(np.intp), BINS - 1)
    found = []
    for i in range(BINS):
        here = place == i
        if here.any():
            said, answers, held = float(p[here].mean()), int(here.sum()), int(y[here].sum())
            found.append(Bin(i / BINS, (i + 1) / BINS, said, answers, held))
    return found


def marks_of(name: str, bins: Sequence[Bin]) -> Series:
    """As marks with their limits, for a plot."""
    return Series(
        name=name,
        x=tuple(b.said for b in bins),
        y=tuple(b.share for b in bins),
        marks=True,
        limits=tuple(b.limits for b in bins),
    )
