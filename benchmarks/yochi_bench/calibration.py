"""From raw margins to probabilities that mean what they say, and from probabilities to thresholds.

A slot's margin is logit(yes) - logit(no). Calibrated: p = sigmoid(margin / temperature + bias), the form of
`yochi_runtime.bundle.SlotCalibration`. A risk is said when p >= threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .scores import Bools, Floats, divide, known, real

PRIOR = 0.01  # 1 / variance of slope (around 1) and bias (around 0): ten units wide, felt where data ends
MAX_TEMPERATURE = 100.0
MAX_STEPS = 100
_INVERSE_GOLDEN = (5**0.5 - 1) / 2


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -z))


def expected_calibration_error(
    probability: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None, bins: int = 15
) -> float:
    """ECE = sum over bins of n_b / N |mean probability - share of positives|; NaN of nothing.

    Naeini et al., AAAI 2015; Guo et al., arXiv 1706.04599, eq. 3; bins of equal mass as in Nixon et al.,
    arXiv 1904.01685 (ACE). Departure: equal probabilities stay in one bin, that of their middle rank, so the
    result does not depend on the order of the records; bins may then differ in mass.
    """
    yes, counted = known(truth, mask)
    p = real(probability, counted, "probabilities")[counted]
    if not len(p):
        return float("nan")
    _, group, size = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - size / 2  # middle rank of each distinct probability, 0..N
    of_record = np.minimum((middle * bins / len(p)).astype(np.intp), bins - 1)[group]
    gap = np.bincount(of_record, weights=p - yes[counted], minlength=bins)
    return float(np.abs(gap).sum() / len(p))


@dataclass(frozen=True)
class Platt:
    """A fitted slot. `temperature` in (0, MAX_TEMPERATURE]; the counts it was fitted on stand beside it."""

    temperature: float
    bias: float
    positives: int
    negatives: int

    def probability(self, margins: ArrayLike) -> Floats:
        """Margins of any shape to 0..1."""
        return sigmoid(np.asarray(margins, dtype=np.float64) / self.temperature + self.bias)


def fit_platt(
    margins: ArrayLike,
    truth: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    bias: bool = True,
    prior: float = PRIOR,
) -> Platt:
    """Most likely slope a = 1 / temperature and bias b under a Gaussian prior around (1, 0).

    Minimizes sum log(1 + exp(z)) - y z + prior / 2 ((a - 1)^2 + b^2), z = a margin + b. Platt, "Probabilistic
    outputs for SVMs" (1999); Newton with backtracking as in Lin, Lin and Weng, Machine Learning 68 (2007).
    Departure: the prior, not smoothed targets, keeps separable or one-sided data finite, and no data at all
    gives (1, 0). Margins that point the wrong way get MAX_TEMPERATURE, the best that a positive slope can do.
    `bias=False` fits the temperature alone (Guo et al., arXiv 1706.04599, section 4.2).
    """
    if not prior > 0:
        raise ValueError(f"expected a prior above 0, which keeps the fit finite, got {prior}")
    yes, counted = known(truth, mask)
    m, y = real(margins, counted, "margins")[counted], yes[counted]
    fitted = _newton(m, y, np.array([1.0, 0.0]), np.array([True, bias]), prior)
    if fitted[0] < 1 / MAX_TEMPERATURE:
        fitted = _newton(m, y, np.array([1 / MAX_TEMPERATURE, 0.0]), np.array([False, bias]), prior)
    return Platt(float(1 / fitted[0]), float(fitted[1]), int(y.sum()), int((~y).sum()))


def _newton(m: Floats, y: Bools, start: Floats, free: Bools, prior: float) -> Floats:
    """(slope, bias) of least loss; only the `free` ones move."""
    x = np.stack([m, np.ones_like(m)], axis=1)  # (N, 2)
    at = start.copy()
    if not free.any():
        return at
    for _ in range(MAX_STEPS):
        p = sigmoid(x @ at)
        gradient = (x.T @ (p - y) + prior * (at - (1.0, 0.0)))[free]
        curvature = (x.T @ (x * (p * (1 - p))[:, None]) + prior * np.eye(2))[np.ix_(free, free)]
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature, gradient)
        gain = float(gradient @ step[free])  # Newton decrement squared: twice the loss still to be lost
        before, at = at, _backtrack(x, y, at, step, gain, prior)
        if gain < 1e-14 * (1 + len(m)) or at is before:
            return at
    raise ArithmeticError(
        f"expected Newton's method to end within {MAX_STEPS} steps, it did not; check the margins"
    )


def _backtrack(x: Floats, y: Bools, at: Floats, step: Floats, gain: float, prior: float) -> Floats:
    """Halve the step until the loss falls by Armijo's share (Nocedal and Wright 2006, algorithm 3.1)."""
    here, share = _loss(x, y, at, prior), 1.0
    while share > 1e-10:
        there = at - share * step
        if _loss(x, y, there, prior) <= here - 1e-4 * share * gain:
            return there
        share /= 2
    return at  # the loss is flat to the last digit: this is the minimum


