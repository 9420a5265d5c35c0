"""The verdict's truth table, written out."""

import math
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.verdict import JUDGED, Verdict, highest, of_severity, of_slot

P, C, S, X = Verdict.PROCEED, Verdict.CAUTION, Verdict.STOP, Verdict.CANNOT_JUDGE

HIGHEST_OF_TWO = {
    (P, P): P, (P, C): C, (P, S): S, (P, X): X,
    (C, P): C, (C, C): C, (C, S): S, (C, X): X,
    (S, P): S, (S, C): S, (S, S): S, (S, X): X,
    (X, P): X, (X, C): X, (X, S): X, (X, X): X,
}  # fmt: skip

# Probabilities and thresholds below, at, and above each other. P(caution or stop) >= P(stop) is not assumed.
OF_SLOT = [
    # caution, stop, threshold of caution, of stop
    (0.0, 0.0, 0.4, 0.6, P),
    (0.3, 0.0, 0.4, 0.6, P),
    (0.4, 0.0, 0.4, 0.6, C),
    (0.9, 0.5, 0.4, 0.6, C),
    (0.9, 0.6, 0.4, 0.6, S),
    (1.0, 1.0, 0.4, 0.6, S),
    (0.3, 0.6, 0.4, 0.6, S),  # stop alone is enough
    (0.5, 0.3, 0.6, 0.3, S),  # thresholds the other way round
    (0.5, 0.2, 0.6, 0.3, P),
    (0.0, 0.0, 0.0, 0.6, C),  # a threshold of 0 is always reached
    (0.0, 0.0, 0.0, 0.0, S),
    (0.99, 0.99, 1.0, 1.0, P),  # a threshold of 1 by certainty only
    (1.0, 0.99, 1.0, 1.0, C),
]


@pytest.mark.parametrize(("pair", "expected"), HIGHEST_OF_TWO.items())
def test_highest_of_two(pair: tuple[Verdict, Verdict], expected: Verdict) -> None:
    assert highest(pair) is expected


def test_the_table_of_two_is_complete() -> None:
    assert set(HIGHEST_OF_TWO) == set(product(Verdict, repeat=2))


@pytest.mark.parametrize("verdicts", list(product(Verdict, repeat=3)))
def test_more_verdicts_are_the_highest_of_two_again(verdicts: tuple[Verdict, ...]) -> None:
    first, second, third = verdicts
    expected = HIGHEST_OF_TWO[HIGHEST_OF_TWO[first, second], third]
    assert {highest(order) for order in permutations(verdicts)} == {expected}


def test_nothing_found_is_proceed_and_one_verdict_is_itself() -> None:
    assert highest([]) is P
    assert [highest([v]) for v in Verdict] == list(Verdict)


def test_severity() -> None:
    assert of_severity("S1") is C
    assert of_severity("S2") is S


@pytest.mark.parametrize(("caution", "stop", "threshold_caution", "threshold_stop", "expected"), OF_SLOT)
def test_of_slot(
    caution: float, stop: float, threshold_caution: float, threshold_stop: float, expected: Verdict
) -> None:
    assert of_slot(caution, stop, threshold_caution, threshold_stop) is expected


@pytest.mark.parametrize("at", range(4))
def test_a_nan_never_proceeds(at: int) -> None:
    values = [0.0, 0.0, 0.5, 0.5]
    values[at] = math.nan
    assert of_slot(*values) is not P


PROBABILITY = st.floats(0, 1)


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY)
def test_more_danger_never_lowers_the_verdict(
    caution: float, stop: float, threshold_caution: float, threshold_stop: float, more: float, most: float
) -> None:
    before = of_slot(caution, stop, threshold_caution, threshold_stop)
    after = of_slot(max(caution, more), max(stop, most), threshold_caution, threshold_stop)
    assert highest([before, after]) is after
    assert after in JUDGED
