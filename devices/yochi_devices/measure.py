"""What the pixels of one picture say about its camera: light, cover and sharpness, as numbers without limits.

Measured at most SIDE pixels wide or high: what is lost beyond that no model of ours sees either.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .frame import Rgb

SIDE = 512  # pixels, of the longer side
LEAST = 32  # pixels, of the shorter side: a long strip keeps some to be measured
FINE, COARSE = 1.0, 2.0  # pixels, standard deviations of the two Gaussians that tell sharp from blurred
TEXTURE_CELLS = 16  # along either side
BLUR_CELLS = 8
STRONGEST = 16  # cells of 64; a clock that the camera draws into the picture fills fewer than half of them
PLAIN = 1.0  # gray levels a pixel: below it a cell shows no more than noise (sigma 3 gives 0.8)
NO_EDGE = 0.05  # squared gray levels a pixel: a cell in which not even noise can be seen tells nothing
MAX_BLUR = 20.0  # pixels; a picture without any edge

Gray = NDArray[np.floating]  # float32, (height, width), 0..255
Cells = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Light:
    """ITU-R 601 luma of all pixels, 0..255."""

    mean: float
    deviation: float
    bright: float  # 95 % of the pixels are no lighter
    dim: float  # 5 % of the pixels are no lighter


class Measures:
    """The measures of one picture, each taken when it is asked for."""

    def __init__(self, rgb: Rgb) -> None:
        self._luma = Image.fromarray(rgb).convert("L")

    @cached_property
    def light(self) -> Light:
        """Over the histogram, without a large copy."""
        counts = np.asarray(self._luma.histogram(), dtype=np.float64)
        levels, share = np.arange(256.0), counts / counts.sum()
        mean = float(levels @ share)
        below = np.cumsum(share)
        return Light(
            mean=mean,
            deviation=float(np.sqrt((levels - mean) ** 2 @ share)),
            bright=float(np.searchsorted(below, 0.95)),
            dim=float(np.searchsorted(below, 0.05)),
        )

    @cached_property
    def covered(self) -> float:
        """Share (0..1) of the picture in the largest plain region that reaches its border.

        A hand or a cloth before the lens is out of focus: a region without texture that comes in from the
        side. So is a clear sky, and this cannot tell them apart.
        """
        return _largest_at_border(self.texture < PLAIN) / self.texture.size

    @cached_property
    def texture(self) -> Cells:
        """(TEXTURE_CELLS, TEXTURE_CELLS) root mean square gradient, gray levels a pixel, after FINE."""
        return np.sqrt(_cell_means(self._energies[0], TEXTURE_CELLS))

    @cached_property
    def blur(self) -> float:
        """Pixels, 0..MAX_BLUR: how far edges spread in the cells that have the strongest, their median.

        A step blurred by a Gaussian of s pixels keeps, after another of t, a gradient energy proportional to
        1 / sqrt(s^2 + t^2); two t give s, whatever the contrast. The ratio of gradients at two scales is that
        of Zhuo & Sim, "Defocus map estimation from a single image" (2011); we take energies of a cell where
        they take single edge pixels, which makes it fall with every further blur: that moves the weight in a
        cell's spectrum towards low frequencies, where both scales agree.
        """
        fine, coarse = (_cell_means(energy, BLUR_CELLS).ravel() for energy in self._energies)
        strongest = np.argsort(-fine, kind="stable")[:STRONGEST]
        told = strongest[fine[strongest] >= NO_EDGE]
        if not len(told):
            return MAX_BLUR
        ratio = (fine[told] / coarse[told]) ** 2  # 1: smooth, 4: sharp
        squared = (COARSE**2 - FINE**2 * ratio) / np.maximum(ratio - 1, 1e-3)
        return float(np.median(np.sqrt(np.clip(squared, 0, MAX_BLUR**2))))

    @cached_property
    def _energies(self) -> tuple[Gray, Gray]:
        """Squared gradients after FINE and after COARSE."""
        fine = _smooth(small(self._luma, SIDE), FINE)
        return _energy(fine), _energy(_smooth(fine, np.sqrt(COARSE**2 - FINE**2)))


def small(luma: Image.Image, side: int) -> Gray:
    """`luma` (mode L) with a longer side of `side` or a shorter one of LEAST pixels; never enlarged."""
    scale = max(side / max(luma.size), LEAST / min(luma.size))
    if scale < 1:
        width, height = (max(1, round(n * scale)) for n in luma.size)
        luma = luma.resize((width, height), Image.Resampling.BOX)
    return np.asarray(luma, dtype=np.float32)


def _smooth(gray: Gray, sigma: float) -> Gray:
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype(np.float32)
    weights /= weights.sum()
    for _ in range(2):  # along the columns, then, turned, along the rows
        padded = np.pad(gray, ((reach, reach), (0, 0)), mode="edge")
        rows = len(gray)
        summed = np.zeros_like(gray)
        for i, weight in enumerate(weights):
            summed += weight * padded[i : i + rows]
        gray = summed.T
    return gray


def _energy(gray: Gray) -> Gray:
    across = (gray[1:-1, 2:] - gray[1:-1, :-2]) / 2
    down = (gray[2:, 1:-1] - gray[:-2, 1:-1]) / 2
    squared: Gray = across * across + down * down
    return squared


def _cell_means(values: Gray, cells: int) -> Cells:
    """(cells, cells) means; sides of at least `cells` pixels."""
    rows, columns = (np.linspace(0, n, cells + 1).astype(int) for n in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], axis=0), columns[:-1], axis=1)
    means: Cells = sums / np.outer(np.diff(rows), np.diff(columns)).astype(np.float32)
    return means


def _largest_at_border(plain: NDArray[np.bool_]) -> int:
    """Cells of the largest region of neighbours (four) that touches the border."""
    left, largest = {(int(y), int(x)) for y, x in np.argwhere(plain)}, 0
    last = len(plain) - 1
    while left:
        region = [left.pop()]
        for y, x in region:  # grows while it is walked
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= near
            region += near
        if any({0, last} & set(cell) for cell in region):
            largest = max(largest, len(region))
    return largest
