"""Work by several threads: results in order, and what happens to the others when one fails."""

import threading
from collections.abc import Callable

import pytest
from yochi_train.observe.crew import crew

WAIT = 60.0  # seconds until a test that hangs fails


def test_so_many_at_a_time_and_in_order() -> None:
    """Every three meet, then the last of them goes first."""
    met, at_once, now = threading.Barrier(3, timeout=WAIT), 0, 0
    turns = [threading.Event() for _ in range(10)]
    counting = threading.Lock()

    def work(item: int) -> int:
        nonlocal at_once, now
        with counting:
            now += 1
            at_once = max(at_once, now)
        met.wait()
        if item % 3 < 2:
            assert turns[item + 1].wait(WAIT)
        with counting:
            now -= 1
        turns[item].set()
        met.wait()  # no fourth begins while one of three is at work
        return item * item

    with crew(work, range(9), 3) as results:
        assert list(results) == [item * item for item in range(9)]
    assert at_once == 3


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_comes_in_its_place_and_is_the_end(workers: int) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("no 2")
        return item

    got: list[int] = []

    def run() -> None:
        with crew(work, range(1000), workers) as results:
            got.extend(results)

    with pytest.raises(ValueError, match="no 2"):
        run()
    assert got == [0, 1]
    assert len(begun) < 1000


def failing(end: BaseException, others: threading.Event) -> tuple[Callable[[int], None], list[int]]:
    """Work whose item 0 fails while item 1 waits for `others`; and what was finished."""
    begun, finished = threading.Event(), []

    def work(item: int) -> None:
        if item == 0:
            assert begun.wait(WAIT)
            raise end
        begun.set()
        assert others.wait(WAIT)
        finished.append(item)

    return work, finished


def test_what_was_begun_is_finished_before_the_error_goes_on() -> None:
    others = threading.Event()
    work, finished = failing(ValueError(), others)

    def run() -> None:
        with crew(work, range(2), 2) as results:
            try:
                next(results)
            finally:
                others.set()

    with pytest.raises(ValueError, match=r"^$"):
        run()
    assert finished == [1]


def test_ctrl_c_waits_for_nobody() -> None:
    others = threading.Event()
    work, finished = failing(KeyboardInterrupt(), others)

    def run() -> None:
        with crew(work, range(2), 2) as results:
            next(results)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert finished == []
    others.set()
