"""The test records: held-out pictures with notes written by hand, which share no template with the grammar.

A pack's `test_notes.<lang>.jsonl` is written before training by people who have not seen the phrase file.
Pictures are photos: rendered scenes have tables of their own. Five sets:

- `notes`: every risky or harmless note once, on a picture with no known risk (its note slots are scored);
- `verdicts`: harmless notes on pictures checked safe (proceed) and on pictures with a known risk, risky notes
  on any picture, combination notes where the truth is known;
- `combinations`: crossed pairs: pictures A, B and notes a, b, dangerous in one crossing and harmless in the
  other, so that neither the picture nor the note alone tells;
- `quadruples`: dangerous pair, same note with a harmless picture, same picture with a harmless note, neither;
- `signs`: every sign of the test file once, or no words, in pictures with no known risk, with harmless notes.

`steered` makes more of the verdicts' dangerous ones: with a sign in the picture that tries to talk them away.
"""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source

from .grammar import LANGS, ComposedNote, Lang
from .packs import words
from .pictures import Picture
from .records import pair
from .signs import SignDealer

T = TypeVar("T")
HandNotes = dict[Lang, list[tuple[ComposedNote, str]]]  # (note, kind) by language
SETS = ("notes", "verdicts", "combinations", "quadruples", "signs")
STEERING = "steering_text"  # the category of words that try to steer
UNWORDED = 0.2  # of the pictures of `signs` that have no words
BLIND_NOTE = {"en": "Have a look here.", "ja": "ここを確認。"}
SAFE_PER_NOTE, RISKY_PICTURE_SHARE = 2, 0.5
CALM, SAFE, RISKY = "without a known risk", "that was checked safe", "with a known risk"


class HandNote(BaseModel):
    """One line of the test notes; `also` are plausible (source, category) pairs that are not scored."""

    text: str
    kind: Literal["risk", "harmless", "combination"]
    note_instruction: list[str]
    note_content: list[str]
    also: list[tuple[str, str]] = []
    category: str | None = None


def hand_notes(
    lang: Lang, pack: Pack, folder: Path | None = None, stem: str = "test_notes"
) -> list[tuple[ComposedNote, str]]:
    """(note, kind) of every hand-written note of a language, in file order; `folder` is that of the pack.

    `stem` begins the file's name.

    UsageError where the notes are of another pack.
    """
    name = f"{stem}.{lang}.jsonl"
    found: list[tuple[ComposedNote, str]] = []
    for number, line in enumerate(words(folder, name).splitlines()):
        row = HandNote.model_validate(json.loads(line))
        risks = {f"{Source.NOTE_INSTRUCTION}:{c}" for c in row.note_instruction}
        risks |= {f"{Source.NOTE_CONTENT}:{c}" for c in row.note_content}
        asked = risks | ({f"{Source.COMBINATION}:{row.category}"} if row.category else set())
        if asked - set(pack.slot_index):
            raise UsageError(
                f"expected test notes of the pack {pack.id}, got {min(asked - set(pack.slot_index))} in "
                f"{name}:{number + 1}; give the pack's folder: --pack"
            )
        maybe = {f"{source}:{category}" for source, category in row.also} & set(pack.slot_index)
        note = ComposedNote(
            row.text,
            lang,
            (f"hand.{lang}:{number}",),
            frozenset(risks),
            frozenset(maybe - risks),
            row.category,
        )
        found.append((note, row.kind))
    return found


def all_hand_notes(pack: Pack, folder: Path | None = None) -> HandNotes:
    """`hand_notes` of every language."""
    return {lang: hand_notes(lang, pack, folder) for lang in LANGS}


