"""Torch's half of a comparison stage by stage (`layers`): what each stage gives for a few records.

It is asked first and its model let go of before an engine of the box is opened, for the two together are the
largest that an export would ever hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from yochi_runtime.image import SIDE, Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import Prompt
from yochi_runtime.record import Record

from .fed import Fed, wanted
from .trained import Trained


class Case(NamedTuple):
    """One record as torch has it: `pixels` (1, 3, 448, 448), `embeds` (49, width), `cells` (49, cues).

    `fed` is what is to be read, `logits` are the answers: cues, risks, verdict.
    """

    frame: Frame
    note: str
    sign: str | None
    pixels: NDArray[np.float32]
    embeds: NDArray[np.float32]
    cells: NDArray[np.float32]
    fed: Fed
    logits: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, eq=False)
class Reference:
    """All of it; it needs no model any more. `prompt` as it was trained."""

    prompt: Prompt
    cases: tuple[Case, ...]


def reference_of(trained: Trained, records: Sequence[Record], photos: Path) -> Reference:
    """`trained` on `records`, which `photos` holds the pictures of."""
    return Reference(trained.reader.prompt, tuple(_case(trained, record, photos) for record in records))


def _case(trained: Trained, record: Record, photos: Path) -> Case:
    frame, note, sign = read_frame(photos / record.image), Note(record.note).text, record.sign
    pixels = reference_pixels(frame)
    with torch.inference_mode():
        images, scores = trained.tower(torch.from_numpy(pixels))
        words = trained.reader.prompt.note(note, sign)
        asked = trained.reader.read(images, [words], torch.zeros(1, dtype=torch.long), [sign])
    embeds, cells = images[0].numpy(), scores[0].numpy()
    logits = tuple(of[0].numpy() for of in (asked.cues, asked.risks, asked.verdict))
    return Case(frame, note, sign, pixels, embeds, cells, wanted(trained.processor, note, sign), logits)


def reference_pixels(frame: Frame) -> NDArray[np.float32]:
    """(1, 3, 448, 448) as the box should prepare them, by torch's own bilinear resize with antialiasing."""
    planes = torch.from_numpy(frame.rgb.copy()).permute(2, 0, 1)[None].float()
    square = functional.interpolate(
        planes, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    prepared: NDArray[np.float32] = ((square.round() - 127.0) / 128.0).numpy()
    return prepared
