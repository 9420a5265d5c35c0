"""Records, photos and features for runs that take a second."""

import json
from pathlib import Path
from typing import Any

from yochi_runtime.taxonomy import Pack
from yochi_train.drawn import draw_photos
from yochi_train.pictures import build_pictures, read_photos, write_pictures
from yochi_train.records import build_records, write_records
from yochi_train.settings import SftSettings

from .made import fake_cache, unlike

STEPS = 4


def write_sft_data(root: Path, pack: Pack) -> Path:
    """Sixteen drawn photos, two packs of records with short notes, features that are noise."""
    draw_photos(root / "photos", 16)
    (root / "records").mkdir()
    pictures = build_pictures(root / "photos", pack, unlike(16))
    write_pictures(pictures, root / "records" / "pictures.jsonl")
    records = list(build_records(pictures, pack, "train", 20, seed=0))
    # The small tokenizer knows few words: whole notes would burst the prompt.
    short = (r.model_copy(update={"note": f"Note {i}"}) for i, r in enumerate(records))
    write_records(short, root / "records" / "train.jsonl")
    write_instructions(root / "instructions.jsonl")
    fake_cache(root / "features", [p.image for p in read_photos(root / "photos")])
    return root


def write_instructions(file: Path) -> Path:
    """Three of them; one reply is long."""
    replies = ("Yes", "No", "Word by word, a long reply")
    rows = ({"instruction": f"Say {i}", "reply": reply} for i, reply in enumerate(replies))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def settings_of(data: Path, **changes: Any) -> SftSettings:
    chosen = {
        "records": data / "records",
        "photos": data / "photos",
        "features": data / "features",
        "steps": STEPS,
        "packs": 1,
        "lora_rank": 2,
        "projector_steps": 3,
        "warmup": 2,
        "checkpoint_every": 1,
        "threads": 1,
        "explanation_tokens": 400,  # the small tokenizer spells most words
        "anchors": data / "instructions.jsonl",
        "utility": data / "instructions.jsonl",
    }
    return SftSettings.model_validate(chosen | changes)
