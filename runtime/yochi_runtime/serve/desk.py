"""The desk: one thread that owns judge and audit log, and judges what is brought to it, one after another.

The built-in frame comes first when its check is due, then the camera, whose frames grow old, then requests
in their order. How many may wait is bounded by who brings them (see `seats`). A judgement is explained once
it is given, for whoever asked for that, until somebody wants to judge.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ..audit.log import AuditLog
from ..errors import BundleError, CannotJudge, EngineError, Reason, UsageError
from ..explainer import Explained
from ..judge import Judge
from ..judgement import Judgement, in_mode
from ..mode import Mode
from ..run import Judged, failure
from ..taxonomy import Pack
from .builtin import BuiltIn, Refused
from .given import Readiness

CHECK_EVERY = 20.0  # seconds from one judgement of the built-in frame to the next
RETRY_EVERY = 5.0  # seconds, after a check that did not pass
READY_WITHIN = 60.0  # seconds since a check passed
BEAT = 1.0  # seconds that the thread waits at most before it shows that it is alive
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class Outcome(NamedTuple):
    """A judgement whose row `id` is durable, or a `cannot_judge` without a row."""

    id: int | None
    judged: Judged
    seconds: float  # on the desk


# Told how far the explanation of an outcome is, on the desk's thread; None: nothing more comes.
Tell = Callable[[Outcome, Explained | None], None]


@dataclass(frozen=True, eq=False)
class _Job:
    work: Callable[[], Judged]
    note: Callable[[], str | None]  # the note for the log, asked after the work
    tell: Tell | None
    answer: "Future[Outcome]" = field(default_factory=Future)


@dataclass(frozen=True, eq=False)
class _Task:
    """Work that leaves no row of its own."""

    work: Callable[[], Any]
    answer: "Future[Any]" = field(default_factory=Future)


class Desk:
    """Starts with `start`. `opens` gives the judge; `beat` is called by the thread as long as it goes on.

    Every judgement is recorded in `mode`. Like the judge it is changed on the desk's thread alone,
    where `log` is written.
    """

    def __init__(
        self,
        opens: Callable[[], Judge],
        log: AuditLog,
        beat: Callable[[], None] = lambda: None,
        check_every: float = CHECK_EVERY,
        mode: Mode = Mode.ADVISE,
    ) -> None:
        self.mode, self.opens, self.log = mode, opens, log
        self._beat, self._every = beat, check_every
        self._judge: Judge | None = None
        self._builtin = BuiltIn()
        self._fault: CannotJudge | None = EngineError(
            Reason.ENGINE_FAILED, "expected the engines, they are still being loaded; wait a moment"
        )
        self._found: str | None = str(self._fault)  # what the last check found wrong
        self._passed: float | None = None  # time.monotonic() of the last check that passed
        self._check_at = 0.0
        self._changed = threading.Condition()  # guards the two below
        self._camera: deque[_Job] = deque()
        self._requests: deque[_Job | _Task] = deque()
        self._before: Counter[str] = Counter()  # starts of the engines of judges that were closed
        self.explained: Callable[[Explained], None] = lambda _: None  # gets what every explanation ends with
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="yochi desk", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def ask(
        self,
        work: Callable[[], Judged],
        note: Callable[[], str | None],
        *,
        camera: bool = False,
        tell: Tell | None = None,
    ) -> "Future[Outcome]":
        """Have `work` done by the desk's thread and its judgement recorded; a cancelled one is not begun.

        With `tell` it is then explained; a judgement that was answered always ends with its None.
        """
        job = _Job(work, note, tell)
        with self._changed:
            if self._closed.is_set():
                job.answer.cancel()
            (self._camera if camera else self._requests).append(job)
            self._changed.notify()
        return job.answer

    def run(self, work: Callable[[], T]) -> "Future[T]":
        """Have `work` done by the desk's thread, after the requests before it; it may raise."""
        task = _Task(work)
        with self._changed:
            if self._closed.is_set():
                task.answer.cancel()
            self._requests.append(task)
            self._changed.notify()
        return task.answer

    @contextmanager
    def judge(self) -> Iterator[Judge]:
        """The open judge, on the desk's thread only; CannotJudge where there is none to believe."""
        if self._fault is not None or self._judge is None:
            raise self._fault or EngineError(Reason.ENGINE_FAILED, "expected an open judge, it is closed")
        yield self._judge

    @property
    def pack(self) -> Pack | None:
        """That of the open bundle, None where none is open."""
        judge = self._judge
        return None if judge is None else judge.bundle.pack

    @property
    def opened(self) -> Judge | None:
        """The open judge to look at, not to judge with; None where none is open."""
        return self._judge

    def take(self, judge: Judge) -> None:
        """Judge with `judge`, which has just judged the built-in frame, and end the one before.

        On the desk's thread.
        """
        before, self._judge, self._fault, self._found = self._judge, judge, None, None
        self._passed = time.monotonic()
        self._check_at = self._passed + self._every
        if before is not None:
            self._before.update(before.starts)
            before.close()

    @property
    def starts(self) -> dict[str, int]:
        """How often each engine was started since the service began."""
        judge = self._judge
        return dict(self._before + Counter({} if judge is None else judge.starts))

    def readiness(self) -> Readiness:
        """Ready while the built-in frame was judged well within the last READY_WITHIN seconds."""
        age = None if self._passed is None else time.monotonic() - self._passed
        fault = self._found
        fresh = age is not None and age <= READY_WITHIN
        return Readiness(ready=fresh and fault is None and self.alive, check_age_s=age, fault=fault)

    def close(self) -> None:
        """Ends thread, engines and log; what still waits is cancelled. May be repeated."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closed.is_set():
                self._beat()
                if time.monotonic() >= self._check_at:
                    self._check()
                if (job := self._next()) is not None:  # checks that take long leave room, too
                    self._do(job)
        finally:
            with self._changed:
                self._closed.set()
                left = [*self._camera, *self._requests]
            for job in left:
                job.answer.cancel()
            if self._judge is not None:
                self._judge.close()
            self.log.close()

    def _next(self) -> _Job | _Task | None:
        with self._changed:
            if not (self._camera or self._requests):
                self._changed.wait(max(0.0, min(BEAT, self._check_at - time.monotonic())))
            if self._camera:
                return self._camera.popleft()
            return self._requests.popleft() if self._requests else None

    def _do(self, job: _Job | _Task) -> None:
        if not job.answer.set_running_or_notify_cancel():
            return
        if isinstance(job, _Task):
            try:
                job.answer.set_result(job.work())
            except Exception as e:  # noqa: BLE001 -- whoever asked gets it
                job.answer.set_exception(e)
            return
        start = time.monotonic()
        try:
            judged = job.work()
            decided = in_mode(judged.judgement, self.mode)
            judgement: Judgement = self.log.record(decided, job.note(), judged.frame, judged.heads)
            outcome = Outcome(self.log.last, judged._replace(judgement=judgement), time.monotonic() - start)
        except Exception as e:  # noqa: BLE001 -- fail closed: no fault may end without a judgement
            failed = Judged(in_mode(failure(e), self.mode))
            outcome = Outcome(None, failed, time.monotonic() - start)
        job.answer.set_result(outcome)
        if job.tell is not None:
            self._explain(outcome, job.tell)

    def _explain(self, outcome: Outcome, tell: Tell) -> None:
        """Of a judgement that is recorded and shown, which what goes wrong here does not touch."""
        judge, judgement, told = self._judge, outcome.judged.judgement, None
        if judge is not None and outcome.id is not None and judgement.mode is not Mode.SHADOW:
            for told in judge.explain(judgement, stop=self._wanted):
                self._beat()
                tell(outcome, told)
        if told is not None:
            self.explained(told)
        tell(outcome, None)

    def _wanted(self) -> bool:
        """Whether somebody waits, or the end."""
        with self._changed:
            return bool(self._camera or self._requests) or self._closed.is_set()

    def _check(self) -> None:
        """Judge the built-in frame. What the judge itself says of it, it says to everybody who asks, too."""
        fault: CannotJudge | None = None
        try:
            if self._judge is None:
                self._judge = self._open()
            self._builtin.check(self._judge)
        except Refused as e:
            fault = e
            self._fault = None
        except Exception as e:  # noqa: BLE001 -- whatever it is, nothing is judged until a check passes
            _LOG.debug("the built-in frame was not judged", exc_info=e)
            self._fault = fault = e if isinstance(e, CannotJudge) else _unexpected(e)
            if self._judge is not None:
                self._before.update(self._judge.starts)
                self._judge.close()
                self._judge = None
        else:
            self._fault, self._passed = None, time.monotonic()
        self._found = None if fault is None else str(fault)
        self._check_at = time.monotonic() + (self._every if fault is None else min(RETRY_EVERY, self._every))

    def _open(self) -> Judge:
        try:
            return self.opens()
        except UsageError as e:  # the folder was there when the service started
            raise BundleError(Reason.BUNDLE_MISSING, str(e)) from e


def _unexpected(error: Exception) -> EngineError:
    return EngineError(
        Reason.ENGINE_FAILED,
        f"expected a judgement of the built-in frame, got {type(error).__name__}: "
        f"{' '.join(str(error).split())[:200]}; restart Yochi, report it",
    )
