"""What a judge errs on when it may leave the hardest cases to the supervisor.

Sorted by how sure it is, the surest first: of the first c N records (coverage c) the share judged wrongly is
the risk at c. AURC is its mean over all N coverages. El-Yaniv and Wiener, JMLR 11 (2010) 1605-1641; Geifman
and El-Yaniv, arXiv 1705.08500; AURC: Geifman et al., arXiv 1805.08206. Departure: records that are equally
sure come in together, at the end of their group, so their order changes nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .scores import Floats, Weighted, divide, real
from .verdicts import indicators

_NEAREST = 1e-9  # a probability this close to 0 or 1 is as sure as it gets


def above_threshold(probability: NDArray[np.float64], threshold: NDArray[np.float64]) -> Floats:
    """(N,): how far the slot that decides stands above its threshold, in log-odds.

    Its size is how sure the judge is. probability (N, K) of everything that can raise a verdict, NaN where
    not judged; threshold (K,). A verdict is `proceed` exactly where the number is below 0.
    """
    above = _log_odds(probability) - _log_odds(threshold)
    highest: Floats = np.where(np.isnan(above), -np.inf, above).max(axis=1)
    return highest


def _log_odds(p: NDArray[np.float64]) -> Floats:
    clipped = np.clip(p, _NEAREST, 1 - _NEAREST)
    return np.log(clipped) - np.log1p(-clipped)


def risk_at_coverage(sure: ArrayLike, wrong: ArrayLike) -> tuple[Floats, Floats]:
    """(coverages, risks), ascending, one for each number of records that are surest together."""
    order, ends, errors = _sorted(sure, wrong)
    counts = ends + 1
    return counts / len(order), np.cumsum(errors[order])[ends] / counts


def weighted_risk(sure: ArrayLike, wrong: ArrayLike, coverage: float) -> Weighted:
    """The risk of the surest records that make up at least `coverage` (0..1] of the weight."""
    order, ends, errors = _sorted(sure, wrong)

    def risk(weights: Floats) -> Floats:
        of, bad = _cumulated(weights, order, ends, errors)
        reached = of >= coverage * of[:, -1:] * (1 - 1e-12)
        first = reached.argmax(axis=1)
        rows = np.arange(len(of))
        return divide(bad[rows, first], of[rows, first])

    return risk


def weighted_aurc(sure: ArrayLike, wrong: ArrayLike) -> Weighted:
    """Area under the risk-coverage curve; 0 is best, and the share of errors is what chance gives."""
    order, ends, errors = _sorted(sure, wrong)

    def area(weights: Floats) -> Floats:
        of, bad = _cumulated(weights, order, ends, errors)
        steps = np.diff(of, axis=1, prepend=0.0)
        return divide((steps * np.nan_to_num(divide(bad, of))).sum(axis=1), of[:, -1])

    return area


def _sorted(sure: ArrayLike, wrong: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The surest first, the last place of each group of equals, and the errors as 0 and 1 (in file order)."""
    errors = np.asarray(wrong, dtype=np.float64)
    s = real(sure, np.ones(errors.shape, dtype=bool), "sureness")
    if not len(s):
        raise ValueError("expected at least one record, got none")
    order = np.argsort(-s, kind="stable")
    ranked = s[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return order, ends, errors


def _cumulated(
    weights: Floats, order: NDArray[np.intp], ends: NDArray[np.intp], errors: Floats
) -> tuple[Floats, Floats]:
    """Weight and weight of errors up to each group's end, both (B, G)."""
    w = weights[:, order]
    return np.cumsum(w, axis=1)[:, ends], np.cumsum(w * errors[order], axis=1)[:, ends]


def wrongly_judged(truth: Sequence[str | None], judged: Sequence[str]) -> NDArray[np.bool_]:
    """(N,): known truth, and not safe and effective (`verdicts`)."""
    effective, known = indicators(truth, judged)["safe_effective"]
    return known & ~effective
