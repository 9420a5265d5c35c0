"""The camera's loop beside the desk, and what it showed last.

A thread of its own reads frame after frame, as `yochi watch` does, and brings each to the desk. There is one
newest judgement and never a queue of older ones: whoever is slow sees the next.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from yochi_devices.cameras import Camera, CameraError, is_live, open_camera
from yochi_devices.plant.line import Line

from ..errors import NoteError, Reason, one_line
from ..explainer import Explained
from ..inspection import Inspection, Note
from ..judgement import Judgement, cannot_judge
from ..rules_in_force import RulesInForce
from ..run import (
    ERROR_PAUSE,
    LOOK_EVERY,
    Judged,
    Looked,
    NoteSource,
    Shot,
    failure,
    judge_shot,
    look,
    next_shot,
    of_camera,
    paced,
    renewed,
    ruled,
)
from ..scene import Stages
from ..signalling import Signals
from ..stream import StreamGates
from .desk import Desk, Outcome
from .given import Given
from .live_shown import Shown


@dataclass(frozen=True)
class CameraSettings:
    """`every` and `valid_s` in seconds; the camera's gates are made by whoever knows its reference.

    `signals` get every judgement as it is shown.
    """

    uri: str
    every: float
    valid_s: float
    rules: RulesInForce | None = None
    signals: Signals | None = None


class Live:
    """The loop of one camera. `note` may be changed while it runs."""

    def __init__(
        self,
        desk: Desk,
        gates: StreamGates,
        note: NoteSource,
        settings: CameraSettings,
        tell: Callable[[Given, float | None], None],
    ) -> None:
        self._desk, self._gates, self._settings, self._tell = desk, gates, settings, tell
        self.note = note
        self._listening = 0  # who would read an explanation; counted on the event loop
        self._telling = threading.Lock()  # screens and signals hear of one after another, in one order
        self._guard = threading.Lock()  # of what is shown and the newest explanation
        self._lost = 0.0  # time.monotonic() when the camera was last found lost, beside the judging
        self._explained: tuple[int | None, Explained | None] = (None, None)  # of a row
        self._closed = threading.Event()
        self._waking: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self.shown = self._as_shown(source=note, outcome=_NOTHING_YET, since=time.monotonic())
        self._thread = threading.Thread(target=self._run, name="yochi camera loop", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is where `changed` is waited for."""
        self._waking = (loop, asyncio.Event())
        self._thread.start()

    @property
    def uri(self) -> str:
        return self._settings.uri

    @property
    def signals(self) -> Signals | None:
        return self._settings.signals

    @property
    def line(self) -> Line | None:
        """What its signals go through; None without any."""
        return None if self.signals is None else self.signals.line

    def show_again(self) -> None:
        """What is shown is told once more: it reads otherwise in another mode."""
        with self._guard:
            self.shown = Shown(*self.shown)
        self._tell_listeners()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Somebody reads explanations until the end of the block; without anybody there are none."""
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1

    def close(self) -> None:
        """Ends the loop; a camera that hangs ends with the process."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(ERROR_PAUSE)

    async def changed(self, seen: Shown | None, seconds: float) -> Shown:
        """What is shown, as soon as it is another than `seen`, at the latest after so many seconds."""
        if self.shown is seen and self._waking is not None:
            try:
                await asyncio.wait_for(self._waking[1].wait(), seconds)
            except TimeoutError:
                return self.shown
        return self.shown

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with open_camera(self._settings.uri) as camera:
                    judged = partial(self._judged, camera=camera)
                    ended = self._follow(paced(camera, judged, self._settings.every, None, self._wait))
            except CameraError as e:
                ended = False
                self._judged(Shot(e, Stages()))
            except Exception as e:  # noqa: BLE001 -- the screen says so, and the camera is tried again
                ended = False
                said = (
                    f"expected frames of the camera, got {type(e).__name__}: {one_line(e)}; check the camera"
                )
                self._judged(Shot(CameraError(said), Stages()))
            if ended and not is_live(self._settings.uri):
                return  # a recording is over; what was shown last expires
            self._wait(ERROR_PAUSE)

    def _follow(self, judgements: Iterator[Judged]) -> bool:
        """Until the end of the camera, or of this loop; whether it was the camera's.

        A live camera that fails opens itself again, and knows when it must not (`CameraProcess`).
        """
        return all(not self._closed.is_set() for _ in judgements)

    def _wait(self, seconds: float) -> bool:
        return self._closed.wait(seconds)

    def _judged(self, shot: Shot, camera: Camera | None = None) -> Judged:
        """Have it judged and recorded, and show it; a frame that waited for the desk is taken anew.

        A camera that is lost before the desk has answered is told at once, and has its row after that answer.
        """
        source, asked = self.note, time.monotonic()

        def work() -> Judged:
            note: Note | None = None
            try:
                note = source.read()
            except NoteError as e:
                found = Judged(failure(e))
            else:
                newest = shot if camera is None else renewed(shot, camera)
                found = judge_shot(newest, self._look, note, self._gates)
            return found._replace(
                judgement=self._finished(ruled(self._settings.rules, found.judgement, note))
            )

        def show(answer: "Future[Outcome]") -> None:
            if not answer.cancelled():
                outcome = answer.result()
                seen = outcome.judged.seen
                given = self._show(source, outcome, asked if seen is None else seen)
                self._tell(given, outcome.seconds)

        tell = self._explain if self._listening else None
        answer = self._desk.ask(work, lambda: source.raw, camera=True, tell=tell)
        answer.add_done_callback(show)  # by the desk itself: nothing waits for a look at the camera
        try:
            lost = self._look_until(answer, shot, camera)
            outcome = answer.result()
        except CancelledError:
            self._closed.set()  # the desk is closed
            return Judged(self.shown.given.judgement)
        return outcome.judged if lost is None else self._judged(Shot(lost, Stages()))

    def _look_until(self, answer: "Future[Outcome]", shot: Shot, camera: Camera | None) -> CameraError | None:
        """Until the desk answers or the camera is lost: why, where `shot` does not say so itself."""
        picture = shot.picture
        while not _came(answer, LOOK_EVERY):
            if not isinstance(picture, CameraError) and camera is not None and camera.live:
                picture = (next_shot(camera) or shot).picture
            if isinstance(picture, CameraError):
                self._lost = time.monotonic()
                self._show(self.note, Outcome(None, Judged(failure(picture)), 0.0), self._lost)
                return None if picture is shot.picture else picture
        return None

    def _finished(self, judgement: Judgement) -> Judgement:
        """In the mode of its row; where it has none, in the desk's."""
        return of_camera(judgement, self._settings.uri, judgement.mode or self._desk.mode)

    def _look(self, inspection: Inspection) -> Looked:
        with self._desk.judge() as judge:
            return look(judge, inspection)

    def _explain(self, outcome: Outcome, explained: Explained | None) -> None:
        """On the desk's thread, which may be here before the judgement is shown."""
        if explained is None:
            return
        with self._guard:
            self._explained = (outcome.id, explained)
            if self.shown.given.id != outcome.id:
                return
            self.shown = self.shown._replace(explained=explained)
        self._tell_listeners()

    def _show(self, source: NoteSource, outcome: Outcome, since: float) -> Given:
        """What was given, shown unless it is from before the camera was lost."""
        with self._telling:
            with self._guard:
                row, explained = self._explained
                shown = self._as_shown(source, outcome, since)
                if since < self._lost:
                    return shown.given
                known = row is not None and row == outcome.id
                self.shown = shown._replace(explained=explained) if known else shown
            if self._settings.signals is not None:
                self._settings.signals.give(shown.given.judgement, outcome.id, since)
        self._tell_listeners()
        return shown.given

    def _tell_listeners(self) -> None:
        if self._waking is not None:
            loop, _ = self._waking
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waking is not None:
            loop, waiting = self._waking
            self._waking = (loop, asyncio.Event())  # for who waits next
            waiting.set()

    def _as_shown(self, source: NoteSource, outcome: Outcome, since: float) -> Shown:
        given = Given(
            id=outcome.id,
            origin="camera",
            note=source.raw,
            judgement=self._finished(outcome.judged.judgement),  # also where the desk had none to record
            valid_s=self._settings.valid_s,
        )
        return Shown(given, since, outcome.judged.frame)


_NOTHING_YET = Outcome(
    None,
    Judged(
        cannot_judge(
            Reason.FRAME_UNREADABLE, "expected a frame of the camera, none has come yet; wait or check it"
        )
    ),
    0.0,
)


def _came(answer: "Future[Outcome]", seconds: float) -> bool:
    """Whether it came within so many seconds; CancelledError as of a future."""
    try:
        answer.result(seconds)
    except TimeoutError:
        return False
    return True