def _loss(x: Floats, y: Bools, at: Floats, prior: float) -> float:
    z = x @ at
    return float((np.logaddexp(0.0, z) - y * z).sum() + prior / 2 * ((at[0] - 1) ** 2 + at[1] ** 2))


def fit_temperature(
    logits: ArrayLike,
    truth: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    low: float = 0.05,
    high: float = 20.0,
) -> float:
    """Temperature of softmax(logits / T) that makes the true classes most likely, within [low, high].

    logits (N, K), truth (N,) class numbers 0..K-1, read where `mask` is True. Guo et al., arXiv 1706.04599,
    section 4.2. The loss is convex in 1 / T, so it has one minimum in log T, found by golden-section search
    (Kiefer, Proc. AMS 4 (1953) 502-506) to 1e-6. No data leaves 1.
    """
    scores, classes = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    counted = np.ones(classes.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    z, y = scores[counted], classes[counted].astype(np.intp)
    if not np.isfinite(z).all() or ((y < 0) | (y >= scores.shape[1])).any():
        raise ValueError(
            f"expected finite logits and classes 0..{scores.shape[1] - 1} wherever the truth is known"
        )
    return _golden(z, y, float(np.log(low)), float(np.log(high))) if len(y) else 1.0


def _golden(z: Floats, y: NDArray[np.intp], low: float, high: float) -> float:
    """exp of the log temperature of least loss in [low, high]."""

    def loss(log_temperature: float) -> float:
        scaled = z / np.exp(log_temperature)
        total = np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(y)), y]
        return float(total.mean())

    while high - low > 1e-6:
        left, right = high - _INVERSE_GOLDEN * (high - low), low + _INVERSE_GOLDEN * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class Threshold:
    """Say yes when p >= `value`. Beside it what that gave on the data it was chosen on, each 0..1."""

    value: float
    precision: float
    recall: float
    f_beta: float


def best_f_beta(
    probability: ArrayLike, truth: ArrayLike, mask: ArrayLike | None = None, beta: float = 1.0
) -> Threshold:
    """The threshold of highest F-beta = (1 + b^2) P R / (b^2 P + R); of equals the lowest, the more careful.

    van Rijsbergen, Information Retrieval (1979) chapter 7; beta > 1 weighs recall. ValueError where there is
    no positive.
    """
    values, hits, said, positives = _cuts(probability, truth, mask)
    f = (1 + beta**2) * hits / (beta**2 * positives + said)
    best = int(np.flatnonzero(f == f.max())[0])
    return _threshold(values, hits, said, positives, beta, best)


def for_recall(
    probability: ArrayLike, truth: ArrayLike, target: float, mask: ArrayLike | None = None, beta: float = 1.0
) -> Threshold:
    """The highest threshold whose recall is at least `target`, in (0, 1]: the fewest false alarms for it.

    A point on the ROC curve chosen by its true-positive rate (Fawcett, Pattern Recognition Letters 27 (2006)
    861-874). ValueError without positives.
    """
    if not 0 < target <= 1:
        raise ValueError(f"expected a target recall in (0, 1], got {target}")
    values, hits, said, positives = _cuts(probability, truth, mask)
    reached = int(np.flatnonzero(hits / positives >= target)[-1])
    return _threshold(values, hits, said, positives, beta, reached)


def _cuts(
    probability: ArrayLike, truth: ArrayLike, mask: ArrayLike | None
) -> tuple[Floats, Floats, Floats, float]:
    """Every threshold that matters, ascending, with its TP and TP + FP, and the positives.

    A threshold lies halfway to the next lower probability, so that a small change of a number, say by
    quantization, changes no answer.
    """
    yes, counted = known(truth, mask)
    p = real(probability, counted, "probabilities")[counted]
    if not yes.any():
        raise ValueError("expected at least one positive to choose a threshold, got none")
    distinct, group = np.unique(p, return_inverse=True)
    below = np.concatenate([distinct[:1], distinct[:-1]])
    halfway = (distinct + below) / 2
    values: Floats = np.where(halfway > below, halfway, distinct)  # neighbouring floats have no middle
    hits = np.cumsum(np.bincount(group, weights=yes[counted])[::-1])[::-1].astype(np.float64)
    said = np.cumsum(np.bincount(group)[::-1])[::-1].astype(np.float64)
    return values, hits, said, float(yes.sum())


def _threshold(
    values: Floats, hits: Floats, said: Floats, positives: float, beta: float, at: int
) -> Threshold:
    f = (1 + beta**2) * hits / (beta**2 * positives + said)
    precision = divide(hits, said)
    return Threshold(float(values[at]), float(precision[at]), float(hits[at] / positives), float(f[at]))
