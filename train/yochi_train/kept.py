"""Answers kept in a file, each under what was asked, so that a killed export or evaluation goes on.

What was asked is a picture's bytes, a note and what was read in the picture. A record may move to another
place in its file, or change: it gets its own answer or is asked anew, never another record's.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from yochi_bench.answers import Answers, joined
from yochi_runtime.bundle import (
    GLOSSARY,
    LAYOUT,
    LORA,
    MMPROJ,
    PACK,
    TEXT,
    TOKENIZER,
    VISION,
    Bundle,
    Kind,
    file_sha256,
)
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import sha256_text

# The files of a bundle that its raw answers depend on, by its kind.
ANSWERING = {
    Kind.NANO: (VISION, LORA, TOKENIZER, GLOSSARY, PACK),
    Kind.STOCK: (TEXT, MMPROJ, LAYOUT, TOKENIZER, GLOSSARY, PACK),
}
Ask = Callable[[Sequence[Record]], Answers]


def engine_of(bundle: Bundle) -> str:
    """The sha256 of all that answers. Calibration is not in it: it is applied to the answers afterwards."""
    manifest = bundle.manifest
    files = {name: manifest.files[name].sha256 for name in ANSWERING[manifest.kind]}
    return _sha256([files, manifest.base.sha256, manifest.prompt.model_dump(), manifest.preparation])


def kept(file: Path, engine: str, records: Sequence[Record], photos: Path, ask: Ask) -> Answers:
    """The answers to `records`, in their order: from `file` where it has them, the others asked and added.

    `ask` answers as `engine` does; of another engine's answers none are kept.
    """
    image = cache(lambda name: _picture(photos / name))
    keys = [_sha256([image(r.image), r.note, *([] if r.sign is None else [r.sign])]) for r in records]
    known, answers = _read(file, engine)
    there = set(known)
    new = {key: record for key, record in zip(keys, records, strict=True) if key not in there}
    if new or answers is None:
        asked = ask(list(new.values()))
        known, answers = [*known, *new], asked if answers is None else joined(answers, asked)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".partial-{file.name}")  # the same ending: NumPy would append another
        whole: dict[str, Any] = {"engine": engine, "asked": known, **answers.arrays()}
        np.savez(beside, **whole)
        beside.replace(file)
    place = {key: i for i, key in enumerate(known)}
    return answers.take([place[key] for key in keys])


def _read(file: Path, engine: str) -> tuple[list[str], Answers | None]:
    """What was asked, and the answers in that order; nothing where the file is another engine's."""
    if not file.exists():
        return [], None
    with np.load(file) as data:
        if "engine" not in data or str(data["engine"]) != engine:
            return [], None
        return data["asked"].tolist(), Answers.of(data)


def _picture(path: Path) -> str:
    """Empty where there is none: whoever looks at it says so, and one who does not look needs none."""
    return file_sha256(path) if path.is_file() else ""


def _sha256(what: object) -> str:
    return sha256_text(json.dumps(what, sort_keys=True))
