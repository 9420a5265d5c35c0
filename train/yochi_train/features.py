"""The encoder's features, computed once a picture and kept on disk.

A cache folder holds `tokens.f16` (N, 49, 5120) and `pooled.f32` (N, 2560: mean and maximum over the 14 x 14
cells, what the linear probe sees) plus `index.json`, which pins the pictures' order, the preparation
and a tuned encoder.
A killed run goes on where it stopped, and one with more pictures behind the same ones computes these alone; a
cache of other pictures is refused.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from yochi_runtime.bundle import file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.image import GRID, PREPARATION, Pixels, prepare, read_frame

from . import lite0
from .convert.written import written
from .lite0 import Lite0
from .progress import Progress

TOKENS = GRID * GRID
FOLDED = 4 * lite0.CHANNELS
POOLED = 2 * lite0.CHANNELS
LOWER = (112, 28, 28)  # channels and cells under the stages that `tune` opens
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


def encode_folder(root: Path, images: Sequence[str], cache: Path, model: Path | None = None) -> Features:
    """Features of `root/image` for every image, from `cache` or computed into it.

    By the encoder of the finished model in the folder `model`, else the pretrained one.
    """
    shapes = {"tokens.f16": (np.float16, (TOKENS, FOLDED)), "pooled.f32": (np.float32, (POOLED,))}

    def features(encoder: Lite0, pixels: Pixels) -> tuple[NDArray[np.generic], ...]:
        maps = _run(encoder, pixels)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        return lite0.fold(maps).half().numpy(), pooled.numpy()

    tokens, pooled = _filled(root, images, cache, shapes, features, model)
    return Features(tuple(images), tokens, np.array(pooled))


@dataclass(frozen=True)
class Ways:
    """What the encoder's lower stages make of pictures and of their mirror images, (N, 2, 112, 28, 28)."""

    maps: NDArray[np.float16]

    def of(self, rows: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Tensor:
        """(B, 112, 28, 28) float32, channels last."""
        chosen = torch.from_numpy(self.maps[rows, mirrored.astype(np.int64)])
        return chosen.float().contiguous(memory_format=torch.channels_last)


def encode_lower(root: Path, images: Sequence[str], cache: Path, model: Path) -> Ways:
    """Under the stages that `tune` opens, by the encoder of the finished model in the folder `model`."""

    def lower(encoder: Lite0, pixels: Pixels) -> tuple[NDArray[np.generic], ...]:
        both = [_run(encoder.lower, np.ascontiguousarray(p)) for p in (pixels, pixels[..., ::-1])]
        return (torch.stack(both, 1).half().numpy(),)

    (maps,) = _filled(root, images, cache, {"lower.f16": (np.float16, (2, *LOWER))}, lower, model)
    return Ways(maps)


def _run(part: Callable[[Tensor], Tensor], pixels: Pixels) -> Tensor:
    return part(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last))


def _filled(
    root: Path,
    images: Sequence[str],
    cache: Path,
    arrays: Mapping[str, tuple[type, tuple[int, ...]]],
    compute: Callable[[Lite0, Pixels], tuple[NDArray[np.generic], ...]],
    model: Path | None,
) -> list[np.memmap]:
    """A read-only array a name, one row an image: from the cache, or computed and kept there."""
    made_by = _encoder(model)
    done = encoded(images, cache, model)
    cache.mkdir(parents=True, exist_ok=True)
    maps = [
        _array(cache / name, dtype, (len(images), *shape), fresh=done == 0)
        for name, (dtype, shape) in arrays.items()
    ]
    if not done:  # of other pictures, whose index somebody deleted
        (cache / DONE).unlink(missing_ok=True)
    with written(cache / INDEX) as index:
        index.write(json.dumps(_index(images, made_by)))
    if done < len(images):
        encoder = lite0.encoder_of(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        progress = Progress("features", len(images), done)
        for start in range(done, len(images), BATCH):
            chunk = images[start : start + BATCH]
            pixels = np.concatenate([prepare(read_frame(root / image)) for image in chunk])
            with torch.inference_mode():
                found = compute(encoder, pixels)
            for array, values in zip(maps, found, strict=True):
                array[start : start + len(chunk)] = values
                array.flush()
            with written(cache / DONE) as count:
                count.write(str(start + len(chunk)))
            progress.step(len(chunk))
    for array in maps:
        array.setflags(write=False)
    return maps


def _encoder(model: Path | None) -> str:
    """The sha256 of a tuned encoder; empty for the pretrained one."""
    tuned = lite0.tuned_encoder(model)
    return file_sha256(tuned) if tuned else ""


def encoded(images: Sequence[str], cache: Path, model: Path | None = None) -> int:
    """How many of `images` are in the cache. UsageError where it is one of others, or of another encoder.

    `model` as in `encode_folder`.
    """
    if not (cache / INDEX).exists():
        return 0
    held = json.loads((cache / INDEX).read_text())
    if held != _index(images[: len(held["images"])], _encoder(model)):
        raise UsageError(
            f"expected the feature cache {cache} to hold these {len(images)} pictures by this encoder, it "
            "holds others; delete it"
        )
    return int((cache / DONE).read_text()) if (cache / DONE).exists() else 0


def _index(images: Sequence[str], made_by: str) -> dict[str, object]:
    index: dict[str, object] = {"preparation": PREPARATION, "images": list(images)}
    return {**index, "encoder": made_by} if made_by else index


def _array(path: Path, dtype: type, shape: tuple[int, ...], fresh: bool) -> np.memmap:
    return np.memmap(path, dtype=dtype, mode="w+" if fresh else "r+", shape=shape)
