"""The phrase grammar: notes with known labels, in English and Japanese.

A pack's `phrases.<lang>.txt` holds templates in sections, `{a|b}` being alternatives:

    [note_instruction mechanical]
    Reach into the {running|moving} {conveyor|belt} and {pull|grab} the {jam|box} ;; +safeguard_defeat ~ppe
    [harmless]
    [combination vehicle]

`+category` must also be named, `~category` is plausible and masked. A note is one or two clauses in a style
(`styles.py`); each risk is marked with the clause that carries it. `validation.<lang>.txt` is of the
same form, by authors who had not seen the phrases: thresholds are fitted on their words, as the box will meet
words of others.
"""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from yochi_runtime.errors import UsageError
from yochi_runtime.record import RiskSpan
from yochi_runtime.taxonomy import Pack, Source

from .packs import words
from .styles import english, japanese

Lang = Literal["en", "ja"]
LANGS: tuple[Lang, Lang] = ("en", "ja")
HARMLESS_FACTOR = 10  # harmless templates are one section, not one a category
_GROUP = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Template:
    """One line of the phrase file. `risks` are slot ids that hold, `maybe` slot ids that are masked."""

    id: str
    text: str
    kind: Literal["risk", "harmless", "combination"]
    risks: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()
    combination: str | None = None  # category
    validation: bool = False  # never used for training

    def marked(self, start: int, end: int) -> list[RiskSpan]:
        """What a clause made of this template carries, where it stands at [start, end) of a note."""
        asked = {f"{Source.COMBINATION}:{self.combination}"} if self.combination else set()
        return [RiskSpan(start, end, slot) for slot in sorted(self.risks | asked)]


@dataclass(frozen=True)
class ComposedNote:
    """A note with its labels; `templates` are the ids it was made of.

    `spans` mark the clause that asks for or reports each risk, and the clause that asks for what only a
    picture makes dangerous (combination); empty where nobody marked the note. Nothing `maybe` is marked.
    """

    text: str
    lang: Lang
    templates: tuple[str, ...]
    risks: frozenset[str] = field(default_factory=frozenset)
    maybe: frozenset[str] = field(default_factory=frozenset)
    combination: str | None = None
    spans: tuple[RiskSpan, ...] = ()  # by place


@cache
def templates(lang: Lang, pack: Pack, folder: Path | None = None) -> tuple[Template, ...]:
    """All templates of a language, for training first; `folder` is that of the pack, None for factory.

    UsageError names the line of a mistake, and the first section that a file lacks.
    """
    found: list[Template] = []
    for part in ("phrases", "validation"):
        name = f"{part}.{lang}.txt"
        read = parse_templates(words(folder, name), name, pack)
        lacking = [section for section in sections(pack) if not any(teaches(t, section) for t in read)]
        if lacking:
            raise UsageError(f"{name}: expected templates under [{lacking[0]}], got none; write some")
        found += (replace(t, validation=part == "validation") for t in read)
    return tuple(found)


def sections(pack: Pack) -> tuple[str, ...]:
    """What a phrase file of `pack` must have: every slot that a note answers, and notes without a risk."""
    slots = (s for s in pack.risk_slots if s.source in (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT))
    pairs = (f"{Source.COMBINATION} {pair.category}" for pair in pack.combination)
    return (*(f"{s.source} {s.category}" for s in slots), "harmless", *pairs)


def teaches(template: Template, section: str) -> bool:
    """Whether a template is a positive example of a section (of its own, or by a `+` mark)."""
    if template.kind == "combination":
        return section == f"{Source.COMBINATION} {template.combination}"
    if template.kind == "harmless":
        return section == "harmless"
    return section.replace(" ", ":") in template.risks


def parse_templates(text: str, name: str, pack: Pack) -> tuple[Template, ...]:
    found: list[Template] = []
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]").split()
            continue
        try:
            found.append(_template(f"{name}:{number}", section, line, pack))
        except (ValueError, IndexError) as e:
            raise UsageError(f"{name}:{number}: {e}") from e
    return tuple(found)


