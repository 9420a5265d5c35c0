"""What the box hands to its engines, caught there: the ids it reads, where it asks for answers, the pixels.

The runtime's own scene and reader run; in place of the engines stand two that only write down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.engines import GRID, IMAGE_TOKENS, Logits, Pixels, Sight
from yochi_runtime.image import Frame
from yochi_runtime.prompt import Prompt
from yochi_runtime.scene import Scene, Stages
from yochi_train.nano import YochiNanoProcessor

IMAGE = -1  # stands for one image embedding; no token has this id


@dataclass(eq=False)
class Fed:
    """`ids` of the whole prompt; `asked` as (place in it, ids of the answers); `pixels` (1, 3, 448, 448)."""

    ids: list[int] = field(default_factory=list)
    asked: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    pixels: Pixels = field(default_factory=lambda: np.zeros((0,), np.float32))


class _Seer:
    """A vision engine that sees nothing and keeps the pixels."""

    def __init__(self, fed: Fed, width: int, cues: int) -> None:
        self._fed, self._width, self._cues = fed, width, cues

    def see(self, pixels: Pixels) -> Sight:
        self._fed.pixels = pixels
        shapes = ((IMAGE_TOKENS, self._width), (GRID * GRID, self._cues))
        return Sight(*(np.zeros(shape, np.float32) for shape in shapes))


class _Listener:
    """A language model that answers nothing and keeps the ids that it was given and not told to forget."""

    def __init__(self, fed: Fed) -> None:
        self._fed = fed

    @property
    def position(self) -> int:
        return len(self._fed.ids)

    def tokens(
        self,
        ids: Sequence[int],
        asked: Sequence[int] = (),
        answers: Sequence[int] = (),
        *,
        explaining: bool = False,  # noqa: ARG002 -- it is not asked to explain
    ) -> Logits:
        self._fed.asked += [(self.position + place, tuple(answers)) for place in asked]
        self._fed.ids += ids
        return np.zeros((len(asked), len(answers)), np.float32)

    def embeddings(self, rows: NDArray[np.float32]) -> None:
        self._fed.ids += [IMAGE] * len(rows)

    def rewind(self, position: int) -> None:
        del self._fed.ids[position:]
        self._fed.asked = [asked for asked in self._fed.asked if asked[0] < position]


def feed(prompt: Prompt, frame: Frame, note: str, sign: str | None, width: int, cues: int) -> Fed:
    """What the runtime feeds for `frame`, `note` and `sign` with the bundle's `prompt`."""
    fed = Fed()
    scene = Scene.apart(_Seer(fed, width, cues), _Listener(fed), prompt)
    scene.look(frame, Stages())
    scene.read(prompt.note(note, sign), Stages(), sign)
    return fed


def wanted(processor: YochiNanoProcessor, note: str, sign: str | None) -> Fed:
    """What torch reads for `note` and `sign`, by the trained model's own processor; without pixels."""
    p, image = processor.prompt, processor.image_token_id
    ids = [IMAGE if i == image else i for i in processor.slot_prompt(note, sign)]
    yes_no, every = (p.answers.no, p.answers.yes), (p.answers.no, p.answers.yes, *p.answers.verdict)
    look, slots = len(p.prefix) + IMAGE_TOKENS, len(ids) - len(p.slots)
    asked: list[tuple[int, tuple[int, ...]]] = [(look + at, yes_no) for at in p.look_at]
    return Fed(ids, asked + [(slots + at, every) for at in p.slots_at])
