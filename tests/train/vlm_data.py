"""Records on two pictures, and settings, for runs of tiny vision-language models."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from yochi_runtime.record import Record, Truth
from yochi_train.pictures import write_pictures
from yochi_train.records import PACK_NOTES, write_records
from yochi_train.rlaif.settings import RlaifSettings
from yochi_train.settings import SftSettings

from .made import picture, record

SHAPES = {"wide.png": (64, 96), "tall.png": (96, 64)}  # height, width


_TRUTHS: tuple[tuple[Literal[0, 1], Truth], ...] = ((0, "proceed"), (1, "stop"))


def write_vlm_data(root: Path) -> Path:
    """A pack of notes on each picture; the same for validation. Half of the notes report a fall."""
    (root / "photos").mkdir(parents=True)
    (root / "records").mkdir()
    draw = np.random.default_rng(3)
    for name, shape in SHAPES.items():
        pixels = draw.integers(0, 255, (*shape, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "photos" / name)
    write_pictures([picture(image=name) for name in SHAPES], root / "records" / "pictures.jsonl")
    for split in ("train", "val"):
        write_records(iter(_records(split)), root / "records" / f"{split}.jsonl")
    return root


def _records(split: str) -> list[Record]:
    rows = []
    for group, image in enumerate(SHAPES):
        for i in range(PACK_NOTES):
            fall, verdict = _TRUTHS[i % 2]
            slots: dict[str, Literal[0, 1]] = {"note_content:fall": fall}
            slots["cue:forklift"] = 1 if image == "wide.png" else 0
            text = f"{'Fall' if fall else 'Note'} {i} {split}"
            name = f"{split}-{group}-{i}"
            rows.append(record(name, slots, image=image, text=text, verdict=verdict, group=group))
    return rows


def sft_settings(data: Path, model: Path, **changes: Any) -> SftSettings:
    chosen = {"steps": 2, "warmup": 0, "lora_rate": 3e-2}
    return SftSettings.model_validate(_shared(data, model) | chosen | changes)


def rlaif_settings(data: Path, model: Path, start: Path, **changes: Any) -> RlaifSettings:
    chosen = {
        "start": start,
        "rounds": 1,
        "prompts": 2 * PACK_NOTES,
        "answers": 4,
        "critic": "truth",
        "margin": 0.01,
        "steps": 2,
        "lora_rate": 1e-2,
    }
    return RlaifSettings.model_validate(_shared(data, model) | chosen | changes)


def _shared(data: Path, model: Path) -> dict[str, Any]:
    return {
        "model": str(model),
        "records": data / "records",
        "photos": data / "photos",
        "packs": 2,
        "lora_rank": 2,
        "precision": "fp32",
        "threads": 1,
    }
