"""What the commands do: one picture, or one frame after another, and every fault as a `cannot_judge`."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from yochi_devices.camera import AddressError
from yochi_devices.cameras import ADDRESS, Camera, CameraError, check_address, is_live, open_camera
from yochi_devices.frame import CameraFrame

from .errors import CannotJudge, FrameError, NoteError, Reason, UsageError, one_line
from .explainer import SECONDS, Explained
from .heads import HeadMask
from .image import Frame, read_frame
from .inspection import Inspection, Note, read_note_file
from .judge import Judge
from .judgement import Judgement, NotKept, cannot_judge, in_mode
from .limits import gates_of
from .mode import Mode
from .scene import Stages
from .stream import StreamGates, stream_gates
from .taxonomy import Pack

ERROR_PAUSE = 1.0  # seconds between failing reads in a row: a dead camera must not fill the disk with lines
LOOK_EVERY = 0.5  # seconds from look to look at a live camera whose judgement is not due, or not made yet
WAITED = 0.1  # seconds: a live camera's frame that has waited longer for its judgement is taken anew
_LOG = logging.getLogger(__name__)


class Rules(Protocol):
    """The plant's: `PlantRules`, or `RulesInForce` where their file may change meanwhile."""

    def apply(self, judgement: Judgement, note: Note | None) -> Judgement:
        """The judgement with the rules in it, never a milder one."""
        ...


class Looked(NamedTuple):
    """A judgement, and where heads may be in its frame, or why nobody knows."""

    judgement: Judgement
    heads: HeadMask | NotKept = NotKept.NOT_LOOKED


class Judged(NamedTuple):
    """A judgement, its frame where it could be read, and the pack that names its slots where it was.

    `seen` is time.monotonic() of what was judged, None where nothing of a camera was; `due` of the next one,
    None where there is none. `heads` as in `Looked`. `explain` is its judge's, as long as nothing else is
    judged.
    """

    judgement: Judgement
    frame: Frame | None = None
    pack: Pack | None = None
    seen: float | None = None
    heads: HeadMask | NotKept = NotKept.NOT_LOOKED
    due: float | None = None
    explain: Callable[..., Iterator[Explained]] | None = None

    def explained(self, judgement: Judgement) -> Explained | None:
        """The explanation of `judgement`, which is this one as it is shown; over before the next one is due.

        None where there is nothing to explain.
        """
        if self.explain is None:
            return None
        seconds = SECONDS if self.due is None else min(SECONDS, self.due - time.monotonic())
        *_, told = (None, *self.explain(judgement, seconds=seconds))
        return told


class Shot(NamedTuple):
    """What a camera gave when it was asked, and how long that took."""

    picture: CameraFrame | CameraError
    stages: Stages


@dataclass(frozen=True)
class NoteSource:
    """The note as it was given: exactly one of text and file."""

    text: str | None
    file: Path | None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.file is None):
            raise UsageError("expected one note, got none or two; give --note TEXT or --note-file FILE")
        if self.file is not None and not self.file.is_file():
            raise UsageError(f"expected a note file at {self.file}, found none; give a UTF-8 text file")

    def read(self) -> Note:
        return self._note

    @property
    def raw(self) -> str | None:
        """The note as it was given, for the audit log; None where there is none to read."""
        try:
            return self._note.raw
        except NoteError:
            return None

    @cached_property
    def _note(self) -> Note:  # read once: what is recorded is what was judged
        if self.file is not None:
            return read_note_file(self.file)
        text = self.text or ""
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            raise NoteError(
                Reason.NOTE_UNREADABLE,
                "expected the note in UTF-8, got other bytes; check the terminal's encoding",
            )
        return Note(text)


@contextmanager
def judge_file(
    image: Path,
    note: NoteSource,
    bundle: Path | None,
    threads: int | None,
    rules: Rules | None = None,
) -> Iterator[Judged]:
    """The judgement of one picture file, which can be explained in the block; UsageError for wrong paths."""
    with ExitStack() as until_the_end:

        def opened() -> AbstractContextManager[Judge]:
            return nullcontext(until_the_end.enter_context(Judge.open(bundle, threads=threads)))

        yield judge_picture(lambda: read_frame(image), note, opened, rules)