def _template(identity: str, section: Sequence[str], line: str, pack: Pack) -> Template:
    text, _, extra = line.partition(" ;; ")
    if text.count("{") != text.count("}") or re.search(r"\{[^}]*\{", text):
        raise ValueError("expected balanced, unnested braces")
    must = [mark[1:] for mark in extra.split() if mark[0] == "+"]
    maybe = [mark[1:] for mark in extra.split() if mark[0] == "~"]
    source = Source.NOTE_CONTENT
    if section[0] in (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT):
        source, must = Source(section[0]), [section[1], *must]
        kind: Literal["risk", "harmless", "combination"] = "risk"
    elif section[0] in ("harmless", "combination"):
        kind = "harmless" if section[0] == "harmless" else "combination"
    else:
        raise ValueError(f"expected a known section, got [{' '.join(section)}]")
    slots = [f"{source}:{c}" for c in (*must, *maybe)]
    # A steering phrase is an instruction wherever it stands.
    slots = [s if s in pack.slot_index else f"{Source.NOTE_INSTRUCTION}:{s.partition(':')[2]}" for s in slots]
    unknown = [s for s in slots if s not in pack.slot_index]
    if unknown:
        raise ValueError(f"expected categories of the pack, got {unknown[0]}")
    if kind != "risk":  # a plausible risk of a harmless-looking note may be read either way
        both = [f"{s}:{c}" for c in maybe for s in (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT)]
        masked = frozenset(s for s in both if s in pack.slot_index)
        return Template(
            identity, text, kind, maybe=masked, combination=section[1] if kind == "combination" else None
        )
    return Template(identity, text, kind, frozenset(slots[: len(must)]), frozenset(slots[len(must) :]))


def expand(text: str, rng: random.Random) -> str:
    """One expansion of a template."""
    return " ".join(_GROUP.sub(lambda m: rng.choice(m[1].split("|")), text).split())


class Composer:
    """Draws notes of one language from the templates of one split."""

    def __init__(
        self, lang: Lang, pack: Pack, validation: bool, rng: random.Random, folder: Path | None = None
    ) -> None:
        self.lang, self._rng = lang, rng
        chosen = [t for t in templates(lang, pack, folder) if t.validation == validation]
        self._harmless = [t for t in chosen if t.kind == "harmless"]
        self._combination: dict[str, list[Template]] = {}
        self._risk: dict[str, list[Template]] = {}
        for t in chosen:
            if t.combination:
                self._combination.setdefault(t.combination, []).append(t)
            for slot in t.risks:
                self._risk.setdefault(slot, []).append(t)
        self._decks: dict[tuple[str, int | None], list[Template]] = {}
        self.variety: int | None = None  # templates a slot that may be dealt; None: all

    def risk(self) -> ComposedNote:
        """One or two risks (all categories equally often), sometimes beside a harmless clause."""
        picked = [
            self._deal(slot, self._risk[slot]) for slot in self._slots(2 if self._rng.random() < 0.12 else 1)
        ]
        return self._join(picked, extra=0.3 if len(picked) == 1 else 0.0)

    def harmless(self) -> ComposedNote:
        return self._join([self._deal("harmless", self._harmless)], extra=0.35)

    def combination(self, category: str) -> ComposedNote:
        """Harmless by itself; dangerous with one of the category's trigger cues in the picture."""
        return self._join([self._deal(f"combination {category}", self._combination[category])], extra=0.2)

    def _slots(self, count: int) -> list[str]:
        """Of different categories: one that can only be asked for is not half as frequent as the others."""
        of: dict[str, list[str]] = {}
        for slot in sorted(self._risk):
            of.setdefault(slot.partition(":")[2], []).append(slot)
        return [self._rng.choice(of[category]) for category in self._rng.sample(list(of), count)]

    def _deal(self, name: str, pile: list[Template]) -> Template:
        """Cards from a shuffled deck: every template that may be dealt comes before any comes twice."""
        deck = self._decks.setdefault((name, self.variety), [])
        if not deck:
            size = self.variety and self.variety * (HARMLESS_FACTOR if name == "harmless" else 1)
            chosen = sorted(pile, key=lambda t: hashlib.sha256(t.text.encode()).digest())[:size]
            deck.extend(self._rng.sample(chosen, len(chosen)))
        return deck.pop()

    def _join(self, picked: list[Template], extra: float) -> ComposedNote:
        labels = list(picked)
        if self._rng.random() < extra:
            picked = [*picked, self._deal("harmless", self._harmless)]
            self._rng.shuffle(picked)
        clauses = [expand(t.text, self._rng) for t in picked]
        text, places = (english if self.lang == "en" else japanese)(clauses, self._rng)
        spans = tuple(s for t, place in zip(picked, places, strict=True) for s in t.marked(*place))
        risks = frozenset().union(*(t.risks for t in labels))
        maybe = frozenset().union(*(t.maybe for t in picked)) - risks
        category = next((t.combination for t in labels if t.combination), None)
        return ComposedNote(text, self.lang, tuple(t.id for t in picked), risks, maybe, category, spans)
