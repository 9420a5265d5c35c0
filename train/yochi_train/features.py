"""The frozen encoder's features, computed once a picture and kept on disk.

A cache folder holds `tokens.f16` (N, 49, 5120) and `pooled.f32` (N, 2560: mean and maximum over the 14 x 14
cells, what the linear probe sees) plus `index.json`, which pins the pictures' order and the preparation.
A killed run goes on where it stopped, and one with more pictures behind the same ones computes these alone; a
cache of other pictures is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_runtime.errors import UsageError
from yochi_runtime.image import GRID, PREPARATION, prepare, read_frame

from . import lite0
from .convert.written import written
from .progress import Progress

TOKENS = GRID * GRID
FOLDED = 4 * lite0.CHANNELS
POOLED = 2 * lite0.CHANNELS
BATCH = 8
INDEX, DONE = "index.json", "done"


@dataclass(frozen=True)
class Features:
    """Both arrays, in the order of `images`; `tokens` is a read-only memory map."""

    images: tuple[str, ...]
    tokens: NDArray[np.float16]  # (N, 49, 5120)
    pooled: NDArray[np.float32]  # (N, 2560)

    def row(self) -> dict[str, int]:
        return {image: i for i, image in enumerate(self.images)}


def encode_folder(root: Path, images: Sequence[str], cache: Path) -> Features:
    """Features of `root/image` for every image, from `cache` or computed into it."""
    done = encoded(images, cache)
    cache.mkdir(parents=True, exist_ok=True)
    tokens = _array(cache / "tokens.f16", np.float16, (len(images), TOKENS, FOLDED), fresh=done == 0)
    pooled = _array(cache / "pooled.f32", np.float32, (len(images), POOLED), fresh=done == 0)
    if not done:  # of other pictures, whose index somebody deleted
        (cache / DONE).unlink(missing_ok=True)
    with written(cache / INDEX) as index:
        index.write(json.dumps(_index(images)))
    if done < len(images):
        encoder = lite0.pretrained().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        progress = Progress("features", len(images), done)
        for start in range(done, len(images), BATCH):
            chunk = images[start : start + BATCH]
            pixels = np.concatenate([prepare(read_frame(root / image)) for image in chunk])
            with torch.inference_mode():
                maps = encoder(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last))
            tokens[start : start + len(chunk)] = lite0.fold(maps).half().numpy()
            pooled[start : start + len(chunk)] = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1).numpy()
            tokens.flush()
            pooled.flush()
            with written(cache / DONE) as count:
                count.write(str(start + len(chunk)))
            progress.step(len(chunk))
    tokens.setflags(write=False)
    return Features(tuple(images), tokens, np.asarray(pooled))


def encoded(images: Sequence[str], cache: Path) -> int:
    """How many of `images` are in the cache. UsageError where it is one of others."""
    if not (cache / INDEX).exists():
        return 0
    held = json.loads((cache / INDEX).read_text())
    if held != _index(images[: len(held["images"])]):
        raise UsageError(
            f"expected the feature cache {cache} to hold these {len(images)} pictures, it holds others; "
            "delete it"
        )
    return int((cache / DONE).read_text()) if (cache / DONE).exists() else 0


def _index(images: Sequence[str]) -> dict[str, object]:
    return {"preparation": PREPARATION, "images": list(images)}


def _array(path: Path, dtype: type, shape: tuple[int, ...], fresh: bool) -> np.memmap:
    return np.memmap(path, dtype=dtype, mode="w+" if fresh else "r+", shape=shape)
