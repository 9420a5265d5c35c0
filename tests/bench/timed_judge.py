"""A judge that takes time on a clock of its own, for the tests of what is timed."""

from collections.abc import Iterator, Mapping
from types import TracebackType

import numpy as np
from yochi_bench.timed import Box, Clock
from yochi_bench.workload import Asked
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import Reason
from yochi_runtime.explainer import Explained
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judgement import GO_ON, Identities, Judgement, cannot_judge
from yochi_runtime.opening import read_bundle
from yochi_runtime.verdict import Verdict


class FakeTime:
    """A clock that only goes on when somebody works or sleeps."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class FakeJudge:
    """Keeps what it was asked, knows the last frame like the real judge, and takes time on the fake clock.

    0.110 s for a new frame, 0.010 s for one that is known; 2 ms of either are evidence. 1 ms of both parts
    is not computed by an engine.
    """

    bundle = read_bundle(None)
    explains = False
    computed_ms: Mapping[str, float] = {}

    def __init__(self, reason: Reason | None = None, time: FakeTime | None = None) -> None:
        self.asked: list[Inspection] = []
        self.reason, self.time = reason, time or FakeTime()

    def judge(self, inspection: Inspection) -> Judgement:
        known = bool(self.asked) and self.asked[-1].frame.sha256 == inspection.frame.sha256
        first = not self.asked
        self.asked.append(inspection)
        self.time.at += 0.010 if known else 0.110
        judge = 8.0 if known else 108.0
        self.computed_ms = {"judge": judge - 1.0, "evidence": 1.0}
        if self.reason is not None:
            failed = cannot_judge(self.reason, "expected an engine, got none; restart")
            return failed.model_copy(update={"timings_ms": {"judge": 1.0}})
        timings = {"vision": 0.0 if known else 100.0, "note": 10.0, "judge": judge, "evidence": 2.0}
        timings |= {"load": 500.0} if first else {}
        return Judgement(
            verdict=Verdict.PROCEED, advice=GO_ON, timings_ms=timings, identities=Identities(engine="fake")
        )

    def explain(self, shown: Judgement) -> Iterator[Explained]:
        """Nothing; `explains` is False."""
        assert shown
        yield from ()

    def __enter__(self) -> "FakeJudge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.asked.clear()


def frame(shade: int = 9) -> Frame:
    return Frame(np.full((40, 50, 3), shade, dtype=np.uint8))


def asked(*notes: str, shade: int = 9) -> Asked:
    return Asked("drawn", (frame(shade),), tuple(Note(text) for text in notes or ("Sweep.", "Lift it.")))


def box(judge: FakeJudge) -> Box:
    return Box(judge, AuditLog(None), clock=judge.time.clock())
