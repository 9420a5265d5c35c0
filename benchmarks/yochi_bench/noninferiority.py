"""Is one judge no worse than another, by more than a margin that was set before? One-sided, on pairs.

Not "no difference was found", which few records always give: the limit of the difference must lie below the
margin (Piaggio et al., CONSORT for non-inferiority trials, JAMA 308 (2012) 2594-2604). The limit here is the
larger of two: the pigeonhole bootstrap of the paired difference, which knows that records share pictures and
templates but says nothing where no record differs; and the exact upper limit (Clopper and Pearson 1934) of
the share that only the new judge gets wrong, which the difference cannot exceed.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .intervals import Interval, Resamples, paired_difference, upper_limit
from .scores import Bools, weighted_ratio

CONFIDENCE = 0.95  # one-sided
Status = Literal["shown", "refuted", "undecided"]


@dataclass(frozen=True)
class NonInferiority:
    """Of `of` records: `lost` only the new judge gets wrong, `won` only the old one. Shares are 0..1.

    `difference` is new - old with its two one-sided limits; NaN of no records.
    """

    of: int
    lost: int
    won: int
    margin: float
    difference: Interval
    limit: float

    @property
    def status(self) -> Status:
        """`undecided` where the limit lies above the margin and the difference may still lie below it."""
        if self.of and self.limit <= self.margin:
            return "shown"
        return "refuted" if self.difference.low > self.margin else "undecided"

    def as_json(self) -> dict[str, object]:
        counts = {"of": self.of, "lost": self.lost, "won": self.won, "margin": self.margin}
        limit = round(self.limit, 6)
        return {
            **counts,
            "difference": self.difference.as_json(),
            "limit": limit,
            "status": self.status,
        }


def non_inferiority(old: Bools, new: Bools, of: Bools, resamples: Resamples, margin: float) -> NonInferiority:
    """`old` and `new` (N,): wrong on this record; `of` (N,): the records that count."""
    lost, won, total = int((new & ~old & of).sum()), int((old & ~new & of).sum()), int(of.sum())
    two_sided = 1 - 2 * (1 - CONFIDENCE)  # whose ends are each a one-sided limit
    difference = paired_difference(
        weighted_ratio(new & of, of), weighted_ratio(old & of, of), resamples, two_sided
    )
    exact = upper_limit(lost, total, CONFIDENCE) if total else 1.0
    return NonInferiority(total, lost, won, margin, difference, float(np.fmax(exact, difference.high)))
