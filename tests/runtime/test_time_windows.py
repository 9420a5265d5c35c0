"""Times of day and weekdays, over midnight and over the week's end."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.time_windows import DAYS, WEEK, Day, minute_of, minutes, moment, window

INSIDE = [
    ((), ("08:00-17:00",), "mon 08:00"),
    ((), ("08:00-17:00",), "sun 16:59"),
    ((), ("22:00-06:00",), "wed 22:00"),
    ((), ("22:00-06:00",), "wed 05:59"),
    (("fri",), ("22:00-06:00",), "sat 02:00"),  # the shift that began on Friday
    (("sun",), ("22:00-06:00",), "mon 02:00"),  # over the end of the week
    (("mon",), ("22:00-00:00",), "mon 23:59"),
    (("sat", "sun"), (), "sat 00:00"),
    (("tue",), ("00:00-24:00",), "tue 23:59"),
    ((), ("05:45-06:15", "13:45-14:15"), "thu 14:00"),
]
OUTSIDE = [
    ((), ("08:00-17:00",), "mon 17:00"),
    ((), ("22:00-06:00",), "wed 06:00"),
    ((), ("22:00-06:00",), "wed 21:59"),
    (("fri",), ("22:00-06:00",), "fri 02:00"),  # that is Thursday's shift
    (("mon",), ("22:00-00:00",), "tue 00:00"),
    (("sat", "sun"), (), "mon 00:00"),
]


@pytest.mark.parametrize(("days", "hours", "time"), INSIDE)
def test_inside(days: tuple[Day, ...], hours: tuple[str, ...], time: str) -> None:
    assert moment(time) in minutes(days, hours)


@pytest.mark.parametrize(("days", "hours", "time"), OUTSIDE)
def test_outside(days: tuple[Day, ...], hours: tuple[str, ...], time: str) -> None:
    assert moment(time) not in minutes(days, hours)


@given(st.integers(0, 1439), st.integers(0, 1439), st.sampled_from(DAYS))
def test_a_window_and_its_complement_fill_the_day_that_begins_with_it(one: int, other: int, day: Day) -> None:
    if one == other:
        return
    first, second = (f"{m // 60:02d}:{m % 60:02d}" for m in (one, other))
    there, back = minutes((), (f"{first}-{second}",)), minutes((), (f"{second}-{first}",))
    assert there | back == frozenset(range(WEEK))
    assert not there & back
    assert len(minutes((day,), (f"{first}-{second}",))) == (other - one) % 1440


@pytest.mark.parametrize(
    "text",
    ["", "22-6", "24:00-06:00", "22:60-06:00", "9:00-17:00", "08:00-08:00", "22:00-24:30", "２２:00-06:00"],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected "):
        window(text)


@pytest.mark.parametrize("text", ["", "23:30", "sat 24:00", "Sat 10:00", "sat  10:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a day and a time"):
        moment(text)


def test_the_clock_on_the_wall() -> None:
    assert minute_of(datetime(2025, 11, 29, 23, 30, 59)) == moment("sat 23:30")
