"""Selective risk by hand: four records, two of them equally sure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.scores import value
from yochi_bench.selective import (
    above_threshold,
    risk_at_coverage,
    weighted_aurc,
    weighted_risk,
    wrongly_judged,
)

SURE, WRONG = [3.0, 1.0, 2.0, 2.0], [False, True, True, False]  # sorted: 3, then both of 2, then 1


def test_the_curve_by_hand() -> None:
    coverage, risk = risk_at_coverage(SURE, WRONG)
    assert coverage == pytest.approx([0.25, 0.75, 1.0])
    assert risk == pytest.approx([0.0, 1 / 3, 2 / 4])


@pytest.mark.parametrize(("coverage", "risk"), [(0.25, 0.0), (0.3, 1 / 3), (0.75, 1 / 3), (1.0, 0.5)])
def test_the_risk_at_a_coverage(coverage: float, risk: float) -> None:
    assert value(weighted_risk(SURE, WRONG, coverage), 4) == pytest.approx(risk)


def test_the_area_by_hand() -> None:
    """1/4 at 0, 2/4 at 1/3, 1/4 at 1/2."""
    assert value(weighted_aurc(SURE, WRONG), 4) == pytest.approx(0.5 / 3 + 0.25 / 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_a_weight_is_so_many_copies(rows: list[tuple[int, bool, int]]) -> None:
    copies = [(s, w) for s, w, k in rows for _ in range(k)]
    weights = np.array([[k for _, _, k in rows]], dtype=np.float64)
    for score in (weighted_aurc, lambda s, w: weighted_risk(s, w, 0.7)):
        weighted = float(score([s for s, _, _ in rows], [w for _, w, _ in rows])(weights)[0])
        if not copies:
            assert np.isnan(weighted)
        else:
            plain = value(score([s for s, _ in copies], [w for _, w in copies]), len(copies))
            assert weighted == pytest.approx(plain)


def test_sure_is_far_from_the_threshold_that_decides() -> None:
    probability = np.array([[0.5, np.nan], [0.1, 0.9], [0.5, 0.5], [1.0, 0.2]])
    found = np.abs(above_threshold(probability, np.array([0.5, 0.5])))
    assert found[:3] == pytest.approx([0.0, np.log(9), 0.0])
    assert np.isfinite(found[3])
    assert found[3] > 20


def test_nothing_to_sort_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one record"):
        risk_at_coverage([], [])


def test_wrong_is_what_is_not_safe_and_effective() -> None:
    truth = ["stop", "stop", "caution", "proceed", "proceed", None]
    judged = ["stop", "caution", "stop", "proceed", "cannot_judge", "proceed"]
    assert wrongly_judged(truth, judged).tolist() == [False, True, False, False, True, False]
