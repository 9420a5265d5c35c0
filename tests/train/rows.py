"""Rows and folders of records, good and bad, for the tests of what checks them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from yochi_runtime.taxonomy import pack_text
from yochi_train.validate import Report, validate

Row = bytes | dict[str, Any]


def row(identity: str, **changes: Any) -> dict[str, Any]:
    """A good record with a note of its own."""
    return {
        "id": identity,
        "image": f"images/{changes.get('split', 'train')}.png",  # shared by no two splits
        "note": f"note{identity} word{identity} thing{identity}",
        "lang": "en",
        "kind": "harmless",
        "slots": {"cue:fire": 0, "note_content:fall": 0},
        "verdict": None,
        "picture_group": 1,
        "templates": ["made:1"],
        "split": "train",
        **changes,
    }


def picture_of(image: str, **changes: Any) -> dict[str, Any]:
    """A good row of pictures.jsonl with one box."""
    return {
        "image": image,
        "set": "industrial",
        "group": 1,
        "split": "train",
        "cues": {"fire": 1},
        "by_eye": {},
        "boxes": [["fire", [0.0, 0.25, 0.5, 1.0]]],
        "boxed": ["fire"],
        "checked": "",
        "source": "made by hand",
        "licence": "Apache-2.0",
        **changes,
    }


def line_of(of: dict[str, Any]) -> bytes:
    return json.dumps(of, ensure_ascii=False).encode() + b"\n"


def folder_of(root: Path, **files: Sequence[Row]) -> Path:
    """`train=[...]` becomes train.jsonl; a row is bytes as they are, or an object. pack.toml: factory."""
    root.mkdir(exist_ok=True)
    (root / "pack.toml").write_text(pack_text(), encoding="utf-8")
    for stem, rows in files.items():
        lines = (r if isinstance(r, bytes) else line_of(r) for r in rows)
        (root / f"{stem}.jsonl").write_bytes(b"".join(lines))
    return root


def faults(folder: Path, photos: Path | None = None) -> tuple[Report, list[str]]:
    """The report, and what was told, with paths below `folder`."""
    told: list[str] = []
    report = validate(folder, photos, keep_going=False, say=told.append)
    return report, [line.replace(f"{folder}/", "") for line in told]


def noise(file: Path, seed: int, side: int = 64) -> Image.Image:
    """A picture that is like no other."""
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8))
    image = image.resize((side, side), Image.Resampling.NEAREST)
    image.save(file)
    return image
