"""The frame that was looked at last, and how long each stage took.

The key is the frame's own hash (decoded pixels and size); preparation and models cannot change while a judge
is open. An unchanged scene costs no look at all.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .engines import Logits, VisionEngine
from .image import Frame, prepare
from .reader import Reader, SlotLogits


class Stages(dict[str, float]):
    """Milliseconds by stage; 0 where the last frame's reading was used again."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self[stage] = self.get(stage, 0.0) + (time.perf_counter() - start) * 1e3


@dataclass(frozen=True, eq=False)
class Seen:
    """What a frame showed: `look` (cues, 2) logits (no, yes), `cells` (49, cues) scores in 0..1."""

    frame: str  # its sha256
    look: Logits
    cells: NDArray[np.float32]


class Scene:
    """Vision and reader, and what they saw last."""

    def __init__(self, vision: VisionEngine, reader: Reader) -> None:
        self._vision, self._reader = vision, reader
        self._seen: Seen | None = None

    def look(self, frame: Frame, stages: Stages) -> Seen:
        """Look at `frame`, or remember it; afterwards the reader stands right after the picture's cues."""
        stages.update(prepare=0.0, vision=0.0, look=0.0)
        with stages.timed("prepare"):
            sha256 = frame.sha256
        if self._seen is None or self._seen.frame != sha256:
            self.forget()
            self._seen = self._look(frame, sha256, stages)
        return self._seen

    def _look(self, frame: Frame, sha256: str, stages: Stages) -> Seen:
        with stages.timed("prepare"):
            pixels = prepare(frame)
        with stages.timed("vision"):
            sight = self._vision.see(pixels)
        with stages.timed("look"):
            return Seen(sha256, self._reader.look(sight.embeds), sight.cells)

    def read(self, note: Sequence[int], stages: Stages, sign: str | None = None) -> SlotLogits:
        """The slots after a note (token ids) on the frame that was looked at last, and the words in it."""
        with stages.timed("note"):
            return self._reader.answer(note, sign)

    def return_to(self, note: Sequence[int], sign: str | None) -> None:
        """Stand right after the slots of a note that was read on the frame that was looked at last."""
        self._reader.return_to(note, sign)

    def go_on(self, ids: Sequence[int], answers: Sequence[int]) -> Logits:
        """(len(answers),) logits of what may come after `ids`, read from where it stands."""
        return self._reader.go_on(ids, answers)

    def forget(self) -> None:
        """After a fault nothing that was read before is believed."""
        self._seen = None
        self._reader.forget()
