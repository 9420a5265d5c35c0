"""The frame that was looked at last, and how long each stage took.

The key is the frame's own hash (decoded pixels and size); preparation and models cannot change while a judge
is open. An unchanged scene costs no look at all.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .engines import LanguageEngine, Logits, MultimodalEngine, VisionEngine
from .image import Frame, prepare
from .layout import Layout
from .prompt import Prompt
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
    """What a frame showed: `look` (cues, 2) logits (no, yes), `cells` (49, cues) scores in 0..1.

    `cells` is None of a model that has no scores of places.
    """

    frame: str  # its sha256
    look: Logits
    cells: NDArray[np.float32] | None


class Eyes(Protocol):
    """How a frame comes before the language model."""

    def look(
        self, frame: Frame, reader: Reader, stages: Stages
    ) -> tuple[Logits, NDArray[np.float32] | None]: ...


class Apart:
    """Two engines, joined by embeddings."""

    def __init__(self, vision: VisionEngine, language: LanguageEngine) -> None:
        self._vision, self._language = vision, language

    def look(self, frame: Frame, reader: Reader, stages: Stages) -> tuple[Logits, NDArray[np.float32] | None]:
        with stages.timed("prepare"):
            pixels = prepare(frame)
        with stages.timed("vision"):
            sight = self._vision.see(pixels)
        with stages.timed("look"):
            return reader.look(partial(self._language.embeddings, sight.embeds)), sight.cells


class Together:
    """One engine with eyes of its own, which has no scores of places."""

    def __init__(self, engine: MultimodalEngine, layout: Layout) -> None:
        self._engine, self._layout = engine, layout

    def look(self, frame: Frame, reader: Reader, stages: Stages) -> tuple[Logits, NDArray[np.float32] | None]:
        with stages.timed("prepare"):
            rgb = self._layout.prepare(frame)
        with stages.timed("vision"):
            rows = self._engine.see(rgb)
        height, width, _ = rgb.shape
        with stages.timed("look"):
            return reader.look(partial(self._engine.show, (height, width), rows)), None


class Scene:
    """Eyes and reader, and what they saw last."""

    def __init__(self, eyes: Eyes, reader: Reader) -> None:
        self._eyes, self._reader = eyes, reader
        self._seen: Seen | None = None

    @classmethod
    def apart(cls, vision: VisionEngine, language: LanguageEngine, prompt: Prompt) -> "Scene":
        """Of a picture's engine and a language model's, which reads the prefix at once."""
        return cls(Apart(vision, language), Reader(language, prompt))

    @classmethod
    def together(cls, engine: MultimodalEngine, layout: Layout, prompt: Prompt) -> "Scene":
        """Of one engine for both, which reads the prefix at once; `prompt` as `layout.around` made it."""
        return cls(Together(engine, layout), Reader(engine, prompt))

    def look(self, frame: Frame, stages: Stages) -> Seen:
        """Look at `frame`, or remember it; afterwards the reader stands right after the picture's cues."""
        stages.update(prepare=0.0, vision=0.0, look=0.0)
        with stages.timed("prepare"):
            sha256 = frame.sha256
        if self._seen is None or self._seen.frame != sha256:
            self.forget()
            self._seen = Seen(sha256, *self._eyes.look(frame, self._reader, stages))
        return self._seen

    def seen(self, frame: Frame) -> Seen | None:
        """What `frame` showed, where it is the one that was looked at last."""
        return self._seen if self._seen is not None and self._seen.frame == frame.sha256 else None

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
