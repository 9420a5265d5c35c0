"""Scene tables: does a switched hazard move its own slot and no other, and does the evidence point at it?

Both pictures of a minimal pair are the same scene but for one hazard, so whatever moves is moved by it. The
pointing game: Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016 (arXiv 1608.00507):
a hit is a point on the object. We point with the centre of the evidence box instead of a heat map's maximum,
ask the object's very pixels, and allow none around it (they allow 15).
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from yochi_bench.intervals import bootstrap, paired_difference, resample
from yochi_bench.scored import Scored
from yochi_bench.scores import weighted_ratio
from yochi_runtime.errors import UsageError
from yochi_runtime.evidence import cue_box

from .pictures import Picture
from .scenes.hazards import HAZARDS, NEUTRAL
from .scenes.scene import belongs
from .tables import Section, Table, interval

SHOWS: Mapping[str, Sequence[str]] = {**NEUTRAL, **{h.cue: h.evidence for h in HAZARDS if h.cue}}
SWITCHED = {hazard.slot for hazard in HAZARDS}
NOT_SCORED = "not scored"


class Flip(NamedTuple):
    """What one pair shows. `difference`: probability with the hazard less the one without; `crossed`: whether
    another cue passed its threshold between the pictures though its truth is the same in both."""

    group: int
    difference: float
    crossed: bool


class Point(NamedTuple):
    """Whether the box's centre, and the picture's, lies on the pixels of the cue."""

    group: int
    box: bool
    centre: bool


def scene_pairs(pictures: Sequence[Picture]) -> list[tuple[Picture, Picture]]:
    """The minimal pairs of which both pictures are there, in the order of their first pictures."""
    pairs: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        if picture.pair:
            pairs[picture.pair].append(picture)
    return [(both[0], both[1]) for both in pairs.values() if len(both) == 2]


def flip_table(scored: Scored, pictures: Sequence[Picture], seed: int, count: int) -> Section:
    """By switched cue. `pictures` are `scored`'s, those of a pair one after the other."""
    table = Table(
        "Minimal pairs: the same scene with and without one hazard",
        ["switched cue", "pairs", "higher with the hazard", "mean difference", "another cue crosses"],
        caption="Pairs in which the cue's truth is known and changes. The last column: some other judged cue "
        "crosses its threshold while its own truth is known and the same. Drawn over scenes.",
    )
    every: list[Flip] = []
    for column, slot in enumerate(scored.slots):
        if slot.id in SWITCHED and slot.cue:
            flips = list(_flips(scored, pictures, column))
            judged = bool(_judged(scored)[column])
            every += flips if judged else []
            table.rows.append([slot.cue, *_flip_cells(flips if judged else [], len(flips), seed, count)])
    table.rows.append(["all", *_flip_cells(every, len(every), seed, count)])
    return table, []


def _flips(scored: Scored, pictures: Sequence[Picture], column: int) -> list[Flip]:
    said, truth = scored.probability, scored.truth
    cues = np.array([slot.cue is not None for slot in scored.slots]) & _judged(scored)
    cues[column] = False
    found = []
    for i in range(0, len(pictures), 2):
        changes = {int(truth[i, column]), int(truth[i + 1, column])} == {0, 1}
        if pictures[i].switched != scored.slots[column].id or not changes:
            continue
        there = i if truth[i, column] == 1 else i + 1
        same = cues & (truth[i] == truth[i + 1]) & (truth[i] >= 0)
        crossed = (said[i] >= scored.threshold) != (said[i + 1] >= scored.threshold)
        difference = float(said[there, column] - said[2 * i + 1 - there, column])
        found.append(Flip(pictures[i].group, difference, bool((crossed & same).any())))
    return found


def _flip_cells(flips: Sequence[Flip], pairs: int, seed: int, count: int) -> list[str]:
    if not flips:
        return [str(pairs), NOT_SCORED, "", ""]
    draws = resample({"scenes": [flip.group for flip in flips]}, seed=seed, count=count)
    difference = np.array([flip.difference for flip in flips])
    numbers = (difference > 0, difference, [flip.crossed for flip in flips])
    ones = np.ones(len(flips))
    return [str(pairs), *(interval(bootstrap(weighted_ratio(of, ones), draws)) for of in numbers)]


def pointing_table(
    scored: Scored,
    pictures: Sequence[Picture],
    cells: NDArray[np.float32],
    photos: Path,
    seed: int,
    count: int,
) -> Section:
    """By cue that is seen. `cells` (N, 49, C) are of `pictures`; their masks lie beside the images."""
    table = Table(
        "Pointing: does the evidence box show where the cue is?",
        ["cue", "pictures", "box's centre on it", "picture's centre on it", "difference"],
        caption="Every rendered picture in which a judged cue is seen, flagged or not; no box is a miss. "
        "Drawn over scenes.",
    )
    judged = _judged(scored)
    points: dict[str, list[Point]] = defaultdict(list)
    for picture, scores in zip(pictures, cells, strict=True):
        where = _Where(photos / picture.image)
        for column, slot in enumerate(scored.slots[: scores.shape[1]]):
            if slot.cue and judged[column] and picture.cues.get(slot.cue) == 1:
                box = cue_box(scores[:, column])
                hit = box is not None and where.shows(slot.cue, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
                points[slot.cue].append(Point(picture.group, hit, where.shows(slot.cue, 0.5, 0.5)))
    for cue in [slot.cue for slot in scored.slots if slot.cue in points]:
        table.rows.append([str(cue), *_point_cells(points[str(cue)], seed, count)])
    every = [point for of_cue in points.values() for point in of_cue]
    table.rows.append(["all", *_point_cells(every, seed, count)])
    return table, []


def _point_cells(points: Sequence[Point], seed: int, count: int) -> list[str]:
    if not points:
        return ["0", NOT_SCORED, "", ""]
    ones = np.ones(len(points))
    ours, centre = (weighted_ratio([getattr(p, of) for p in points], ones) for of in ("box", "centre"))
    draws = resample({"scenes": [point.group for point in points]}, seed=seed, count=count)
    hits = (sum(point.box for point in points), sum(point.centre for point in points))
    return [
        str(len(points)),
        *(f"{number}/{len(points)}" for number in hits),
        interval(paired_difference(ours, centre, draws)),
    ]


def _judged(scored: Scored) -> NDArray[np.bool_]:
    """(S,): slots with a probability."""
    return np.asarray(~np.isnan(scored.probability).all(axis=0))


class _Where:
    """A rendered picture's mask: mask.png with the ids of the objects in truth.json, beside the image."""

    def __init__(self, image: Path) -> None:
        mask, truth = image.with_name("mask.png"), image.with_name("truth.json")
        for file in (mask, truth):
            if not file.is_file():
                raise UsageError(f"expected {file} beside the rendered picture, found none; render it again")
        self._objects: list[str] = json.loads(truth.read_text("utf-8"))["objects"]
        with Image.open(mask) as opened:
            self._ids = np.asarray(opened)  # (H, W) uint8

    def shows(self, cue: str, x: float, y: float) -> bool:
        """Whether the pixel at (x, y), 0 <= x, y < 1, belongs to what shows `cue`."""
        height, width = self._ids.shape
        found = int(self._ids[int(y * height), int(x * width)])
        return found > 0 and any(belongs(self._objects[found - 1], key) for key in SHOWS[cue])
