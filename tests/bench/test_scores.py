"""Scores: arithmetic by hand, parity with scikit-learn, and what must hold for any data."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics
from yochi_bench import scores

Ints = NDArray[np.int64]
SEEDS = range(8)


@st.composite
def answered(draw: st.DrawFn) -> tuple[Ints, Ints]:
    """Scores with many ties, and a truth in which both classes occur."""
    n = draw(st.integers(2, 30))
    s = draw(arrays(np.int64, n, elements=st.integers(-4, 4)))
    t = draw(arrays(np.int64, n, elements=st.integers(0, 1)))
    assume(0 < t.sum() < n)
    return s, t


def random_case(seed: int) -> tuple[NDArray[np.float64], Ints]:
    """200 records whose scores are rounded, so that ties occur."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 2, 200)
    return np.round(rng.normal(size=200) + t, 1), t


def test_auroc_by_hand() -> None:
    # Positives 3 and 2 against negatives 2 and 1: wins 3>2, 3>1, 2>1 are 1 each, the tie 2=2 is 1/2.
    assert scores.auroc([3, 2, 2, 1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)


def test_average_precision_by_hand() -> None:
    # Descending: yes (P 1/1, R 1/2), no, yes (P 2/3, R 2/2): 1/2 * 1 + 1/2 * 2/3.
    assert scores.average_precision([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx(1 / 2 + 1 / 3)


def test_precision_recall_f1_by_hand() -> None:
    predicted, truth = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]  # TP 2, FP 1, FN 1
    assert scores.precision(predicted, truth) == pytest.approx(2 / 3)
    assert scores.recall(predicted, truth) == pytest.approx(2 / 3)
    assert scores.f1(predicted, truth) == pytest.approx(4 / 6)


def test_macro_f1_leaves_out_and_counts_categories_without_positives() -> None:
    truth = [[1, 0, 0], [1, 0, 1], [0, 0, 1]]
    predicted = [[1, 1, 0], [0, 0, 1], [0, 0, 1]]
    found = scores.macro_f1(predicted, truth)  # F1 of the first: 2 / (2 + 0 + 1); of the last: 4 / 4
    assert (found.counted, found.left_out) == (2, 1)
    assert found.value == pytest.approx((2 / 3 + 1) / 2)
    assert found.f1[0] == pytest.approx(2 / 3)
    assert math.isnan(found.f1[1])
    assert found.f1[2] == 1.0


def test_macro_f1_counts_a_category_that_is_never_said_as_zero() -> None:
    assert scores.macro_f1([[1, 0]], [[1, 1]]).value == 0.5


def test_masked_records_are_never_read() -> None:
    s = [0.9, float("nan"), 0.2, 0.4]
    t = [1, -1, 0, 1]
    mask = [True, False, True, True]
    assert scores.auroc(s, t, mask) == scores.auroc([0.9, 0.2, 0.4], [1, 0, 1])
    assert scores.average_precision(s, t, mask) == scores.average_precision([0.9, 0.2, 0.4], [1, 0, 1])
    assert scores.f1([1, 7, 1, 0], t, mask) == scores.f1([1, 1, 0], [1, 0, 1])
    assert scores.macro_f1([[1], [1]], [[1], [-1]], [[True], [False]]).value == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_parity_with_scikit_learn(seed: int) -> None:
    s, t = random_case(seed)
    said = s >= 0.5
    assert scores.auroc(s, t) == pytest.approx(metrics.roc_auc_score(t, s), abs=1e-12)
    assert scores.average_precision(s, t) == pytest.approx(metrics.average_precision_score(t, s), abs=1e-12)
    assert scores.f1(said, t) == pytest.approx(metrics.f1_score(t, said), abs=1e-12)
    assert scores.precision(said, t) == pytest.approx(metrics.precision_score(t, said), abs=1e-12)
    assert scores.recall(said, t) == pytest.approx(metrics.recall_score(t, said), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_parity_with_scikit_learn(seed: int) -> None:
    s, t = random_case(seed)
    w = np.random.default_rng(seed + 100).integers(0, 4, len(s)).astype(float)
    rows = w[None]
    assert scores.weighted_auroc(s, t)(rows)[0] == pytest.approx(metrics.roc_auc_score(t, s, sample_weight=w))
    precision = metrics.average_precision_score(t, s, sample_weight=w)
    assert scores.weighted_average_precision(s, t)(rows)[0] == pytest.approx(precision)
    said = s >= 0.5
    assert scores.weighted_f1(said, t)(rows)[0] == pytest.approx(metrics.f1_score(t, said, sample_weight=w))


def test_macro_f1_parity_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth, predicted = rng.integers(0, 2, (60, 5)), rng.integers(0, 2, (60, 5))
    expected = metrics.f1_score(truth, predicted, average="macro")
    assert scores.macro_f1(predicted, truth).value == pytest.approx(expected)
    assert scores.value(scores.weighted_macro_f1(predicted, truth), 60) == pytest.approx(expected)


@pytest.mark.parametrize("build", [scores.weighted_auroc, scores.weighted_average_precision])
def test_a_weight_is_a_number_of_copies(build: Callable[..., scores.Weighted]) -> None:
    s, t = random_case(5)
    w = np.random.default_rng(6).integers(0, 3, (1, len(s)))
    weighted = build(s, t)(w.astype(float))
    copied = build(np.repeat(s, w[0]), np.repeat(t, w[0]))(np.ones((1, int(w.sum()))))
    assert weighted == pytest.approx(copied)


@settings(deadline=None, max_examples=50)
@given(answered())
def test_auroc_does_not_change_under_monotone_maps(case: tuple[Ints, Ints]) -> None:
    s, t = case
    assert scores.auroc(np.exp(s / 3.0) * 7 - 2, t) == scores.auroc(s, t)


@settings(deadline=None, max_examples=50)
@given(answered())
def test_auroc_of_the_complement_is_symmetric(case: tuple[Ints, Ints]) -> None:
    s, t = case
    assert scores.auroc(-s, t) == pytest.approx(1 - scores.auroc(s, t))
    assert scores.auroc(s, 1 - t) == pytest.approx(1 - scores.auroc(s, t))


@settings(deadline=None, max_examples=50)
@given(answered())
def test_f1_is_the_harmonic_mean(case: tuple[Ints, Ints]) -> None:
    s, t = case
    said = s > 0
    p, r = scores.precision(said, t), scores.recall(said, t)
    assume(not math.isnan(p) and p + r > 0)
    assert scores.f1(said, t) == pytest.approx(2 * p * r / (p + r))


@pytest.mark.parametrize("truth", [[1, 1], [0, 0]])
def test_auroc_of_one_class_is_not_defined(truth: list[int]) -> None:
    assert math.isnan(scores.auroc([0.1, 0.2], truth))


def test_nothing_known_gives_nan_without_a_warning() -> None:
    nothing = [False, False]
    assert math.isnan(scores.auroc([1, 2], [0, 1], nothing))
    assert math.isnan(scores.average_precision([1, 2], [0, 1], nothing))
    assert math.isnan(scores.f1([1, 1], [0, 1], nothing))
    assert math.isnan(scores.macro_f1([[1]], [[0]]).value)
    assert math.isnan(scores.value(scores.weighted_macro_f1([[1]], [[0]]), 1))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or 1 wherever it is known"):
        scores.auroc([1, 2], [-1, 1])
    with pytest.raises(ValueError, match="finite scores"):
        scores.auroc([float("nan"), 2], [0, 1])
    with pytest.raises(ValueError, match="scores and truth of one shape"):
        scores.auroc([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match="mask and truth of one shape"):
        scores.auroc([1, 2], [0, 1], [True])