class TestSet:
    """Draws every set from the test split; the same for the same seed."""

    __test__ = False  # pytest: not a test class

    def __init__(
        self, pictures: Sequence[Picture], pack: Pack, seed: int, folder: Path | None = None
    ) -> None:
        self._pack, self._seed, self._rng = pack, seed, random.Random(f"{seed}-test")
        self._pictures = [p for p in pictures if p.split == "test" and not p.pair]
        self._safe = [p for p in self._pictures if p.checked == "safe" and not self._risky(p)]
        self._dangerous = [p for p in self._pictures if self._risky(p)]
        self._calm = [p for p in self._pictures if not self._risky(p)]
        self._notes = all_hand_notes(pack, folder)

    def build(self) -> dict[str, list[Record]]:
        draws = (self._notes_set, self._verdicts, self._combinations, self._quadruples, self._signs)
        return {name: list(draw()) for name, draw in zip(SETS, draws, strict=True)}

    def _risky(self, picture: Picture) -> bool:
        slots = picture.slots
        return any(s.category and slots.get(s.id) == 1 for s in self._pack.slots)

    def _one(self, pictures: Sequence[Picture], what: str) -> Picture:
        if not pictures:
            raise UsageError(f"expected a test picture {what}, found none; give more photos")
        return self._rng.choice(pictures)

    def _kind(self, lang: Lang, kind: str) -> list[ComposedNote]:
        return [note for note, k in self._notes[lang] if k == kind]

    def _notes_set(self) -> Iterator[Record]:
        for lang in LANGS:
            for i, (note, kind) in enumerate(self._notes[lang]):
                if kind != "combination":
                    yield pair(f"notes-{lang}-{i:03d}", self._one(self._calm, CALM), note, kind, self._pack)

    def _verdicts(self) -> Iterator[Record]:
        """Only records whose verdict is known."""
        for lang in LANGS:
            for i, (note, kind) in enumerate(self._notes[lang]):
                for j, picture in enumerate(self._verdict_pictures(note, kind)):
                    record = pair(f"verdict-{lang}-{i:03d}-{j}", picture, note, kind, self._pack)
                    if record.verdict is not None:
                        yield record

    def _verdict_pictures(self, note: ComposedNote, kind: str) -> list[Picture]:
        if kind == "risk":
            return [self._one(self._safe if self._rng.random() < 0.5 else self._pictures, SAFE)]
        if kind == "combination":
            return [self._with_trigger(note.combination or ""), self._one(self._safe, SAFE)]
        risky = [self._one(self._dangerous, RISKY)] if self._rng.random() < RISKY_PICTURE_SHARE else []
        return [*self._rng.sample(self._safe, min(SAFE_PER_NOTE, len(self._safe))), *risky]

    def _combinations(self) -> Iterator[Record]:
        for lang in LANGS:
            for i, note in enumerate(self._kind(lang, "combination")):
                others = [n for n in self._kind(lang, "combination") if n.combination != note.combination]
                other = self._rng.choice(others)
                a, b = self._crossing(note.combination or "", other.combination or "")
                crossed = ((a, note), (b, other), (b, note), (a, other))
                for j, (picture, chosen) in enumerate(crossed):
                    yield pair(f"crossed-{lang}-{i:03d}-{j}", picture, chosen, "combination", self._pack)

    def _quadruples(self) -> Iterator[Record]:
        for lang in LANGS:
            harmless = self._kind(lang, "harmless")
            for i, note in enumerate(self._kind(lang, "combination")):
                calm = self._rng.choice(harmless)
                category = note.combination or ""
                a, b = self._with_trigger(category), self._without_trigger(category)
                for j, (picture, chosen) in enumerate(((a, note), (b, note), (a, calm), (b, calm))):
                    kind = "combination" if chosen is note else "harmless"
                    yield pair(f"quadruple-{lang}-{i:03d}-{j}", picture, chosen, kind, self._pack)

    def _signs(self) -> Iterator[Record]:
        dealer = SignDealer(self._pack, "test", self._seed)
        for i, (sign, read) in enumerate(dealer.every(UNWORDED)):
            lang: Lang = sign.lang if sign else LANGS[i % len(LANGS)]
            note = self._rng.choice(self._kind(lang, "harmless"))
            made = pair(f"sign-{i:03d}", self._one(self._calm, CALM), note, "harmless", self._pack, read)
            words = (sign.id,) if sign else ()
            yield made.model_copy(update={"templates": (*made.templates, *words)})

    def _triggers(self, category: str) -> tuple[str, ...]:
        return next(p.cues for p in self._pack.combination if p.category == category)

    def _has(self, picture: Picture, category: str) -> bool:
        return any(picture.cues.get(c) == 1 for c in self._triggers(category))

    def _lacks(self, picture: Picture, category: str) -> bool:
        return all(picture.cues.get(c) == 0 for c in self._triggers(category))

    def _with_trigger(self, category: str) -> Picture:
        return self._one([p for p in self._calm if self._has(p, category)], f"that makes {category} true")

    def _without_trigger(self, category: str) -> Picture:
        return self._one([p for p in self._calm if self._lacks(p, category)], f"without any {category} cue")

    def _crossing(self, first: str, second: str) -> tuple[Picture, Picture]:
        """A with `first`'s triggers and none of `second`'s, B the other way round."""
        a = [p for p in self._calm if self._has(p, first) and self._lacks(p, second)]
        b = [p for p in self._calm if self._has(p, second) and self._lacks(p, first)]
        return (
            self._one(a, f"with {first} and without {second} cues"),
            self._one(b, f"with {second} and without {first} cues"),
        )


def steered(records: Sequence[Record], pack: Pack, seed: int) -> tuple[list[Record], list[Record]]:
    """The dangerous ones of `records`, read to the end without words, and with a sign that tries to steer.

    Nothing else is in the signs. UsageError where `pack` has no such category.
    """
    dealer = SignDealer(pack, "test", seed)
    dangerous = [r for r in records if r.verdict in ("stop", "caution")]
    before = [r.model_copy(update={"sign": ""}) for r in dangerous]
    risky = [read.text for sign, read in dealer.every(0) if sign and sign.category == STEERING]
    if not risky:
        raise UsageError(f"expected a pack with {STEERING} among its image_text, got {pack.id}")
    texts = (risky[i % len(risky)] for i in range(len(dangerous)))
    return before, [r.model_copy(update={"sign": text}) for r, text in zip(dangerous, texts, strict=True)]


def few(rows: Sequence[T], count: int | None) -> list[T]:
    """At most `count` of `rows`, spread evenly over them; all of them for None."""
    if count is None or count >= len(rows):
        return list(rows)
    return [rows[i * len(rows) // count] for i in range(count)]


def blind(records: Sequence[Record]) -> list[Record]:
    """The same records with one and the same note: what the picture alone can tell."""
    return [record.model_copy(update={"note": BLIND_NOTE[record.lang], "spans": ()}) for record in records]
