"""Which way a 3D file stands and how large it gets: by hand, and for boxes of every kind."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yochi_train.scenes.stance import ASIDE, TURNS, placement, upright

SIZE = (1.2, 0.8, 1.0)


def moved(matrix: tuple[tuple[float, ...], ...], shift: tuple[float, ...], point: list[float]) -> list[float]:
    return [
        sum(m * p for m, p in zip(row, point, strict=True)) + t for row, t in zip(matrix, shift, strict=True)
    ]


@pytest.mark.parametrize(
    ("low", "high", "axis"),
    [
        ([-1, -1, 0], [1, 1, 3], (2, 1)),  # as Blender has it
        ([-47.05, -140.91, -60.72], [47.05, -0.49, 61.05], (1, -1)),  # a file whose z is up, read as glTF
        ([-1, 0.1, -1], [1, 3, 1], (1, 1)),
        ([0, -1, -1], [3, 1, 1], (0, 1)),
        ([-3, -1, -1], [0, 1, 1], (0, -1)),
        ([-1, -1, -1], [1, 1, 1], (2, 1)),  # centred: nothing speaks against glTF's own rule
        ([0, 0, 0], [1, 1, 1], (2, 1)),  # the origin in a corner
    ],
)
def test_a_thing_stands_on_its_origin(low: list[float], high: list[float], axis: tuple[int, int]) -> None:
    assert upright(low, high) == TURNS[axis]


def test_a_box_that_may_stand_two_ways_or_is_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="move the origin to the middle of its foot"):
        upright([0, 0, -1], [1, 1, 1])
    with pytest.raises(ValueError, match="expected a model with an extent"):
        upright([0, 0, 0], [0, 0, 2])


def test_a_box_in_centimetres_by_hand() -> None:
    # 200 x 100 on the floor, 100 high along -y; 1.2 m of length is the tightest: 1.2 / 200.
    matrix, shift = placement([-100, -100, -50], [100, 0, 50], SIZE)
    assert [v for row in matrix for v in row] == [0.006, 0, 0, 0, 0, 0.006, 0, -0.006, 0]
    assert [*shift] == [0, 0, -0.5]
    assert moved(matrix, shift, [100, -100, 50]) == pytest.approx([0.6, 0.3, 0.1])


def test_the_longer_side_lies_along_the_longer_side_of_the_place() -> None:
    matrix, shift = placement([-1, -3, 0], [1, 3, 1], SIZE)
    assert moved(matrix, shift, [1, 3, 0]) == pytest.approx([-0.6, 0.2, -0.5])


@given(
    st.lists(st.floats(-100, 100), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 500), min_size=3, max_size=3),
    st.sampled_from([SIZE, (0.5, 2.0, 0.3), (1.0, 1.0, 1.0)]),
)
def test_it_stands_inside_the_place_and_fills_one_side_of_it(
    low: list[float], extent: list[float], size: tuple[float, float, float]
) -> None:
    high = [a + e for a, e in zip(low, extent, strict=True)]
    aside = [abs(a + h) / 2 >= ASIDE * e for a, h, e in zip(low, high, extent, strict=True)]
    assume(aside[2] or sum(aside) < 2)  # with two ways to stand it is an error: tested above
    matrix, shift = placement(low, high, size)
    ends = [moved(matrix, shift, corner) for corner in (low, high)]
    lows, highs = ([f(pair) for pair in zip(*ends, strict=True)] for f in (min, max))
    spans = [h - a for a, h in zip(lows, highs, strict=True)]
    assert lows[2] == pytest.approx(-size[2] / 2)
    assert (lows[0] + highs[0], lows[1] + highs[1]) == pytest.approx((0, 0), abs=1e-6)
    assert all(span <= most * (1 + 1e-6) for span, most in zip(spans, size, strict=True))
    assert max(span / most for span, most in zip(spans, size, strict=True)) == pytest.approx(1)
    assert sorted(s / max(spans) for s in spans) == pytest.approx(sorted(e / max(extent) for e in extent))
