"""The reliability diagram: bins by hand, limits as published, and marks that stand where they should."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.intervals import clopper_pearson
from yochi_bench.reliability import BINS, Bin, marks_of, reliability
from yochi_bench.report import Plot, Series
from yochi_bench.report_plot import svg


def test_bins_by_hand() -> None:
    said = [0.0, 0.05, 0.1, 0.95, 1.0, 0.55]
    holds = [0, 1, 1, 1, 1, 0]
    first, second, middle, last = reliability(said, holds)
    assert (first.low, first.high, first.answers, first.held) == (0.0, 0.1, 2, 1)
    assert first.said == pytest.approx(0.025)
    assert first.share == 0.5
    assert (second.low, second.answers, second.held) == (0.1, 1, 1)
    assert (middle.low, middle.answers, middle.held) == (0.5, 1, 0)
    assert (last.low, last.high, last.answers, last.held) == (0.9, 1.0, 2, 2)
    # Clopper and Pearson: of 2 of 2 the lower limit is 0.025 ** (1 / 2)
    assert last.limits == pytest.approx((0.025**0.5, 1.0))


def test_what_is_not_known_is_in_no_bin() -> None:
    assert reliability([0.2, 0.7], [1, -1], [True, False]) == [Bin(0.2, 0.3, 0.2, 1, 1)]
    assert reliability([], []) == []


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60))
def test_every_answer_is_in_one_bin_and_its_mean_inside(answers: list[tuple[float, bool]]) -> None:
    bins = reliability([p for p, _ in answers], [t for _, t in answers])
    assert sum(b.answers for b in bins) == len(answers)
    assert sum(b.held for b in bins) == sum(t for _, t in answers)
    for b in bins:
        assert b.low - 1e-12 <= b.said <= b.high + 1e-12
        low, high = b.limits
        assert low <= b.share <= high
    assert len(bins) <= BINS


def test_marks_have_their_limits_in_the_plot() -> None:
    marks = marks_of("after", reliability([0.5] * 4, [1, 0, 1, 0]))
    assert marks.limits == (clopper_pearson(2, 4),)
    line = Series(name="as it should be", x=(0.0, 1.0), y=(0.0, 1.0))
    drawn = svg(Plot(title="t", x="", y="", series=(line, marks)))
    (path,) = re.findall(r'<path stroke="#ee6677" d="M([\d.]+),([\d.]+)h8m-4,0V([\d.]+)m-4,0h8"/>', drawn)
    (circle,) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    x, low, high = map(float, path)
    assert x + 4 == pytest.approx(float(circle[0]), abs=0.1)
    assert high < float(circle[1]) < low  # upwards is less
    with pytest.raises(ValueError, match="limits of every y"):
        Series(name="s", x=(0.0, 1.0), y=(0.0, 1.0), limits=((0.0, 1.0),))
