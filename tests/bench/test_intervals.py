"""Intervals: what is drawn, what is exact, and what must not depend on chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_bench import intervals, scores

ONE_SIDED = [(0, 10, 0.2589), (1, 10, 0.3942), (2, 20, 0.2826), (0, 100, 0.0295), (5, 50, 0.1988)]
TWO_SIDED = [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)]


def mean_of(x: list[float]) -> scores.Weighted:
    return scores.weighted_ratio(x, np.ones(len(x)))


@pytest.mark.parametrize(("hits", "of", "upper"), ONE_SIDED)
def test_upper_limit_against_known_values(hits: int, of: int, upper: float) -> None:
    assert intervals.upper_limit(hits, of) == pytest.approx(upper, abs=5e-5)


@pytest.mark.parametrize(("hits", "of", "low", "high"), TWO_SIDED)
def test_clopper_pearson_against_the_published_table(hits: int, of: int, low: float, high: float) -> None:
    assert intervals.clopper_pearson(hits, of) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5_000))
def test_upper_limit_of_nothing_has_a_closed_form(trials: int) -> None:
    assert intervals.upper_limit(0, trials) == pytest.approx(1 - 0.05 ** (1 / trials), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.data())
def test_limits_enclose_the_proportion_and_mirror(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    low, high = intervals.clopper_pearson(hits, trials)
    assert low <= hits / trials <= high
    assert (1 - high, 1 - low) == pytest.approx(intervals.clopper_pearson(trials - hits, trials))


def test_a_large_count_is_exact_too() -> None:
    # scipy.stats.beta.ppf(0.95, 2501, 2500), written out so that the project does not need scipy.
    assert intervals.upper_limit(2500, 5000) == pytest.approx(0.511728674, abs=1e-8)


@pytest.mark.parametrize(("hits", "of"), [(1, 0), (0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="successes <= trials"):
        intervals.upper_limit(hits, of)


def test_weights_are_products_of_both_multiplicities() -> None:
    draws = intervals.resample({"pictures": "aabb", "templates": "xyxy"}, seed=1, count=300)
    w = np.concatenate(list(draws.blocks()))  # records ax, ay, bx, by
    assert w.shape == (300, 4)
    assert (w[:, 0] * w[:, 3] == w[:, 1] * w[:, 2]).all()  # (a x)(b y) = (a y)(b x)
    assert set(np.unique(w)) == {0.0, 1.0, 2.0, 4.0}  # of {0, 1, 2} x {0, 1, 2}, as 2 groups are drawn twice
    assert (w.sum(axis=1) == 4).all()  # balanced design: (a + b)(x + y) = 2 * 2


def test_records_of_one_group_are_drawn_together() -> None:
    draws = intervals.resample({"pictures": [7, 7, 8, 9]}, seed=2, count=50)
    w = np.concatenate(list(draws.blocks()))
    assert (w[:, 0] == w[:, 1]).all()
    assert (w[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert draws.clusters == {"pictures": 3}


def test_seed_decides_everything() -> None:
    groups = {"pictures": list(range(40)), "templates": [i % 7 for i in range(40)]}
    statistic = mean_of([float(i % 3) for i in range(40)])
    first, again, other = (
        intervals.bootstrap(statistic, intervals.resample(groups, seed=seed)) for seed in (5, 5, 6)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert first.clusters == {"pictures": 40, "templates": 7}


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = intervals.resample({"pictures": [0, 1, 2], "templates": [0, 0, 1]}, seed=3, count=20)
    whole = np.concatenate(list(draws.blocks()))
    monkeypatch.setattr(intervals, "BLOCK", 7)
    assert np.array_equal(whole, np.concatenate(list(draws.blocks())))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.integers(0, 1_000))
def test_interval_encloses_the_point(x: list[float], seed: int) -> None:
    draws = intervals.resample({"pictures": list(range(len(x)))}, seed=seed, count=400)
    found = intervals.bootstrap(mean_of(x), draws)
    assert found.low - 1e-12 <= found.point <= found.high + 1e-12
    assert found.point == pytest.approx(float(np.mean(x)))


def test_bootstrap_has_the_width_of_the_textbook() -> None:
    x = np.random.default_rng(0).normal(size=400)
    found = intervals.bootstrap(mean_of(x.tolist()), intervals.resample({"pictures": range(400)}, seed=1))
    assert found.high - found.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.08)


def test_shared_templates_widen_the_interval() -> None:
    x = np.repeat(np.random.default_rng(1).normal(size=20), 20)  # 20 templates, 20 equal records each
    records = intervals.resample({"records": range(400)}, seed=1)
    both = intervals.resample(
        {"pictures": range(400), "templates": np.repeat(range(20), 20).tolist()}, seed=1
    )
    narrow, wide = (intervals.bootstrap(mean_of(x.tolist()), draws) for draws in (records, both))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_draws_without_a_value_are_left_out_and_counted() -> None:
    draws = intervals.resample({"pictures": [0, 1]}, seed=1, count=1_000)
    found = intervals.bootstrap(scores.weighted_auroc([0.9, 0.1], [1, 0]), draws)
    assert (found.point, found.low, found.high) == (1.0, 1.0, 1.0)
    assert 400 < found.undefined < 600  # both groups come once in half of the draws


def test_nothing_defined_is_null_in_the_report() -> None:
    draws = intervals.resample({"pictures": [0, 1]}, seed=1, count=10)
    shown = intervals.bootstrap(scores.weighted_auroc([0.9, 0.1], [1, 1]), draws).as_json()
    assert (shown["point"], shown["low"], shown["high"], shown["undefined"]) == (None, None, None, 10)


def test_paired_difference_cancels_what_is_shared() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    s = rng.normal(size=300) + truth
    draws = intervals.resample({"pictures": range(300)}, seed=4)
    a, b = scores.weighted_auroc(s, truth), scores.weighted_auroc(s + 0.05 * rng.normal(size=300), truth)
    paired, alone = intervals.paired_difference(a, b, draws), intervals.bootstrap(a, draws)
    assert paired.high - paired.low < (alone.high - alone.low) / 3
    nothing = intervals.paired_difference(a, a, draws)
    assert (nothing.low, nothing.point, nothing.high) == (0.0, 0.0, 0.0)


def test_a_real_difference_excludes_zero() -> None:
    draws = intervals.resample({"pictures": range(200)}, seed=4)
    found = intervals.paired_difference(mean_of([1.0] * 200), mean_of([0.0, 0.5] * 100), draws)
    assert found.point == pytest.approx(0.75)
    assert found.excludes(0)
    assert not found.excludes(0.75)


def test_records_that_share_a_template_are_linked() -> None:
    assert intervals.linked([("a",), ("b", "c"), ("c", "d"), ("a", "e"), ("d",), ("f",)]) == [
        0,
        1,
        1,
        0,
        1,
        2,
    ]
    with pytest.raises(ValueError, match="at least one template"):
        intervals.linked([("a",), ()])


def test_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="one label a record"):
        intervals.resample({"pictures": [1, 2], "templates": [1]}, seed=1)
    with pytest.raises(ValueError, match="one label a record"):
        intervals.resample({}, seed=1)


def test_two_thousand_draws_stay_small() -> None:
    draws = intervals.resample({"pictures": range(1_000)}, seed=1)
    sizes = [block.shape for block in draws.blocks()]
    assert sum(rows for rows, _ in sizes) == intervals.COUNT
    assert all(rows <= intervals.BLOCK and records == 1_000 for rows, records in sizes)
    assert not math.isnan(intervals.bootstrap(mean_of([1.0] * 1_000), draws).low)
