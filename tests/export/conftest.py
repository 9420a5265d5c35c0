"""One tiny run, exported once, for every test of the exporter."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_export.trained import RunFolder
from yochi_export.vision import export_vision
from yochi_train.nano.vision import VisionTower

from .tiny_run import TinyRun, tiny_nano, write_run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    return write_run(tmp_path_factory.mktemp("tiny-run"))


@pytest.fixture(scope="session")
def run_folder(tiny_run: TinyRun) -> RunFolder:
    return RunFolder(tiny_run.folder)


@pytest.fixture(scope="session")
def tower() -> VisionTower:
    """Pretrained encoder, random projector with cue words."""
    return tiny_nano()[0].vision


@pytest.fixture(scope="session")
def float_graph(tower: VisionTower, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "vision.onnx"
    export_vision(tower, path)
    return path


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small pictures of coloured blocks in `images/`."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    for seed in range(6):
        blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((128, 96), Image.Resampling.BICUBIC).save(
            folder / "images" / f"{seed}.png"
        )
    return folder
