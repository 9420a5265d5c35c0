"""Scores of yes/no answers, each in a form that takes weights.

A score is prepared once from the data (checked, masked, sorted) and is then a `Weighted`: many rows of record
weights in, one value a row out. One row of ones gives the plain score, resampled multiplicities give its
bootstrap distribution (`intervals`). A weight k means the same as k copies of the record.

Everywhere: `scores` (N,) real, higher is more yes; `truth` (N,) bool or 0/1; `mask` (N,) bool, True where the
truth is known and counts. What stands under a False mask is never read. NaN where a score is not defined.
ValueError where arrays do not fit together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Weighted = Callable[[Floats], Floats]  # weights (B, N) >= 0 -> values (B,)


def value(statistic: Weighted, records: int) -> float:
    """The plain score of `records` records: every weight is one."""
    return float(statistic(np.ones((1, records)))[0])


def known(truth: ArrayLike, mask: ArrayLike | None) -> tuple[Bools, Bools]:
    """`truth` and `mask` as bool arrays of one shape; truth is False where it is masked.

    Anything but 0, 1 and bool under the mask (a -1 for unknown, say) is an error, never a yes.
    """
    array = np.asarray(truth)
    counted = np.ones(array.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if counted.shape != array.shape:
        raise ValueError(f"expected mask and truth of one shape, got {counted.shape} and {array.shape}")
    if not np.isin(array[counted], (0, 1)).all():
        raise ValueError("expected truth to be 0 or 1 wherever it is known; mask what is unknown")
    return np.where(counted, array, 0).astype(bool), counted


def real(numbers: ArrayLike, counted: Bools, what: str) -> Floats:
    """`numbers` as floats of the mask's shape; finite wherever they count."""
    array = np.asarray(numbers, dtype=np.float64)
    if array.shape != counted.shape:
        raise ValueError(f"expected {what} and truth of one shape, got {array.shape} and {counted.shape}")
    if not np.isfinite(array[counted]).all():
        raise ValueError(f"expected finite {what} wherever the truth is known, got NaN or infinity")
    return array


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Elementwise quotient; NaN, without a warning, where the denominator is 0."""
    quotient = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def weighted_ratio(numerator: ArrayLike, denominator: ArrayLike) -> Weighted:
    """Sum of w * numerator over sum of w * denominator, both (N,): every share and F1 is one of these."""
    parts = np.stack([np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)], axis=1)

    def ratio(weights: Floats) -> Floats:
        sums = weights @ parts  # (B, 2)
        return divide(sums[:, 0], sums[:, 1])

    return ratio


def weighted_auroc(scores: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Weighted:
    """Area under the ROC curve as the Mann-Whitney statistic; a tie counts one half.

    AUROC = (sum over positive i, negative j of w_i w_j ([s_i > s_j] + [s_i = s_j] / 2)) / (W+ W-).
    Mann and Whitney, Ann. Math. Stat. 18 (1947) 50-60; Hanley and McNeil, Radiology 143 (1982) 29-36.
    """
    order, yes, starts = _ranked(scores, truth, mask)

    def auroc_of(weights: Floats) -> Floats:
        positive, negative = _by_score(weights, order, yes, starts)  # (B, G), scores ascending
        below = np.cumsum(negative, axis=1) - negative
        wins = (positive * (below + negative / 2)).sum(axis=1)
        return divide(wins, positive.sum(axis=1) * negative.sum(axis=1))

    return auroc_of


def weighted_average_precision(
    scores: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None
) -> Weighted:
    """Average precision: sum over thresholds of (R_k - R_{k-1}) P_k, not interpolated, ties as one threshold.

    Manning, Raghavan and Schuetze, Introduction to Information Retrieval (2008) section 8.4; ties grouped as
    in scikit-learn's `average_precision_score`.
    """
    order, yes, starts = _ranked(scores, truth, mask)

    def precision_of(weights: Floats) -> Floats:
        positive, negative = (part[:, ::-1] for part in _by_score(weights, order, yes, starts))
        hits = np.cumsum(positive, axis=1)  # (B, G), thresholds descending
        precision = np.nan_to_num(divide(hits, hits + np.cumsum(negative, axis=1)))
        return divide((positive * precision).sum(axis=1), positive.sum(axis=1))

    return precision_of


def _ranked(
    scores: ArrayLike, truth: ArrayLike, mask: ArrayLike | None
) -> tuple[NDArray[np.intp], Bools, NDArray[np.intp]]:
    """Known records by ascending score (indices), their truth, and where each run of equal scores starts."""
    yes, counted = known(truth, mask)
    s = real(scores, counted, "scores")
    columns = np.flatnonzero(counted)
    order = columns[np.argsort(s[columns], kind="stable")]
    ranked = s[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])) if len(order) else order
    return order, yes[order], starts


def _by_score(
    weights: Floats, order: NDArray[np.intp], yes: Bools, starts: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Weight of positives and of negatives for each distinct score, both (B, G)."""
    if not len(starts):  # reduceat knows no empty input
        return np.zeros((len(weights), 0)), np.zeros((len(weights), 0))
    w = weights[:, order]
    positive = np.add.reduceat(w * yes, starts, axis=1)
    return positive, np.add.reduceat(w, starts, axis=1) - positive


