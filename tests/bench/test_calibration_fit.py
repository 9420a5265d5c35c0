"""Calibration and thresholds: by hand, at the optimum, and at the edges of the data."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from yochi_bench import calibration
from yochi_bench.calibration import (
    MAX_TEMPERATURE,
    PRIOR,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
)

Floats = NDArray[np.float64]


def drawn(temperature: float, bias: float, n: int = 20_000) -> tuple[Floats, NDArray[np.bool_]]:
    """Margins, and truths that hold with the probability that (temperature, bias) gives them."""
    rng = np.random.default_rng(7)
    margins = rng.normal(0, 4, n)
    return margins, rng.random(n) < 1 / (1 + np.exp(-(margins / temperature + bias)))


def test_ece_by_hand() -> None:
    # Two bins of two: means 0.15 and 0.85, shares 1/2 and 1: (2 * 0.35 + 2 * 0.15) / 4.
    found = expected_calibration_error([0.1, 0.2, 0.8, 0.9], [0, 1, 1, 1], bins=2)
    assert found == pytest.approx(0.25)


def test_ece_of_equal_probabilities_is_one_bin_in_any_order() -> None:
    truth = [1, 1, 0, 0, 0, 0, 0, 1]
    assert expected_calibration_error([0.375] * 8, truth, bins=4) == pytest.approx(0.0)
    assert expected_calibration_error([0.375] * 8, truth[::-1], bins=4) == pytest.approx(0.0)


def test_ece_reads_only_what_is_known() -> None:
    masked = expected_calibration_error([0.5, 0.9, float("nan")], [1, 1, -1], [True, True, False], bins=2)
    assert masked == expected_calibration_error([0.5, 0.9], [1, 1], bins=2)
    assert math.isnan(expected_calibration_error([0.5], [1], [False]))


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, -1.2), (0.4, 0.8)])
def test_platt_finds_what_made_the_data(temperature: float, bias: float) -> None:
    fitted = fit_platt(*drawn(temperature, bias))
    assert fitted.temperature == pytest.approx(temperature, rel=0.06)
    assert fitted.bias == pytest.approx(bias, abs=0.1)
    assert fitted.positives + fitted.negatives == 20_000


def test_platt_lowers_the_calibration_error() -> None:
    margins, truth = drawn(3.0, -1.0)
    before = expected_calibration_error(calibration.sigmoid(margins), truth)
    after = expected_calibration_error(fit_platt(margins, truth).probability(margins), truth)
    assert after < 0.02 < before


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-20, 20), st.booleans()), max_size=25))
def test_platt_stands_at_the_minimum_and_is_finite(data: list[tuple[float, bool]]) -> None:
    m, y = np.array([x for x, _ in data]), np.array([t for _, t in data], dtype=bool)
    fitted = fit_platt(m, y)
    slope, bias = 1 / fitted.temperature, fitted.bias
    residual = fitted.probability(m) - y
    at_the_wall = fitted.temperature == pytest.approx(MAX_TEMPERATURE)
    assert 0 < fitted.temperature <= MAX_TEMPERATURE * (1 + 1e-12)
    assert float(residual.sum()) + PRIOR * bias == pytest.approx(0, abs=1e-5)
    slope_gradient = float((residual * m).sum()) + PRIOR * (slope - 1)
    assert slope_gradient >= -1e-5 if at_the_wall else slope_gradient == pytest.approx(0, abs=1e-4)


def test_platt_without_any_margin_gives_the_base_rate() -> None:
    fitted = fit_platt(np.zeros(1_000), np.arange(1_000) < 200, prior=1e-9)
    assert fitted.probability([0.0])[0] == pytest.approx(0.2, abs=1e-6)


def test_platt_of_separable_data_is_finite() -> None:
    fitted = fit_platt([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1])
    assert 0.2 < fitted.temperature < 1
    assert fitted.probability([3.0])[0] > 0.99


def test_platt_of_one_class_is_finite() -> None:
    fitted = fit_platt([1.0, 2.0, -1.0], [1, 1, 1])
    assert math.isfinite(fitted.bias)
    assert fitted.negatives == 0


def test_platt_of_nothing_is_the_prior() -> None:
    fitted = fit_platt([1.0], [1], [False])
    assert (fitted.temperature, fitted.bias, fitted.positives, fitted.negatives) == (1.0, 0.0, 0, 0)


def test_margins_that_point_the_wrong_way_become_flat() -> None:
    fitted = fit_platt([-4.0, -5.0, 4.0, 5.0], [1, 1, 0, 0])
    assert fitted.temperature == pytest.approx(MAX_TEMPERATURE)
    assert fitted.probability([4.0])[0] == pytest.approx(0.5, abs=0.05)


def test_temperature_alone_leaves_the_bias_at_zero() -> None:
    margins, truth = drawn(2.0, 0.0)
    fitted = fit_platt(margins, truth, bias=False)
    assert fitted.bias == 0.0
    assert fitted.temperature == pytest.approx(2.0, rel=0.06)
    assert fit_platt([-4.0, 4.0], [1, 0], bias=False).temperature == pytest.approx(MAX_TEMPERATURE)


def test_huge_margins_do_not_overflow() -> None:
    fitted = fit_platt([1e4, -1e4, 1e4, -1e4, 1e4], [1, 0, 1, 0, 0])
    assert np.isfinite([fitted.temperature, fitted.bias]).all()
    assert np.isfinite(fitted.probability([1e6, -1e6])).all()


def test_platt_needs_its_prior() -> None:
    with pytest.raises(ValueError, match="prior above 0"):
        fit_platt([1.0], [1], prior=0.0)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_temperature_finds_what_made_the_data(true_temperature: float) -> None:
    rng = np.random.default_rng(11)
    logits = rng.normal(0, 3, (20_000, 3))
    noisy = logits / true_temperature + rng.gumbel(size=logits.shape)  # Gumbel-max draws from the softmax
    assert fit_temperature(logits, noisy.argmax(axis=1)) == pytest.approx(true_temperature, rel=0.05)


def test_temperature_of_two_classes_is_platt_without_bias() -> None:
    margins, truth = drawn(2.0, 0.0, 2_000)
    logits = np.stack([np.zeros_like(margins), margins], axis=1)
    expected = fit_platt(margins, truth, bias=False, prior=1e-9).temperature
    assert fit_temperature(logits, truth.astype(int)) == pytest.approx(expected, rel=1e-4)


def test_temperature_stays_within_its_limits() -> None:
    assert fit_temperature([[5.0, 0.0]], [0]) == pytest.approx(0.05, rel=1e-4)
    assert fit_temperature([[5.0, 0.0]], [1]) == pytest.approx(20.0, rel=1e-4)
    assert fit_temperature([[5.0, 0.0]], [1], [False]) == 1.0


@pytest.mark.parametrize(
    ("logits", "truth"), [([[1.0, 2.0]], [2]), ([[float("nan"), 1.0]], [0]), ([[1.0, 2.0]], [-1])]
)
def test_temperature_refuses_what_is_no_class(logits: list[list[float]], truth: list[int]) -> None:
    with pytest.raises(ValueError, match="finite logits and classes"):
        fit_temperature(logits, truth)


def test_best_f1_by_hand() -> None:
    # Yes to the upper three: P 2/3, R 1, F1 0.8; to the upper one: P 1, R 1/2, F1 2/3.
    found = calibration.best_f_beta([0.9, 0.6, 0.4, 0.2], [1, 0, 1, 0])
    assert found.value == pytest.approx(0.3)  # halfway between 0.2 and 0.4
    assert (found.precision, found.recall, found.f_beta) == pytest.approx((2 / 3, 1.0, 0.8))


def test_beta_weighs_recall() -> None:
    p, truth = [0.9, 0.7, 0.6, 0.5, 0.1], [1, 0, 0, 1, 0]
    assert calibration.best_f_beta(p, truth, beta=0.5).recall == 0.5
    assert calibration.best_f_beta(p, truth, beta=2.0).recall == 1.0


def test_of_equal_thresholds_the_careful_one_wins() -> None:
    # F1 is 2/3 for the upper one (P 1, R 1/2) and for all four (P 1/2, R 1).
    found = calibration.best_f_beta([0.9, 0.5, 0.4, 0.2], [1, 0, 0, 1])
    assert (found.value, found.recall) == (0.2, 1.0)


def test_threshold_for_a_recall_by_hand() -> None:
    p, truth = [0.9, 0.8, 0.5, 0.4, 0.1], [1, 1, 0, 1, 1]
    assert calibration.for_recall(p, truth, 0.5).value == pytest.approx(0.65)
    assert calibration.for_recall(p, truth, 0.51).value == pytest.approx(0.25)
    assert calibration.for_recall(p, truth, 1.0).value == pytest.approx(0.1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40), st.floats(0.01, 1.0))
def test_a_threshold_does_what_it_says(data: list[tuple[int, bool]], target: float) -> None:
    p, truth = np.array([x for x, _ in data]) / 20, np.array([t for _, t in data] + [True])
    p = np.append(p, 0.5)
    for found in (calibration.for_recall(p, truth, target), calibration.best_f_beta(p, truth)):
        said = p >= found.value
        assert 0 <= found.value <= 1
        assert found.recall == pytest.approx(float((said & truth).sum() / truth.sum()))
        assert found.precision == pytest.approx(float((said & truth).sum() / said.sum()))
    assert calibration.for_recall(p, truth, target).recall >= target


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40))
def test_no_other_threshold_has_a_better_f1(data: list[tuple[int, bool]]) -> None:
    p, truth = np.array([x for x, _ in data]) / 20, np.array([t for _, t in data])
    truth[0] = True
    said = [p >= at for at in np.linspace(0, 1, 41)]
    reachable = [2 * (s & truth).sum() / (s.sum() + truth.sum()) for s in said]
    assert calibration.best_f_beta(p, truth).f_beta == pytest.approx(max(reachable))


def test_neighbouring_floats_are_told_apart() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1))
    assert calibration.best_f_beta([low, high], [0, 1]).value == high


@pytest.mark.parametrize(
    "choose", [calibration.best_f_beta, lambda p, truth: calibration.for_recall(p, truth, 0.9)]
)
def test_no_positive_gives_no_threshold(choose: Callable[[list[float], list[int]], object]) -> None:
    with pytest.raises(ValueError, match="at least one positive"):
        choose([0.1, 0.2], [0, 0])


@pytest.mark.parametrize("target", [0.0, 1.1, float("nan")])
def test_an_impossible_recall_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="target recall"):
        calibration.for_recall([0.5], [1], target)
