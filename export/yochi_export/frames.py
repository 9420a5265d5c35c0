"""Real frames to calibrate and to measure with, prepared as the box prepares them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.errors import UsageError
from yochi_runtime.image import prepare, read_frame
from yochi_train.pictures import read_pictures

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def pictures_in(folder: Path) -> list[Path]:
    """Every picture below `folder`, by name. UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"expected a folder with pictures at {folder}, found none; check --frames")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not found:
        raise UsageError(f"expected pictures in {folder}, found none; check --frames")
    return found


def training_pictures(records: Path, photos: Path) -> list[Path]:
    """The training split's pictures: nothing that is scored later may set a range."""
    return [photos / p.image for p in read_pictures(records / "pictures.jsonl") if p.split == "train"]


def prepared(paths: Sequence[Path], count: int, offset: int = 0) -> list[NDArray[np.float32]]:
    """`count` frames evenly over `paths`, each (1, 3, 448, 448); another `offset` gives other frames."""
    chosen = (
        paths
        if len(paths) <= count
        else [paths[(i * len(paths) // count + offset) % len(paths)] for i in range(count)]
    )
    return [prepare(read_frame(path)) for path in chosen]
