"""Weekdays and times of day as minutes of the week: Monday 00:00 is 0, Sunday 23:59 is 10,079.

A window such as 22:00-06:00 goes over midnight. A weekday then means the day on which it opens: `fri` with
22:00-06:00 holds on Saturday at 02:00 and not on Friday at 02:00.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
_NUMBER: dict[str, int] = {day: number for number, day in enumerate(DAYS)}
_DAY = 24 * 60
WEEK = 7 * _DAY
_CLOCK = "([01][0-9]|2[0-3]):([0-5][0-9])"
_WINDOW = re.compile(f"{_CLOCK}-(?:{_CLOCK}|(24):(00))")
_MOMENT = re.compile(f"({'|'.join(DAYS)}) {_CLOCK}")


def window(text: str) -> tuple[int, int]:
    """(start, end) in minutes after the day's 00:00; the end is not inside and may be on the next day.

    ValueError for anything but two different times, "22:00-06:00" or "00:00-24:00".
    """
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a window such as 22:00-06:00, got {text!r}")
    hour, minute, *end = (int(number) for number in found.groups() if number is not None)
    start, until = 60 * hour + minute, 60 * end[0] + end[1]
    if start == until:
        raise ValueError(f"expected two different times, got {text!r}; the whole day is 00:00-24:00")
    return start, until if until > start else until + _DAY


def minutes(days: Sequence[Day], hours: Sequence[str]) -> frozenset[int]:
    """The minutes of the week in `hours` that open on `days`; an empty one stands for all."""
    windows = [window(text) for text in hours] or [(0, _DAY)]
    opening = [_DAY * _NUMBER[day] for day in days or DAYS]
    return frozenset(
        (day + minute) % WEEK for day in opening for start, end in windows for minute in range(start, end)
    )


def moment(text: str) -> int:
    """The minute of the week of, for instance, "sat 23:30"; ValueError for anything else."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f'expected a day and a time such as "sat 23:30", got {text!r}')
    day, hour, minute = found.groups()
    return _DAY * _NUMBER[day] + 60 * int(hour) + int(minute)


def minute_of(time: datetime) -> int:
    """The minute of the week that the clock on the wall shows at `time`."""
    return _DAY * time.weekday() + 60 * time.hour + time.minute
