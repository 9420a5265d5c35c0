"""How many distinct positive examples each slot was trained on: what decides whether a bundle judges it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Source

POSITIVES = "positives.json"
CUE, SIGN = "cue:", f"{Source.IMAGE_TEXT}:"


def count_positives(records: Sequence[Record]) -> dict[str, int]:
    """By slot id: pictures for cues, words read in them for theirs, notes for note slots and combinations."""
    seen: dict[str, set[str]] = {}
    for record in records:
        for slot, value in record.slots.items():
            what: str | None = record.note
            if slot.startswith((CUE, SIGN)):
                what = record.image if slot.startswith(CUE) else record.sign
            if value and what is not None:  # of words that nobody read nothing is learned
                seen.setdefault(slot, set()).add(what)
    return {slot: len(examples) for slot, examples in seen.items()}


def larger_counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Two runs may have used the same examples: the larger count is the one that is certain."""
    return {slot: max(one.get(slot, 0), other.get(slot, 0)) for slot in {*one, *other}}


def read_positives(model: Path) -> dict[str, int]:
    """Of a finished run's model folder."""
    counts: dict[str, int] = json.loads((model / POSITIVES).read_text(encoding="utf-8"))
    return counts


def write_positives(counts: Mapping[str, int], model: Path) -> None:
    (model / POSITIVES).write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
