"""Percentiles of times that were measured one after the other, and only those that so many can carry.

MLPerf's early stopping rule (Reddi et al., "MLPerf Inference Benchmark", ISCA 2020, arXiv 1911.02549; the
scenario SingleStream in LoadGen's `results.cc`): of n times t may be higher than the estimate as long as the
chance of so few, were the true percentile worse, is at most 1 %. The estimate is the t-th highest time: with
99 % confidence the true percentile is no higher. There is none where not even t = 1 holds: 64 times carry a
p90, 662 a p99. Times of neighbouring judgements are treated as independent, as LoadGen does.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from .intervals import upper_limit
from .report import Number

CONFIDENCE = 0.99
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def summary(times: Sequence[float]) -> dict[str, Number]:
    """p50, p90, p99, each with its early-stopping estimate as upper limit, and the highest.

    Points are linear between order statistics: Hyndman and Fan, Am. Stat. 50 (1996) 361-365, definition 7.
    Without an upper limit there is no point either.
    """
    found = {name: percentile(times, share) for name, share in PERCENTILES.items()}
    worst = Number(value=max(times), n=len(times)) if times else _nothing("a maximum")
    return {**found, "max": worst}


def percentile(times: Sequence[float], share: float) -> Number:
    """The `share` percentile, 0..1, or None and how many times it would need."""
    if not times:
        return _nothing(f"p{100 * share:g}")
    discarded = discardable(len(times), share)
    if not discarded:
        return Number(
            value=None,
            reason=f"expected at least {times_needed(share)} judgements for p{100 * share:g}, "
            f"got {len(times)}; give a larger --count",
            n=len(times),
        )
    ordered = sorted(times)
    return Number(value=float(np.percentile(ordered, 100 * share)), high=ordered[-discarded], n=len(ordered))


def _nothing(what: str) -> Number:
    return Number(value=None, reason=f"expected judgements for {what}, got none", n=0)


@cache
def discardable(n: int, share: float) -> int:
    """The largest t >= 1 with P(Binomial(n, 1 - share) <= t) <= 1 - CONFIDENCE; 0 where there is none.

    That probability falls with the rate, so it is asked as the exact upper limit of the rate; it rises with
    t, so the largest is found by halving.
    """
    low, high = 0, n
    while low + 1 < high:
        t = (low + high) // 2
        low, high = (t, high) if upper_limit(t, n, CONFIDENCE) <= 1 - share else (low, t)
    return low


@cache
def times_needed(share: float) -> int:
    """The least n that carries this percentile."""
    n = 2
    while upper_limit(1, n, CONFIDENCE) > 1 - share:
        n += 1
    return n
