"""The service as a whole: desk, camera and seats, and one judgement for one request."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..audit.feedback import Feedback
from ..audit.log import AuditLog
from ..errors import EngineError, Reason
from ..image import decode_frame
from ..judgement import in_mode
from ..rules_in_force import RulesInForce
from ..run import Judged, NoteSource, failure, judge_picture
from .access import Access
from .changes import Changes
from .desk import Desk, Outcome, Tell
from .given import Given
from .intake import Sent
from .kept import KeptFile
from .live import Live
from .metrics import Metrics
from .seats import Seats

STREAMS = 16  # listeners to the live verdicts at once


@dataclass(frozen=True)
class Settings:
    """`deadline` and `valid_s` in seconds; `waiting` counts the judgement that is being made, too."""

    log: Path
    access: Access
    waiting: int = 8
    deadline: float = 30.0
    valid_s: float = 10.0
    rules: RulesInForce | None = None
    notes: tuple[str, ...] = ()  # what the page has keys for
    bundles: Path | None = None  # where the box's lie; None where the bundle was named
    camera_named: bool = False  # by an option, so that a chosen one does not count


class Service:
    """`live` is None without a camera. What `kept` keeps of the rules counts from the start on."""

    def __init__(self, settings: Settings, desk: Desk, kept: KeptFile) -> None:
        self.settings, self.desk, self.kept = settings, desk, kept
        self.name = secrets.token_hex(8)  # another each time that it starts
        self.changes = Changes(desk, settings.rules, kept, settings.bundles, settings.log)
        self.live: Live | None = None
        self.seats = Seats(settings.waiting, "judgements")
        self.streams = Seats(STREAMS, "listeners")
        rules = settings.rules
        if rules is not None:
            rules.resume(kept.kept.rules, self.changes.keep_rules)
        not_taken = (lambda: None) if rules is None else (lambda: rules.not_taken)
        self.metrics = Metrics(desk.readiness, lambda: self.seats.taken, not_taken)
        desk.explained = self.metrics.explained
        self.closed_in_order = True  # once closed: whether the desk's thread had gone on until then
        self.stopping: Callable[[], bool] = lambda: False  # whether the server is about to end
        self.start_again: Callable[[], None] = lambda: None  # ends it, to be started with what was chosen

    def start(self) -> None:
        """On the event loop that serves."""
        self.desk.start()
        if self.live is not None:
            self.live.start(asyncio.get_running_loop())

    async def judge(self, sent: Sent, until: float, tell: Tell | None = None) -> Given:
        """The judgement of what was sent, or at `until` (time.monotonic()) a `cannot_judge`.

        `tell` as for the desk, to which no `cannot_judge` of this method comes.
        """
        source, seconds = NoteSource(sent.note, None), None
        read = partial(decode_frame, sent.picture)

        def work() -> Judged:
            return judge_picture(read, source, self.desk.judge, self.settings.rules)

        waiting = self.desk.ask(work, lambda: source.raw, tell=tell)
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(waiting), until - time.monotonic())
            seconds = outcome.seconds
            self.seats.took(seconds)
        except TimeoutError:
            outcome = _none(
                Reason.ENGINE_TIMEOUT, f"a judgement within {self.settings.deadline:g} s, got none"
            )
        except asyncio.CancelledError:
            if not waiting.cancelled() or self.desk.alive:
                raise  # it is this request that was cancelled
            outcome = _none(Reason.ENGINE_FAILED, "a judgement, the service is ending")
        given = Given(
            id=outcome.id,
            origin="request",
            note=source.raw,
            judgement=in_mode(outcome.judged.judgement, outcome.judged.judgement.mode or self.desk.mode),
            valid_s=self.settings.valid_s,
        )
        self.metrics.given(given, seconds)
        return given

    def add_feedback(self, number: int, feedback: Feedback) -> int:
        """Its row's number; UsageError and AuditError as in the log. For any thread: it opens its own log."""
        with AuditLog(self.settings.log) as log:
            return log.add_feedback(number, feedback)

    def close(self) -> None:
        """Camera first, then desk: what was brought is still judged."""
        self.closed_in_order = self.desk.alive
        if self.live is not None:
            self.live.close()
        self.desk.close()


def _none(reason: Reason, expected: str) -> Outcome:
    return Outcome(None, Judged(failure(EngineError(reason, f"expected {expected}; judge it again"))), 0.0)
