"""A frame's age by its stream's own time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_devices.camera import CameraLost
from yochi_devices.stream_clock import DRIFT, StreamClock


def test_what_was_held_back_is_as_old_as_it_is() -> None:
    """By hand: five frames a second; the third to the fifth arrive together when the network is back."""
    clock = StreamClock()
    arrivals = [100.0, 100.2, 101.0, 101.0, 101.0, 101.0]
    taken = [clock.taken(arrived, 0.2 * i) for i, arrived in enumerate(arrivals)]
    assert taken == pytest.approx([100.0, 100.2, 100.4, 100.6, 100.8, 101.0], abs=DRIFT)


def test_the_fastest_frame_sets_the_measure() -> None:
    clock = StreamClock()
    assert clock.taken(10.5, 0.0) == 10.5  # half a second late, which nobody can know yet
    assert clock.taken(11.0, 1.0) == 11.0
    assert clock.taken(12.5, 2.0) == pytest.approx(12.0, abs=2 * DRIFT)


def test_a_clock_that_runs_a_little_slow_does_not_grow_old() -> None:
    clock = StreamClock()
    ages = [t - clock.taken(float(t), t * (1 - DRIFT / 10)) for t in range(0, 100_000, 10)]
    assert max(ages) < 1e-6


def test_a_stream_that_stands_still_grows_old() -> None:
    clock = StreamClock()
    clock.taken(0.0, 5.0)
    assert 10.0 - clock.taken(10.0, 5.0) == pytest.approx(10.0, abs=10 * DRIFT)


def test_time_that_goes_back_is_a_lost_stream() -> None:
    clock = StreamClock()
    clock.taken(1.0, 7.0)
    with pytest.raises(CameraLost, match=r"got 2\.00 s back"):
        clock.taken(1.1, 5.0)


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.0, 30.0)), min_size=1, max_size=50))
def test_no_frame_is_younger_than_its_arrival_or_older_than_its_delay(
    frames: list[tuple[float, float]],
) -> None:
    """True times and delays are drawn; packets do not overtake each other."""
    clock, true, last = StreamClock(), 0.0, 0.0
    for step, delay in frames:
        true += step
        last = arrived = max(last, true + delay)
        taken = clock.taken(arrived, true)
        assert true - DRIFT * arrived <= taken <= arrived + 1e-9