def weighted_precision(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Weighted:
    """TP / (TP + FP). van Rijsbergen, Information Retrieval (1979) chapter 7."""
    yes, said = _answers(predicted, truth, mask)
    return weighted_ratio(yes & said, said)


def weighted_recall(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Weighted:
    """TP / (TP + FN). van Rijsbergen (1979) chapter 7."""
    yes, said = _answers(predicted, truth, mask)
    return weighted_ratio(yes & said, yes)


def weighted_f1(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Weighted:
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall. van Rijsbergen (1979) chapter 7.

    Not defined only where there is neither a positive nor a yes.
    """
    yes, said = _answers(predicted, truth, mask)
    return weighted_ratio(2.0 * (yes & said), 1.0 * yes + said)


def _answers(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None) -> tuple[Bools, Bools]:
    """Truth and prediction, both False where masked."""
    yes, counted = known(truth, mask)
    said, _ = known(predicted, counted)
    return yes, said


def weighted_macro_f1(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> Weighted:
    """Mean of the categories' F1 (Opitz and Burst, arXiv 1911.03347, "averaged F1"); arrays are (N, C).

    A category without a positive is left out, and so is one that a resample leaves without.
    """
    yes, said = _answers(predicted, truth, mask)
    hits, asked = 2.0 * (yes & said), 1.0 * yes + said

    def macro(weights: Floats) -> Floats:
        present = weights @ yes.astype(np.float64) > 0  # (B, C)
        each = np.where(present, np.nan_to_num(divide(weights @ hits, weights @ asked)), 0.0)
        return divide(each.sum(axis=1), present.sum(axis=1).astype(np.float64))

    return macro


@dataclass(frozen=True)
class MacroF1:
    """`value`: mean over `counted` categories; `left_out` had no positive. `f1` (C,) has NaN for those."""

    value: float
    counted: int
    left_out: int
    f1: tuple[float, ...]


def macro_f1(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> MacroF1:
    """Macro-F1 with its categories; see `weighted_macro_f1`."""
    yes, said = _answers(predicted, truth, mask)
    hits, positives, asked = (np.atleast_1d(part.sum(axis=0)) for part in (yes & said, yes, 1.0 * yes + said))
    each = divide(2.0 * hits, np.where(positives > 0, asked, 0.0))
    present = each[positives > 0]
    mean = float(present.mean()) if len(present) else float("nan")
    return MacroF1(mean, len(present), len(each) - len(present), tuple(float(f) for f in each))


def auroc(scores: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """See `weighted_auroc`; NaN unless both classes occur."""
    return value(weighted_auroc(scores, truth, mask), len(np.asarray(truth)))


def average_precision(scores: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """See `weighted_average_precision`; NaN without positives."""
    return value(weighted_average_precision(scores, truth, mask), len(np.asarray(truth)))


def precision(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """See `weighted_precision`; NaN where nothing was said yes to."""
    return value(weighted_precision(predicted, truth, mask), len(np.asarray(truth)))


def recall(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """See `weighted_recall`; NaN without positives."""
    return value(weighted_recall(predicted, truth, mask), len(np.asarray(truth)))


def f1(predicted: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None) -> float:
    """See `weighted_f1`."""
    return value(weighted_f1(predicted, truth, mask), len(np.asarray(truth)))
