"""Non-inferiority: how many pairs show it, with the arithmetic of the binomial written out."""

import numpy as np
import pytest
from yochi_bench.intervals import binomial_tail, resample
from yochi_bench.noninferiority import NonInferiority, non_inferiority

MARGIN = 0.01


def pairs(total: int, lost: int = 0, won: int = 0, others: int = 0) -> NonInferiority:
    """`total` records that count, each with a picture of its own; `others` that do not, all lost."""
    new, old, of = (np.zeros(total + others, dtype=bool) for _ in range(3))
    of[:total] = True
    new[:lost] = True
    old[lost : lost + won] = True
    new[total:] = True
    draws = resample({"pictures": list(range(total + others))}, seed=0, count=500)
    return non_inferiority(old, new, of, draws, MARGIN)


def test_the_binomial_tail_by_hand() -> None:
    assert binomial_tail(0, 59, 0.05) == pytest.approx(0.95**59)
    assert binomial_tail(1, 4, 0.25) == pytest.approx(0.75**4 + 4 * 0.25 * 0.75**3)
    assert binomial_tail(4, 4, 0.25) == pytest.approx(1.0)
    for successes, trials, share in ((5, 4, 0.5), (-1, 4, 0.5), (1, 4, 0.0), (1, 4, 1.0)):
        with pytest.raises(ValueError, match="expected"):
            binomial_tail(successes, trials, share)


@pytest.mark.parametrize(
    ("total", "lost", "status"),
    [
        (299, 0, "shown"),  # 0.99^299 = 0.0495
        (298, 0, "undecided"),  # 0.99^298 = 0.0500 and a little more
        (473, 1, "shown"),  # 0.99^473 + 473 x 0.01 x 0.99^472 = 0.0498
        (472, 1, "undecided"),  # 0.0502
        (0, 0, "undecided"),
    ],
)
def test_so_many_dangerous_records_show_that_no_more_are_missed(total: int, lost: int, status: str) -> None:
    found = pairs(total, lost, others=3)
    assert (found.of, found.lost, found.status) == (total, lost, status)


def test_the_limit_without_a_lost_record_is_exact_where_a_bootstrap_says_nothing() -> None:
    found = pairs(310)
    assert (found.difference.low, found.difference.high) == (0.0, 0.0)
    assert found.limit == pytest.approx(1 - 0.05 ** (1 / 310))


def test_much_worse_is_refuted_and_what_is_won_does_not_excuse_what_is_lost() -> None:
    worse = pairs(300, lost=30)
    assert worse.difference.point == pytest.approx(0.1)
    assert worse.difference.low > MARGIN
    assert worse.status == "refuted"
    exchanged = pairs(300, lost=10, won=10)
    assert exchanged.difference.point == 0.0
    assert exchanged.limit > MARGIN
    assert exchanged.status == "undecided"
    assert exchanged.as_json()["lost"] == exchanged.as_json()["won"] == 10


def test_records_of_one_picture_are_one() -> None:
    """Thirty lost records in one picture of 300: the bootstrap knows how little thirty are."""
    new, of = np.zeros(3000, dtype=bool), np.ones(3000, dtype=bool)
    new[:30] = True
    old = np.zeros(3000, dtype=bool)
    draws = resample({"pictures": [i // 30 for i in range(3000)]}, seed=0, count=500)
    found = non_inferiority(old, new, of, draws, MARGIN)
    assert found.difference.point == pytest.approx(0.01)
    assert found.limit == found.difference.high > 0.015, "the exact limit alone would say 0.0136"