def judge_picture(
    read: Callable[[], Frame],
    note: NoteSource,
    opened: Callable[[], AbstractContextManager[Judge]],
    rules: Rules | None = None,
) -> Judged:
    """The judgement of the picture that `read` gives, by the judge that `opened` gives."""
    judges: list[Judge] = []
    notes: list[Note] = []
    frames: list[Frame] = []
    heads: list[HeadMask | NotKept] = []

    def judged() -> Judgement:
        stages = Stages()
        with stages.timed("decode"):
            frames.append(read())
        notes.append(note.read())
        inspection = Inspection(frames[0], notes[0])
        with opened() as judge:
            judges.append(judge)
            found = look(judge, inspection)
            heads.append(found.heads)
            return _with_timings(found.judgement, stages)

    judgement = ruled(rules, attempt(judged), notes[0] if notes else None)
    found = Judged(judgement, frames[0] if frames else None, heads=heads[0] if heads else NotKept.NOT_LOOKED)
    return found._replace(pack=judges[0].bundle.pack, explain=judges[0].explain) if judges else found


def look(judge: Judge, inspection: Inspection) -> Looked:
    """What `judge` says, and saw, of it."""
    return Looked(judge.judge(inspection), judge.heads(inspection.frame))


def watch(
    uri: str,
    note: NoteSource,
    bundle: Path | None,
    threads: int | None,
    every: float,
    count: int | None,
    rules: Rules | None = None,
    reference: str | None = None,
    mode: Mode = Mode.ADVISE,
) -> Iterator[Judged]:
    """One judgement a frame, at most `count`, one each `every` seconds; UsageError where no such path is.

    `reference` as in `stream_gates`.
    """
    gates = gates_for(uri, reference)
    text: Note | None = None

    def finished(judged: Judged) -> Judged:
        return judged._replace(judgement=of_camera(ruled(rules, judged.judgement, text), uri, mode))

    try:
        text = note.read()
        with open_camera(uri) as camera, Judge.open(bundle, threads=threads) as judge:
            for judged in judge_frames(camera, judge, text, every, count, gates):
                yield finished(judged)
    except UsageError:
        raise
    except Exception as e:  # noqa: BLE001 -- fail closed: no fault may end without a judgement
        yield finished(Judged(failure(e)))


def camera_name(uri: str) -> str:
    """The camera's name in judgements: `uri` without what may be secret in an address (user, query)."""
    if "://" in uri:
        try:
            address = urlsplit(uri)
            uri = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
        except ValueError:
            uri = uri.partition("://")[0] + "://..."
    # A path may hold bytes that are no UTF-8, and JSON cannot.
    return uri.encode("utf-8", "backslashreplace").decode()


def of_camera(judgement: Judgement, uri: str, mode: Mode) -> Judgement:
    """A camera's judgement, finished: it says whose it is and what it may do."""
    return in_mode(judgement.model_copy(update={"camera": camera_name(uri)}), mode)


def gates_for(uri: str, reference: str | None) -> StreamGates:
    """The gates of the camera that `uri` names, as in `stream_gates`.

    UsageError where no such path is, or for an address that cannot be meant.
    """
    if not is_live(uri) and not Path(uri).exists():
        raise UsageError(
            f"expected a camera index, rtsp://HOST/PATH, a video file or a folder, found nothing at {uri}; "
            "check it"
        )
    if ADDRESS in uri:
        try:
            check_address(uri)
        except AddressError as e:
            raise UsageError(str(e)) from e
    return stream_gates(reference, live=is_live(uri))


def judge_frames(
    camera: Camera,
    judge: Judge,
    note: Note,
    every: float = 0.0,
    count: int | None = None,
    gates: StreamGates | None = None,
) -> Iterator[Judged]:
    """Judgements of the camera's frames until its end; a frame that cannot be read is one, too."""
    gates = gates or StreamGates()

    def judged(shot: Shot) -> Judged:
        return judge_shot(shot, partial(look, judge), note, gates)._replace(explain=judge.explain)

    return paced(camera, judged, every, count)


def paced(
    camera: Camera,
    judged: Callable[[Shot], Judged],
    every: float = 0.0,
    count: int | None = None,
    pause: Callable[[float], object] | None = None,
) -> Iterator[Judged]:
    """What `judged` makes of the camera's shots until its end, at most `count`, one each `every` seconds.

    A live camera is looked at between them: when it fails it is judged at once, and soon again until it is
    back. `pause` waits for so many seconds, and may say that nobody waits any more; without it the thread
    sleeps.
    """
    given, failures, pause, lost = 0, 0, pause or time.sleep, None
    while count is None or given < count:
        start = time.monotonic()
        shot = lost or next_shot(camera)
        if shot is None:
            return
        failures = failures + 1 if isinstance(shot.picture, CameraError) else 0
        wait = min(every, ERROR_PAUSE) if failures and camera.live else every
        due = start + (wait if failures < 2 else max(wait, ERROR_PAUSE))
        given += 1
        yield judged(shot)._replace(due=None if given == count else due)
        if count is None or given < count:
            lost = _until(due, pause, camera if camera.live and not failures else None)


