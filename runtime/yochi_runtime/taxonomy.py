"""Taxonomy packs: which hazards exist, how they are worded, and which slots the model answers.

A pack is a TOML file (`packs/factory.toml` is the default). Wording, severity and advice may be edited at
any time. The *slot list* follows from the pack in a fixed order and is pinned by every bundle.
"""

import hashlib
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from .errors import UsageError

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]


class Source(StrEnum):
    """Where a risk comes from: DREAM's four sources (arXiv 2504.18053) and the combination."""

    IMAGE_CONTENT = "image_content"
    IMAGE_TEXT = "image_text"
    NOTE_INSTRUCTION = "note_instruction"
    NOTE_CONTENT = "note_content"
    COMBINATION = "combination"


class Frozen(BaseModel):
    """Immutable, and strict about keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Frozen):
    """One wording in both of the worker's languages."""

    en: str = Field(min_length=1)
    ja: str = Field(min_length=1)

    def of(self, lang: Literal["en", "ja"]) -> str:
        return self.ja if lang == "ja" else self.en


class Category(Frozen):
    """A kind of hazard. `severity`: S1 slight, S2 serious or irreversible harm (ISO 13849-1)."""

    id: Identifier
    word: Word  # its name in the prompt
    severity: Literal["S1", "S2"]
    iso12100: int = Field(ge=1, le=10)  # group number in ISO 12100:2010 table B.1
    iso7010: tuple[str, ...] = ()
    mhlw: int | None = None  # 事故の型 code
    note_content: bool = True  # whether a note can report it (steering text can only instruct)
    name: Text
    advice: Text


class Cue(Frozen):
    """A neutral visible fact. `risk` is set where it is a risk by itself."""

    id: Identifier
    word: Word
    risk: Identifier | None = None
    name: Text


class Combination(Frozen):
    """A risk that needs one of `cues` in the picture together with what the note says."""

    category: Identifier
    cues: tuple[Identifier, ...] = Field(min_length=1)


class ImageText(Frozen):
    """A risk that is read from words in the picture."""

    category: Identifier


class Slot(Frozen):
    """One question the model answers: a cue, a (source, category) pair, or the verdict.

    `id` is `cue:<cue>`, `<source>:<category>` or `verdict`.
    """

    id: str
    source: Source | None  # None for neutral cues and the verdict
    category: str | None  # None for neutral cues and the verdict
    cue: str | None = None


class Pack(Frozen):
    """A taxonomy pack; raises pydantic's ValidationError where ids do not fit together."""

    id: Identifier
    version: str
    category: tuple[Category, ...] = Field(min_length=1)
    cue: tuple[Cue, ...] = Field(min_length=1)
    combination: tuple[Combination, ...] = ()
    image_text: tuple[ImageText, ...] = ()

    @model_validator(mode="after")
    def _ids_fit(self) -> "Pack":
        for what, ids in (
            ("category", [c.id for c in self.category]),
            ("cue", [c.id for c in self.cue]),
            ("combination", [c.category for c in self.combination]),  # they are slot ids
            ("image_text", [c.category for c in self.image_text]),
        ):
            doubled = sorted({i for i in ids if ids.count(i) > 1})
            if doubled:
                raise ValueError(f"{what} ids must be unique; {', '.join(doubled)} come twice")
        categories, cues = {c.id for c in self.category}, {c.id for c in self.cue}
        named = {c.risk for c in self.cue if c.risk}
        named |= {c.category for c in self.combination} | {c.category for c in self.image_text}
        if named - categories:
            raise ValueError(f"unknown categories: {', '.join(sorted(named - categories))}")
        used = {cue for c in self.combination for cue in c.cues}
        if used - cues:
            raise ValueError(f"unknown cues: {', '.join(sorted(used - cues))}")
        return self

    def category_of(self, category: str) -> Category:
        return self._categories[category]

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {c.id: c for c in self.category}

    @cached_property
    def cue_slots(self) -> tuple[Slot, ...]:
        """The slots that only the picture answers, in the pack's order."""
        return tuple(
            Slot(
                id=f"cue:{c.id}",
                source=Source.IMAGE_CONTENT if c.risk else None,
                category=c.risk,
                cue=c.id,
            )
            for c in self.cue
        )

    @cached_property
    def risk_slots(self) -> tuple[Slot, ...]:
        """The slots that are answered after the note: category by category, then the pairs of two sources."""
        return tuple(self._risk_slots())

    def _risk_slots(self) -> Iterator[Slot]:
        def slot(source: Source, category: str) -> Slot:
            return Slot(id=f"{source}:{category}", source=source, category=category)

        for c in self.category:
            yield slot(Source.NOTE_INSTRUCTION, c.id)
            if c.note_content:
                yield slot(Source.NOTE_CONTENT, c.id)
        for pair in self.combination:
            yield slot(Source.COMBINATION, pair.category)
        for text in self.image_text:
            yield slot(Source.IMAGE_TEXT, text.category)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Every slot in the order in which the model answers: cues, risks, verdict."""
        return (*self.cue_slots, *self.risk_slots, VERDICT_SLOT)

    @cached_property
    def slot_index(self) -> dict[str, int]:
        return {slot.id: i for i, slot in enumerate(self.slots)}


VERDICT_SLOT = Slot(id="verdict", source=None, category=None)


def parse_pack(text: str, name: str = "pack") -> Pack:
    """Read a pack from TOML text; UsageError names the first thing that is wrong."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
        return Pack.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name}: {where}: {first['msg']}") from e
    except (ValueError, RecursionError) as e:  # tomllib: bad TOML, a number too long, nesting too deep
        raise UsageError(f"{name}: expected TOML, got: {e}") from e


def load_pack(path: Path | None = None) -> Pack:
    """The pack in `path`, or the default `factory` pack."""
    return parse_pack(pack_text(path), str(path or "factory"))


def pack_text(path: Path | None = None) -> str:
    if path is None:
        return (resources.files(__package__) / "packs" / "factory.toml").read_text(encoding="utf-8")
    if not path.is_file():
        raise UsageError(f"expected a taxonomy pack (TOML) at {path}, found nothing there")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"expected a taxonomy pack (UTF-8 TOML) in {path}, got: {e}; check the file") from e


def sha256_text(text: str) -> str:
    """Lower-case hexadecimal sha256 of the UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
