"""Real accident narratives as notes that report (`note_content`).

Japanese ones carry an accident-type code (事故の型), which is a category for free; English ones are labelled
by words that leave little doubt. Only short texts are used; categories other than the labelled are unknown.
"""

import json
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, Source

from .grammar import ComposedNote, Lang
from .leakage import near_notes, note_key
from .rows import Place

NO_CATEGORY = "narratives without one category"
TOO_LONG = "narratives too long"
TOLD_TWICE = "narratives that repeat one for validation"
NARRATIVE_FILTERS = (NO_CATEGORY, TOO_LONG, TOLD_TWICE)
MAX_CHARACTERS: dict[Lang, int] = {"en": 200, "ja": 60}
# Japanese type codes -> category. 11 is heat and cold: heat stroke is strain, the rest burns.
_TYPE = {1: "fall", 2: "slip_trip", 4: "load", 5: "load", 7: "mechanical", 8: "mechanical", 12: "substance"}
_TYPE |= {
    13: "electrical",
    14: "thermal_fire",
    15: "stored_energy",
    16: "thermal_fire",
    17: "vehicle",
    19: "ergonomic",
}
_WORDS = (
    ("electrical", r"electric(al)? shock|shocked|electrocut|arc flash"),
    ("thermal_fire", r"\bburn(s|ed|t)\b|\bfire\b|flames?|explo(ded|sion)|scald"),
    ("fall", r"fell (off|from) (a |the |his |her )?(ladder|roof|platform|truck|scaffold|top|step)"),
    ("slip_trip", r"\b(slipped|tripped)\b(?!.*ladder)"),
    (
        "mechanical",
        r"(finger|hand|arm|glove|thumb)s? (was |were |got |became )?(caught|pinched|mashed) (in|between)",
    ),
    ("ergonomic", r"(felt|strain|pain|pop).*(back|shoulder|knee)|(back|shoulder|knee).*(strain|pain)"),
    ("substance", r"inhal|chemical (burn|splash)|acid|fumes|carbon monoxide"),
    (
        "vehicle",
        r"(haul truck|forklift|loader|dozer|shuttle car|mantrip).*(struck|ran over|hit|rolled|overturn)",
    ),
    ("load", r"(rock|block|roof|beam|pipe|load) (fell|came down|dropped|rolled)"),
)


@dataclass(frozen=True)
class Narrative:
    id: str
    lang: Lang
    text: str
    category: str

    @property
    def validation(self) -> bool:
        # By text, not by id: the same words under two ids must not stand on both sides.
        return zlib.crc32(self.text.encode()) % 10 == 7


class Narratives(NamedTuple):
    """Those that can be used, and how many cannot, by why."""

    used: list[Narrative]
    left_out: Counter[str]


def read_narratives(folder: Path) -> Narratives:
    """Short labelled narratives from accidents.en.jsonl and accidents.ja.jsonl in `folder`."""
    found: list[Narrative] = []
    left_out = Counter(dict.fromkeys(NARRATIVE_FILTERS, 0))
    for lang in ("en", "ja"):
        file = folder / f"accidents.{lang}.jsonl"
        if not file.is_file():
            raise UsageError(f"expected {file}, found none; leave --narratives out to do without")
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = " ".join(str(row["narrative"] if lang == "en" else row["text"]).split())
                category = _english(text) if lang == "en" else _japanese(text, int(row["type_code"]))
                if not category:
                    left_out[NO_CATEGORY] += 1
                elif len(text) > MAX_CHARACTERS[lang]:
                    left_out[TOO_LONG] += 1
                else:
                    found.append(Narrative(str(row["id"]), lang, text, category))
    used = _apart(found)
    left_out[TOLD_TWICE] = len(found) - len(used)
    return Narratives(used, left_out)


def _apart(found: list[Narrative]) -> list[Narrative]:
    """Without those to train on that all but repeat one for validation: sources tell some accidents twice."""
    keys = [note_key(n.text, n.lang) for n in found]
    sides: tuple[dict[bytes, Place], dict[bytes, Place]] = ({}, {})
    for number, (narrative, key) in enumerate(zip(found, keys, strict=True)):
        sides[narrative.validation].setdefault(key, Place("narratives", number))
    near = {keys[leak.trained.line] for leak in near_notes(*sides)}
    return [n for n, key in zip(found, keys, strict=True) if n.validation or key not in near]


def _english(text: str) -> str | None:
    """The category when exactly one pattern matches."""
    hits = [category for category, pattern in _WORDS if re.search(pattern, text, re.IGNORECASE)]
    return hits[0] if len(hits) == 1 else None


def _japanese(text: str, code: int) -> str | None:
    if code == 11:
        return "ergonomic" if "熱中症" in text else "thermal_fire"
    return _TYPE.get(code)


def as_note(narrative: Narrative, pack: Pack) -> ComposedNote:
    """One category known to be reported; the other reports unknown; nothing is asked.

    No span: a Japanese label is a code of the whole text, and the clause that earned it is not known.
    """
    risk = f"{Source.NOTE_CONTENT}:{narrative.category}"
    others = {s.id for s in pack.risk_slots if s.source is Source.NOTE_CONTENT} - {risk}
    return ComposedNote(
        narrative.text, narrative.lang, (f"narrative:{narrative.id}",), frozenset({risk}), frozenset(others)
    )
