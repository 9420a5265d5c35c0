"""What can be seen in a rendered scene, from its id masks alone. Pure numpy; nothing here knows Blender.

A key (`worker/head`) is *seen* if at least SEEN_FRACTION of the pixels it has when rendered alone are visible
and they make up at least SEEN_AREA of the picture (0.08 %: 9 x 9 pixels of 320 x 320). Words need TEXT_AREA,
for letters must be told apart. The three are our choice, not measured on people. A key is *absent* if not
one pixel of it shows, not even with the smoke taken away. In between nobody can say, and there is no label:
hidden is never labelled seen, and a glimpse is never labelled absent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hazards import BY_ID, HAZARDS, NEUTRAL, NEVER
from .scene import belongs
from .spec import SceneSpec

SEEN_FRACTION = 0.25
SEEN_AREA = 0.0008  # of the picture's pixels
TEXT_AREA = 0.01
TEXT_KEYS = ("board/text",)
Mask = NDArray[np.uint8]  # (H, W) ids, 0 is nothing
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sight:
    """How much of a key is seen. `box` (x0, y0, x1, y1) in 0..1 encloses its visible pixels."""

    pixels: int  # visible
    glimpsed: int  # visible once what can be seen through is taken away
    alone: int  # when nothing else is in the scene
    fraction: float  # pixels / alone
    box: Box | None
    seen: bool | None  # None: neither seen nor absent


@dataclass(frozen=True)
class HazardTruth:
    """A switch of the scene: `seen` as in Sight, and the box around what shows it where it is seen."""

    id: str
    on: bool
    seen: bool | None
    box: Box | None


def sight(key: str, objects: Sequence[str], mask: Mask, clear: Mask, alone: int) -> Sight:
    """What is seen of `key`. `clear` is the mask without what can be seen through; `alone` counts pixels.

    ValueError where more is visible than there is: masks of different scenes.
    """
    ids = [i for i, name in enumerate(objects, 1) if belongs(name, key)]
    visible = np.isin(mask, ids)
    pixels, glimpsed = int(visible.sum()), int((visible | np.isin(clear, ids)).sum())
    if glimpsed > alone:
        raise ValueError(f"expected at most {alone} visible pixels of {key}, got {glimpsed}")
    fraction = pixels / alone if alone else 0.0
    least = (TEXT_AREA if key in TEXT_KEYS else SEEN_AREA) * mask.size
    enough = pixels > 0 and fraction >= SEEN_FRACTION and pixels >= least
    return Sight(pixels, glimpsed, alone, fraction, box_of(visible), enough or (None if glimpsed else False))


def unsure_cues(
    may_show: Mapping[str, Sequence[str]], objects: Sequence[str], mask: Mask, clear: Mask
) -> list[str]:
    """The cues of `may_show` (cue -> objects that may show it) one of whose objects is in sight at all."""
    shown = {objects[int(i) - 1] for i in np.union1d(np.unique(mask), np.unique(clear)) if i > 0}
    return sorted(cue for cue, names in may_show.items() if shown.intersection(names))


def box_of(visible: NDArray[np.bool_]) -> Box | None:
    """The box around the true pixels, right and lower edge included; None if there are none."""
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        return None
    height, width = visible.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def hazard_truths(spec: SceneSpec, sights: Mapping[str, Sight]) -> list[HazardTruth]:
    """Every hazard that the scene can have. One that is on is seen if all of its evidence is."""
    found = []
    for hazard in HAZARDS:
        if hazard.id not in spec.applicable():
            continue
        on = spec.on(hazard.id)
        seen = _all(sights[k].seen if k in sights else False for k in hazard.evidence) if on else False
        boxes = [sights[k].box for k in hazard.evidence if k in sights]
        found.append(HazardTruth(hazard.id, on, seen, _around(boxes) if seen else None))
    return found


def slot_truths(
    hazards: Sequence[HazardTruth], sights: Mapping[str, Sight], unsure: Sequence[str] = ()
) -> dict[str, int]:
    """Slot id -> 1 seen, 0 absent; one that is not a key is unknown. Cues that no pack has are among them.

    `unsure` are neutral cues that something in sight may show: they are seen or unknown, never absent.
    """
    seen: dict[str, list[bool | None]] = {f"cue:{cue}": [False] for cue in NEVER}
    for cue, keys in NEUTRAL.items():
        seen[f"cue:{cue}"] = [sights[key].seen for key in keys if key in sights]
        seen[f"cue:{cue}"] += [None] * (cue in unsure)
    truths = {truth.id: truth.seen for truth in hazards}
    for hazard in HAZARDS:
        seen.setdefault(hazard.slot, []).append(truths.get(hazard.id, False))
    answers = {slot: _any(values) for slot, values in seen.items()}
    return {slot: int(answer) for slot, answer in answers.items() if answer is not None}


def slot_boxes(hazards: Sequence[HazardTruth], sights: Mapping[str, Sight]) -> list[tuple[str, Box]]:
    """Slot id and box of everything that is seen: each thing of a neutral cue, and each seen hazard."""
    found: list[tuple[str, Box]] = []
    for cue, keys in NEUTRAL.items():
        boxes = [sights[key].box for key in keys if key in sights and sights[key].seen]
        found += [(f"cue:{cue}", box) for box in boxes if box]
    return found + [(BY_ID[truth.id].slot, truth.box) for truth in hazards if truth.box]


def _all(values: Iterable[bool | None]) -> bool | None:
    listed = list(values)
    if any(value is False for value in listed):
        return False
    return None if any(value is None for value in listed) else True


def _any(values: Sequence[bool | None]) -> bool | None:
    if any(values):
        return True
    return None if any(value is None for value in values) else False


def _around(boxes: Sequence[Box | None]) -> Box | None:
    whole = [box for box in boxes if box is not None]
    if not whole:
        return None
    x0, y0, x1, y1 = zip(*whole, strict=True)
    return (min(x0), min(y0), max(x1), max(y1))
