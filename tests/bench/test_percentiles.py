"""Percentiles by hand, and MLPerf's early stopping rule against the binomial sum written out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.percentiles import discardable, percentile, summary, times_needed


def chance(n: int, t: int, share: float) -> float:
    """P(Binomial(n, 1 - share) <= t), term by term."""
    return sum(math.comb(n, k) * (1 - share) ** k * share ** (n - k) for k in range(t + 1))


def test_mlperf_needs_64_and_662_times() -> None:
    """LoadGen's own numbers for p90 and p99 at 99 % confidence."""
    assert times_needed(0.9) == 64
    assert times_needed(0.99) == 662
    assert chance(64, 1, 0.9) <= 0.01 < chance(63, 1, 0.9)
    assert chance(662, 1, 0.99) <= 0.01 < chance(661, 1, 0.99)


@given(st.integers(2, 300), st.sampled_from([0.5, 0.9, 0.99]))
def test_as_many_are_discarded_as_the_sum_allows(n: int, share: float) -> None:
    t = discardable(n, share)
    assert t == 0 or chance(n, t, share) <= 0.01 + 1e-12
    assert t + 1 >= n or chance(n, t + 1, share) > 0.01 - 1e-12


def test_percentiles_by_hand() -> None:
    times = [float(ms) for ms in range(1, 65)]
    found = summary(times[::-1])
    assert found["p50"].value == 32.5
    assert found["p90"].value == pytest.approx(57.7)  # 0.9 * 63 = 56.7 steps above 1
    assert found["p90"].high == 64.0  # t = 1: the highest
    assert found["max"].value == 64.0
    # p50: P(Binomial(64, 0.5) <= 22) = 0.0084, of 23 0.0164: the 22nd from above
    assert found["p50"].high == times[-22]


def test_a_percentile_that_so_few_do_not_carry_is_null_and_says_how_many_would() -> None:
    found = summary([float(ms) for ms in range(63)])
    assert found["p50"].value is not None
    assert (found["p90"].value, found["p90"].n) == (None, 63)
    assert found["p90"].reason == "expected at least 64 judgements for p90, got 63; give a larger --count"
    assert "662" in str(found["p99"].reason)


def test_of_nothing_there_is_nothing() -> None:
    assert {number.value for number in summary([]).values()} == {None}


@given(st.lists(st.floats(0, 1e6), min_size=64, max_size=200))
def test_the_limit_is_no_lower_than_the_percentile(times: list[float]) -> None:
    found = percentile(times, 0.9)
    assert found.value is not None
    assert found.high is not None
    assert found.value <= found.high <= max(times)
