"""Back-pressure: how many requests may hold a picture at once. The next is told when to come back."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

SHARE = 0.2  # of the newest duration in the running mean


class Seats:
    """`count` of them; on the event loop only."""

    def __init__(self, count: int, what: str) -> None:
        self._count, self._what = count, what
        self._mean = 1.0  # seconds that a seat's work takes
        self.taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """A seat until the end of the block; HTTPException 429 with Retry-After where none is free."""
        if self.taken >= self._count:
            wait = max(1, math.ceil(self._mean * self.taken))
            raise HTTPException(
                429,
                f"expected at most {self._count} {self._what} at once, all are taken; come back in {wait} s",
                {"Retry-After": str(wait)},
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    def took(self, seconds: float) -> None:
        """How long the work of one seat took."""
        self._mean += SHARE * (seconds - self._mean)
