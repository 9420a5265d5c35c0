"""The view that a fixed camera should have, and how far a frame is from it.

Corners of the reference are looked for in the frame, each near its own place, and what most of them agree on
is how the camera moved. People and vehicles that pass hide some corners and move others, but not together.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .capture import opencv
from .frame import Rgb
from .measure import Measures, small

SIDE = 256  # pixels, of the longer side
CORNERS, MIN_CORNERS = 120, 24
APART = 8  # pixels between two corners, at least
REACH = 8  # pixels around a corner that are compared
SEARCH = 40  # pixels in either direction: 16 % of the longer side
LIKENESS = 0.7  # normalized correlation, -1..1
TOLERANCE = 2.0  # pixels, in which corners agree
AGREE = 0.15  # of the corners, at least MIN_AGREE
MIN_AGREE = 8
LOST = 1.0  # a frame in which nothing of the reference is found again
STRUCTURED = 4.0  # gray levels a pixel: cells of the reference that show something beyond doubt
GONE = 1.5  # gray levels a pixel: the same cell, if it shows no more than noise

Bytes = NDArray[np.uint8]  # (height, width) luma


class PlainView(ValueError):
    """A picture with too little structure to be recognised; the message is one line."""


class View:
    """A reference view. PlainView where fewer than MIN_CORNERS corners stand out. Loads OpenCV."""

    def __init__(self, rgb: Rgb, measures: Measures) -> None:
        self._cv2: ModuleType = opencv()
        self.size = (rgb.shape[1], rgb.shape[0])  # width, height
        self._luma = _luma(rgb)
        self._corners = self._find_corners()
        if len(self._corners) < MIN_CORNERS:
            raise PlainView(
                f"expected a view in which at least {MIN_CORNERS} corners stand out, got {len(self._corners)}"
            )
        self._structured = measures.texture >= STRUCTURED

    def _find_corners(self) -> list[tuple[int, int]]:
        found = self._cv2.goodFeaturesToTrack(self._luma, CORNERS, 0.02, APART)
        height, width = self._luma.shape
        return [
            (int(x), int(y))
            for x, y in ([] if found is None else found.reshape(-1, 2))
            if REACH <= x < width - REACH and REACH <= y < height - REACH
        ]

    def hidden(self, measures: Measures) -> float | None:
        """Share (0..1) of the cells with structure that show none now; None for a view that has few."""
        if self._structured.sum() < MIN_CORNERS:
            return None
        return float((measures.texture[self._structured] < GONE).mean())

    def displacement(self, rgb: Rgb) -> float:
        """How far the frame's corners have moved, their mean, as a share of the longer side; LOST at most.

        `rgb` has the reference's aspect ratio; a frame of another size than `size` is a fault of its own.
        """
        now = _luma(rgb)
        pairs = [(corner, at) for corner in self._corners if (at := self._place(corner, now)) is not None]
        enough = max(MIN_AGREE, AGREE * len(self._corners))
        if len(pairs) < enough:
            return LOST
        before, after = (np.array(points, dtype=np.float32) for points in zip(*pairs, strict=True))
        motion, agreeing = self._cv2.estimateAffinePartial2D(
            before, after, method=self._cv2.RANSAC, ransacReprojThreshold=TOLERANCE
        )
        if motion is None or agreeing.sum() < enough:
            return LOST
        height, width = self._luma.shape
        ends = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)])
        moved = np.linalg.norm(ends @ motion.T - ends[:, :2], axis=1).mean() / max(height, width)
        return min(LOST, float(moved))

    def _place(self, corner: tuple[int, int], now: Bytes) -> tuple[float, float] | None:
        """Where the surroundings of `corner` are most alike in `now`, None where nothing is."""
        x, y = corner
        template = self._luma[y - REACH : y + REACH + 1, x - REACH : x + REACH + 1]
        left, top = max(0, x - REACH - SEARCH), max(0, y - REACH - SEARCH)
        window = now[top : y + REACH + SEARCH + 1, left : x + REACH + SEARCH + 1]
        likeness = self._cv2.matchTemplate(window, template, self._cv2.TM_CCOEFF_NORMED)
        _, best, _, (right, down) = self._cv2.minMaxLoc(likeness)
        return (left + right + REACH, top + down + REACH) if best >= LIKENESS else None


def _luma(rgb: Rgb) -> Bytes:
    return small(Image.fromarray(rgb).convert("L"), SIDE).astype(np.uint8)
