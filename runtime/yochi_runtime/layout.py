"""How a stock model is asked: what its chat template writes around picture, note and slots, and how a
picture is made ready for its eyes. `layout.json` of a bundle; the exporter renders the template into ids.

    [before] picture [after] Factory safety. Seen: person ... | Sign: - Note: ... [turn] Asked, reported: ...
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field, ValidationError

from .bundle import LAYOUT
from .engines import Rgb
from .errors import BundleError, Reason
from .image import Frame
from .prompt import TASK, Prompt
from .taxonomy import Frozen

NOTE_TOKENS = 512  # of a note's own text, as in training
STOCK_PREPARATION = "stock-1"  # of `Layout.prepare`; part of the manifest
Ids = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=512)]


class Square(Frozen):
    """SmolVLM and Idefics3: the whole picture as one tile of `side` x `side` pixels."""

    side: int = Field(ge=16, le=1024)

    def ready(self, image: Image.Image) -> Image.Image:
        """Twice Lanczos, as their image processor does: the longer edge first, then squeezed."""
        width, height = image.size
        if width >= height:
            size = self.side, _even(int(self.side / (width / height)))
        else:
            size = _even(int(self.side * (width / height))), self.side
        longest = image.resize(size, Image.Resampling.LANCZOS)
        return longest.resize((self.side, self.side), Image.Resampling.LANCZOS)


def _even(length: int) -> int:
    return max(length + length % 2, 1)


class Free(Frozen):
    """Qwen-VL: the aspect ratio stays, both edges a multiple of `unit`, `least` to `most` pixels in all."""

    unit: int = Field(ge=8, le=128)
    least: int = Field(ge=64)
    most: int = Field(le=1024 * 1024)

    def ready(self, image: Image.Image) -> Image.Image:
        return image.resize(self.size(*image.size), Image.Resampling.BICUBIC)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of what is shown of a picture of these."""
        wide, high = (max(round(edge / self.unit), 1) * self.unit for edge in (width, height))
        if wide * high > self.most:
            by = (width * height / self.most) ** 0.5
            wide, high = (max(int(e / by / self.unit), 1) * self.unit for e in (width, height))
        elif wide * high < self.least:
            by = (self.least / (width * height)) ** 0.5
            wide, high = (-int(-(e * by) // self.unit) * self.unit for e in (width, height))
        return wide, high


class Layout(Frozen):
    """`layout.json`. Ids of the template's words; a picture takes at most `picture_tokens`."""

    before: Ids
    after: Ids
    turn: Ids
    picture: Square | Free
    picture_tokens: int = Field(ge=1, le=1024)

    @property
    def free_tokens(self) -> tuple[int, int] | None:
        """Least and most tokens of a picture, for the eyes of a model whose pictures have no fixed size."""
        if isinstance(self.picture, Square):
            return None
        token = self.picture.unit**2
        return self.picture.least // token, self.picture.most // token

    def prepare(self, frame: Frame) -> Rgb:
        """The picture as large as it is seen, so that llama.cpp has nothing left to resize."""
        return np.asarray(self.picture.ready(Image.fromarray(frame.rgb)))

    def around(self, prompt: Prompt) -> Prompt:
        """`prompt`, of `build_prompt`, with the template's words where they stand."""
        task = (*self.after, *prompt.tokenizer.encode(TASK))
        framed = replace(
            prompt,
            prefix=self.before,
            look=(*task, *prompt.look),
            look_at=tuple(len(task) + at for at in prompt.look_at),
            slots=(*self.turn, *prompt.slots),
            slots_at=tuple(len(self.turn) + at for at in prompt.slots_at),
            picture_tokens=self.picture_tokens,
        )
        return replace(framed, max_tokens=framed.max_tokens + NOTE_TOKENS - framed.note_budget)


def context_for(prompt: Prompt) -> int:
    """Positions that a whole prompt may take, in round numbers."""
    return -(-prompt.max_tokens // 256) * 256


def read_layout(folder: Path) -> Layout:
    """Of the bundle in `folder`; BundleError where it is none."""
    try:
        return Layout.model_validate_json((folder / LAYOUT).read_bytes())
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BundleError(
            Reason.BUNDLE_INVALID, f"{LAYOUT}: {where}: {first['msg']}; pack the bundle again"
        ) from e
