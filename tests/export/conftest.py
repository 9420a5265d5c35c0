"""One tiny run, exported once, for every test of the exporter; and an order to export it."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_export import forms, graphs, stages, trained
from yochi_export.order import Order
from yochi_export.quantize import Recipe
from yochi_export.trained import RunFolder
from yochi_export.vision import export_vision
from yochi_runtime.taxonomy import load_pack
from yochi_train.nano.vision import VisionTower

from . import drawn
from .tiny_run import TinyRun, tiny_nano, write_run

COUNT = 6  # records of an order


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


@pytest.fixture
def order(tiny_run: TinyRun, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Order:
    """The tiny base in place of the real one, one int8 recipe, a handful of records."""
    monkeypatch.setenv("YOCHI_BASE", str(tiny_run.base))
    monkeypatch.setattr(stages, "NANO_BASE", tiny_run.entry)
    monkeypatch.setattr(trained, "assemble", lambda *_: tiny_nano())
    monkeypatch.setattr(graphs, "make_forms", partial(forms.make_forms, recipes=(Recipe(),)))
    records = tmp_path / "records"
    records.mkdir()
    lines = [r.model_dump_json() + "\n" for r in drawn.records(load_pack(), COUNT)]
    (records / "val.jsonl").write_text("".join(lines), encoding="utf-8")
    (records / "pictures.jsonl").write_text("".join(map(picture, range(6))), encoding="utf-8")
    return Order(RunFolder(tiny_run.folder), tmp_path / "out", records, photos, "1", threads=1)


def picture(number: int) -> str:
    """One line of pictures.jsonl."""
    row = {
        "image": f"images/{number}.png",
        "set": "tiny",
        "group": number,
        "split": "train",
        "cues": {},
        "by_eye": {},
        "boxes": [],
        "boxed": [],
        "checked": "",
        "source": "",
        "licence": "",
    }
    return json.dumps(row) + "\n"
