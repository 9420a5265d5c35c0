"""Progress with a clock that only moves when told."""

import io

from yochi_bench.progress import Progress


class Clock:
    """Seconds by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_time_left_is_that_of_the_steps_so_far() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress("sft", 10, interval=0.0, stream=out, clock=clock)
    clock.now += 30.0
    progress.step(2, "loss 1.5")
    assert out.getvalue() == "sft: 2/10, 2:00 left, loss 1.5\n"  # 15 s a step, 8 steps left


def test_steps_of_an_earlier_run_took_no_time() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress("sft", 100, done=90, interval=0.0, stream=out, clock=clock)
    clock.now += 7.0
    progress.step()
    assert out.getvalue() == "sft: 91/100, 1:03 left\n"


def test_a_log_gets_a_line_an_interval_and_the_last() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress("features", 5, interval=15.0, stream=out, clock=clock)
    for _ in range(5):
        clock.now += 10.0
        progress.step()
    shown = [line.split(",")[0] for line in out.getvalue().splitlines()]
    assert shown == ["features: 1/5", "features: 3/5", "features: 5/5"]


def test_a_terminal_gets_one_line_that_is_redrawn() -> None:
    clock, out = Clock(), Terminal()
    progress = Progress("features", 2, stream=out, clock=clock)
    for _ in range(2):
        clock.now += 1.0
        progress.step()
    assert out.getvalue() == "\rfeatures: 1/2, 0:01 left\x1b[K\rfeatures: 2/2, 0:00 left\x1b[K\n"


def test_nothing_done_promises_nothing() -> None:
    assert Progress("x", 3, stream=io.StringIO(), clock=Clock()).line(100.0) == "x: 0/3, 0:00 left"
