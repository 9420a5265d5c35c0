"""Where heads may be in a picture, from what the cues saw of it, and the picture with those places blurred.

No detector of faces: the bundle's cues say in which of the 7 x 7 cells a head may be, covered or bare, and
where people stand. Generous on purpose: a low limit, the top of every person as well, and half a cell around
both. What no cue sees is not blurred.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .image import GRID, Frame
from .taxonomy import Pack

PERSON = "person"
HEAD_CUES = ("hard_hat", "no_hard_hat", "no_head_wear")
HEAD_FLOOR = 0.05  # score of a cell from which on a head may be in it
PERSON_FLOOR = 0.2  # the same for a person, whose topmost cell has the head
HALVES = 2 * GRID  # the mask's side, in half cells
HeadMask = NDArray[np.bool_]  # (HALVES, HALVES), row by row


def head_mask(pack: Pack, untrained: Collection[str], cells: NDArray[np.float32]) -> HeadMask | None:
    """The half cells where heads may be, of a picture's (49, cues) scores in 0..1.

    None where the bundle cannot tell: its pack lacks one of the cues, or it is not trained.
    """
    column = {cue.id: i for i, cue in enumerate(pack.cue) if f"cue:{cue.id}" not in untrained}
    if not column.keys() >= {PERSON, *HEAD_CUES}:
        return None
    heads = cells[:, [column[cue] for cue in HEAD_CUES]].max(axis=1).reshape(GRID, GRID) >= HEAD_FLOOR
    people = cells[:, column[PERSON]].reshape(GRID, GRID) >= PERSON_FLOOR
    above = np.vstack([np.zeros((1, GRID), bool), people[:-1]])
    found = heads | (people & ~above)
    return _around(found.repeat(2, axis=0).repeat(2, axis=1))


def _around(mask: HeadMask) -> HeadMask:
    """With the eight neighbours of everything in it."""
    for axis in (0, 1):
        padded = np.pad(mask, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
        size = mask.shape[axis]
        mask = np.any([padded.take(range(i, i + size), axis=axis) for i in range(3)], axis=0)
    return mask


def blurred(frame: Frame, mask: HeadMask) -> Frame:
    """`frame` with one colour a cell, smoothly joined, where `mask` is; the other pixels are the same.

    Nothing of a face is left to be sharpened again: of a whole picture 7 x 7 mean colours.
    """
    height, width = frame.rgb.shape[:2]
    small = Image.fromarray(frame.rgb).resize((GRID, GRID), Image.Resampling.BOX)
    coarse = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    rows, columns = (np.arange(size) * HALVES // size for size in (height, width))
    return Frame(np.where(mask[np.ix_(rows, columns)][..., None], coarse, frame.rgb))