def _until(due: float, pause: Callable[[float], object], watched: Camera | None) -> Shot | None:
    """Waits; a failure of the camera that is watched ends the wait and is given."""
    while (left := due - time.monotonic()) > 0:
        if watched is None or left <= LOOK_EVERY:
            pause(left)
            return None
        if pause(LOOK_EVERY):
            return None
        shot = next_shot(watched)
        if shot is None or isinstance(shot.picture, CameraError):
            return shot
    return None


def renewed(shot: Shot, camera: Camera) -> Shot:
    """`shot`, or what a live camera shows now where the frame has waited too long to be judged."""
    frame = shot.picture
    if not isinstance(frame, CameraFrame) or not frame.live or time.monotonic() - frame.monotonic <= WAITED:
        return shot
    return next_shot(camera) or shot


def judge_shot(shot: Shot, seen_by: Callable[[Inspection], Looked], note: Note, gates: StreamGates) -> Judged:
    """The judgement that the gates and `seen_by` come to, or why the camera gave no frame."""
    frame, heads = _frame(shot.picture), list[HeadMask | NotKept]()

    def judged() -> Judgement:
        if isinstance(shot.picture, CameraError):
            raise shot.picture
        if isinstance(frame, FrameError | CameraError):
            raise frame
        passed = gates.check(shot.picture, frame)
        judgement, found = seen_by(Inspection(frame, note))
        heads.append(found)
        return judgement.model_copy(update={"gates": (*passed, *judgement.gates)})

    judgement = _with_timings(attempt(judged), shot.stages)
    seen = shot.picture.monotonic if isinstance(shot.picture, CameraFrame) else None
    return Judged(
        judgement,
        frame if isinstance(frame, Frame) else None,
        seen=seen,
        heads=heads[0] if heads else NotKept.NOT_LOOKED,
    )


def next_shot(camera: Camera) -> Shot | None:
    """What the camera gives now, None at its end."""
    stages = Stages()
    try:
        with stages.timed("decode"):
            picture = camera.read()
        return None if picture is None else Shot(picture, stages)
    except CameraError as e:
        return Shot(e, stages)  # becomes this frame's judgement


def _frame(picture: CameraFrame | CameraError) -> Frame | FrameError | CameraError:
    """The frame, or why there is none."""
    if isinstance(picture, CameraError):
        return picture
    try:
        return Frame(picture.rgb)
    except FrameError as e:
        return e


def ruled(rules: Rules | None, judgement: Judgement, note: Note | None) -> Judgement:
    """The judgement after the plant's rules, if there are any; a fault in them is a `cannot_judge`."""
    return judgement if rules is None else attempt(lambda: rules.apply(judgement, note))


def attempt(judged: Callable[[], Judgement]) -> Judgement:
    """What `judged` gives, or why there is no judgement. UsageError passes: nothing was to be judged."""
    try:
        return judged()
    except UsageError:
        raise
    except Exception as e:  # noqa: BLE001 -- fail closed: no fault may end without a judgement
        return failure(e)


def failure(error: Exception) -> Judgement:
    """The `cannot_judge` that `error` comes to."""
    _LOG.debug("cannot judge", exc_info=error)
    reason, message = Reason.ENGINE_FAILED, str(error)
    if isinstance(error, CannotJudge):
        reason = error.reason
    elif isinstance(error, CameraError):
        reason = Reason.FRAME_UNREADABLE
    else:
        message = (
            f"expected a judgement, got {type(error).__name__}: {one_line(error)}; restart Yochi, report it"
        )
    # A path may hold bytes that are no UTF-8, and JSON cannot.
    return cannot_judge(reason, message.encode("utf-8", "backslashreplace").decode(), gates=gates_of(error))


def _with_timings(judgement: Judgement, stages: Stages) -> Judgement:
    return judgement.model_copy(update={"timings_ms": {**stages, **judgement.timings_ms}})
