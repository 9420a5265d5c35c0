"""Which pictures are the same, or show the same scene: they must fall into one split."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from yochi_runtime.image import read_frame

from .progress import Progress

NEAR = 4  # bits of a 64-bit difference hash within which two pictures count as one
SAME_SCENE = 0.65  # cosine of centred pooled features: still the same scene in every pair looked at
_BLOCK = 256  # pictures whose cosines with all others are one product
# Two float32 sums of 2,560 products of unit vectors differ by less than 2 x 2560 x 2^-24 = 3.1e-4, in
# whatever order they are added (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
_ROUNDING = 1e-3


def difference_hashes(root: Path, images: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """64-bit difference hashes of the pictures and of their mirror images.

    A bit says whether a pixel is brighter than its right neighbour on 9 x 8 gray pixels.
    """
    progress = Progress("near-duplicate hashes", len(images))
    plain, mirrored = np.zeros(len(images), np.uint64), np.zeros(len(images), np.uint64)
    for i, image in enumerate(images):
        plain[i], mirrored[i] = picture_hashes(root / image)
        progress.step()
    return plain, mirrored


def picture_hashes(file: Path) -> tuple[np.uint64, np.uint64]:
    """The 64-bit difference hashes of one picture and of its mirror image.

    UsageError where nothing is there, FrameError where it is no picture.
    """
    gray = Image.fromarray(read_frame(file).rgb).convert("L").resize((9, 8), Image.Resampling.BILINEAR)
    pixels = np.asarray(gray, dtype=np.int16)
    return _bits(pixels), _bits(pixels[:, ::-1])


def _bits(pixels: NDArray[np.int16]) -> np.uint64:
    return np.uint64(np.packbits((pixels[:, 1:] > pixels[:, :-1]).ravel()).view(">u8")[0])


def near_duplicate_groups(
    plain: NDArray[np.uint64],
    mirrored: NDArray[np.uint64],
    pooled: NDArray[np.float32],
    scenes: Sequence[str] = (),
) -> list[int]:
    """Connected components of "the same picture or the same scene"; each named by its smallest hash.

    The same: within NEAR bits, or so when mirrored (published sets are augmented), or features at a cosine of
    SAME_SCENE or more (frames of one video, photos of one heap of pallets). `scenes` names the rendered scene
    of each picture, "" for a photo: pictures of one scene are the same whatever they look like. Features are
    asked about photos alone, so that rendered pictures, all of one look, change nothing about them.
    """
    rendered = np.array([bool(scene) for scene in scenes] or [False] * len(plain), dtype=bool)
    unit = _centred(pooled, ~rendered)
    parent = np.arange(len(plain))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    first: dict[str, int] = {}
    for i, scene in enumerate(scenes):
        if scene:
            parent[root(i)] = root(first.setdefault(scene, i))
    for i, same_scene in enumerate(_same_scene(unit)):
        later = plain[i + 1 :]
        near = np.bitwise_count(later ^ plain[i]) <= NEAR
        near |= np.bitwise_count(later ^ mirrored[i]) <= NEAR
        near |= same_scene
        for j in np.flatnonzero(near):
            parent[root(i + 1 + int(j))] = root(i)
    roots = [root(i) for i in range(len(plain))]
    smallest: dict[int, int] = {}
    for r, value in zip(roots, plain, strict=True):
        smallest[r] = min(int(value), smallest.get(r, int(value)))
    return [smallest[r] for r in roots]


def _same_scene(unit: NDArray[np.float32]) -> Iterator[NDArray[np.bool_]]:
    """For each picture in turn, which of those after it have a cosine of SAME_SCENE or more.

    A block of pictures is one matrix product, which is much faster than one at a time. Its sums are added in
    another order, and a group that changed would move pictures between splits: where rounding could decide a
    pair, the picture's row is asked alone, as every row was before there were blocks.
    """
    for start in range(0, len(unit), _BLOCK):
        products = unit[start : start + _BLOCK] @ unit[start:].T  # (block, pictures from `start` on)
        for i, row in enumerate(products, start):
            cosines = row[i + 1 - start :]
            if (np.abs(cosines - SAME_SCENE) < _ROUNDING).any():
                cosines = unit[i + 1 :] @ unit[i]
            yield cosines >= SAME_SCENE


def _centred(pooled: NDArray[np.float32], photos: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(N, D) features of length 1 about the photos' mean; zeros for what is no photo."""
    unit = np.zeros_like(pooled)
    if photos.any():
        centred = pooled[photos] - pooled[photos].mean(axis=0)
        unit[photos] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return unit
