"""The gates of a camera: what shows only from one frame to the next, or against the view it should have."""

import time
from pathlib import Path

from yochi_devices.frame import CameraFrame
from yochi_devices.stillness import Stillness
from yochi_devices.view import PlainView, View

from .errors import CannotJudge, UsageError
from .gates import check_content, content
from .image import Frame, read_frame
from .limits import FROZEN, HIDDEN, MOVED, REPEATED, RESIZED, STALE, Gate, Measured, check

FIRST, NONE = "first", "none"  # instead of a reference's path


class StreamGates:
    """One camera's, frame after frame. With `learn` the first frame that passes is the reference."""

    def __init__(self, reference: View | None = None, *, learn: bool = False) -> None:
        self._reference, self._learn = reference, learn
        self._stillness = Stillness()

    def check(self, picture: CameraFrame, frame: Frame) -> tuple[Gate, ...]:
        """The stream's gates of `picture`, decoded as `frame`; GateError where one does not pass.

        The view is looked at only where the picture passes by itself: what covers or blurs it hides it too,
        and the judge names that reason.
        """
        measured = self._stream(picture, frame)
        gates = check(measured)
        if not all(limit.gate(value).passed for limit, value in content(frame)):
            return gates
        gates = check([*measured, *self._view(frame)])
        if self._learn and self._reference is None:
            self._learn_from(frame)
        return gates

    def _stream(self, picture: CameraFrame, frame: Frame) -> list[Measured]:
        if picture.still:
            return self._size(frame)
        self._stillness.see(picture)
        if picture.live:
            age = time.monotonic() - picture.monotonic
            return [(STALE, age), (FROZEN, self._stillness.seconds), *self._size(frame)]
        repeats = self._stillness.repeats
        return [*([(REPEATED, float(repeats))] if repeats is not None else []), *self._size(frame)]

    def _size(self, frame: Frame) -> list[Measured]:
        if self._reference is None:
            return []
        height, width = frame.rgb.shape[:2]
        wide, high = self._reference.size
        return [(RESIZED, float(max(abs(width - wide), abs(height - high))))]

    def _view(self, frame: Frame) -> list[Measured]:
        if self._reference is None:
            return []
        hidden = self._reference.hidden(frame.measures)
        moved = (MOVED, 100 * self._reference.displacement(frame.rgb))
        return [moved] if hidden is None else [(HIDDEN, 100 * hidden), moved]

    def _learn_from(self, frame: Frame) -> None:
        try:
            self._reference = View(frame.rgb, frame.measures)
        except PlainView:
            return  # the next frame may show more


def stream_gates(reference: str | None, *, live: bool) -> StreamGates:
    """Gates against `reference`: a picture's path, FIRST (the first frame that passes) or NONE.

    Without it a live camera has FIRST, and files, which may be of many places, have NONE. UsageError for a
    picture that cannot be a reference.
    """
    chosen = reference or (FIRST if live else NONE)
    if chosen in (FIRST, NONE):
        return StreamGates(learn=chosen == FIRST)
    try:
        frame = read_frame(Path(chosen))
        check_content(frame)
        return StreamGates(View(frame.rgb, frame.measures))
    except (CannotJudge, PlainView) as e:
        raise UsageError(f"{chosen} cannot be a reference: {e}; give another picture of the view") from e
