"""Words in pictures: signs and stickers of known meaning, as a reader of signs would give them.

`data/signs.<lang>.txt` holds texts for training in sections, `[harmless]` and one a category of the packs'
`image_text`; `|` stands where a sign begins a new line, `{a|b}` are alternatives. Validation and test have
files of their own, by template, so that no wording is both learned and scored. Signs are worded alike in
every industry: packs share these files.

Of a photo nobody knows the words, so they are dealt to it; what is known of a rendered picture stays true.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from yochi_bench.cells import Cell, cell_of
from yochi_runtime.errors import UsageError
from yochi_runtime.record import SIGN_LINES, Record
from yochi_runtime.taxonomy import Pack, Source

from .grammar import LANGS, Lang
from .packs import words
from .pictures import Picture, Split
from .sign_slips import as_read

HARMLESS = "harmless"
FILES: Mapping[Split, str] = {"train": "signs", "val": "signs.validation", "test": "signs.test"}
# Shares of the records: with words that say something risky, with others, looked at and without words. Nobody
# looked at the rest. The risky ones are dealt where the cell is known, and not to pairs that are dangerous
# together only: these are the rarest cell, and such a sign takes them out of it.
RISKY, PLAIN, EMPTY = 0.10, 0.15, 0.25
TURN = 0.5  # chance that a fit record gets one while there are too few
SHORT: Mapping[Lang, int] = {"en": 60, "ja": 30}  # characters, up to which another sign may hang beside it
BESIDE = 0.4
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Sign:
    """One line of a file of signs; `category` is None for one that says nothing risky."""

    id: str
    text: str
    lang: Lang
    category: str | None


@dataclass(frozen=True)
class SignRead:
    """The words that are read in a picture, as `Record.sign`, and what they make known, by slot id."""

    text: str
    slots: Mapping[str, int]


@cache
def signs(lang: Lang, split: Split) -> tuple[Sign, ...]:
    """Every sign of a split; UsageError names the line of a mistake."""
    name = f"{FILES[split]}.{lang}.txt"
    found: list[Sign] = []
    section = ""
    for number, line in enumerate(words(None, name).splitlines(), 1):
        text = line.strip()
        if text.startswith("["):
            section = text.strip("[]")
        elif text and not text.startswith("#"):
            if not section or text.count("{") != text.count("}"):
                raise UsageError(f"{name}:{number}: expected a sign with balanced braces in a section")
            found.append(Sign(f"{name}:{number}", text, lang, None if section == HARMLESS else section))
    return tuple(found)


def worded(sign: Sign, rng: random.Random) -> list[str]:
    """One wording of a sign, line by line."""
    text = _ALTERNATIVES.sub(lambda m: rng.choice(m[1].split("|")), sign.text)
    return [" ".join(line.split()) for line in text.split("|")]


class SignDealer:
    """Deals what is read in pictures of a split, in the notes' languages; the same for the same seed."""

    def __init__(self, pack: Pack, split: Split, seed: int, languages: Sequence[Lang] = LANGS) -> None:
        self._pack, self._rng = pack, random.Random(f"{seed}-{split}-signs")
        self._languages = tuple(dict.fromkeys(languages))
        self._stock: dict[tuple[Lang, str | None], list[Sign]] = {}
        for lang in self._languages:
            for sign in signs(lang, split):
                self._stock.setdefault((lang, sign.category), []).append(sign)
        self._decks: dict[tuple[Lang, str | None], list[Sign]] = {}
        taught = {category for _, category in self._stock}
        self._dealt = self._risky = 0
        self._categories = [text.category for text in pack.image_text if text.category in taught]

    def deal(self, picture: Picture, record: Record) -> SignRead | None:
        """What a reader of signs finds in the picture of `record`; None where nobody looks."""
        if not self._categories:
            return None
        self._dealt += 1
        category = self._risky_words(picture, record)
        if category:
            self._risky += 1
            return self.risky(category)
        if any(picture.texts.get(c) == 1 for c in self._categories):
            return None  # the words that are there are none of those below
        point = self._rng.random() * (1 - RISKY)
        if point < PLAIN:
            return self.plain()
        return self.empty() if point < PLAIN + EMPTY else None

    def _risky_words(self, picture: Picture, record: Record) -> str | None:
        """The category of the sign that hangs in the picture, or that is due and can hang there."""
        if self._rng.random() >= TURN:
            return None
        hung = next((c for c in self._categories if picture.texts.get(c) == 1), None)
        free = [c for c in self._categories if c not in picture.texts]
        if hung or not free or self._risky >= RISKY * self._dealt or not self._fit(picture, record):
            return hung
        return self._rng.choice(free)

    def every(self, unworded: float) -> Iterator[tuple[Sign | None, SignRead]]:
        """Every sign of the split once, alone, and so many more pictures without words (None)."""
        if not self._categories:
            return
        every = [sign for stock in self._stock.values() for sign in stock]
        for sign in every:
            if sign.category is None or sign.category in self._categories:
                yield sign, self._read([sign], sign.category)
        for _ in range(round(unworded * len(every))):
            yield None, self.empty()

    def risky(self, category: str) -> SignRead:
        """A sign of `category`, sometimes with harmless ones beside it."""
        lang = self._rng.choice(self._languages)
        return self._read(self._beside(self._draw(lang, category)), category)

    def plain(self) -> SignRead:
        """Signs that say nothing risky."""
        lang = self._rng.choice(self._languages)
        return self._read(self._beside(self._draw(lang, None)), None)

    def empty(self) -> SignRead:
        """A picture in which there is nothing to read."""
        return self._read([], None)

    def _beside(self, sign: Sign) -> list[Sign]:
        """A sign with those that hang beside it."""
        hung = [sign]
        while self._room(hung) and self._rng.random() < BESIDE:
            lang = sign.lang if self._rng.random() < 0.8 else self._rng.choice(self._languages)
            hung.insert(self._rng.randint(0, len(hung)), self._draw(lang, None))
        return hung

    def _read(self, hung: Sequence[Sign], category: str | None) -> SignRead:
        lines = [line for sign in hung for line in as_read(worded(sign, self._rng), sign.lang, self._rng)]
        slots = {f"{Source.IMAGE_TEXT}:{c}": int(c == category) for c in self._categories}
        return SignRead(SIGN_LINES.join(lines), slots)

    def _room(self, hung: Sequence[Sign]) -> bool:
        return len(hung) < 3 and sum(len(sign.text) / SHORT[sign.lang] for sign in hung) <= 1

    def _draw(self, lang: Lang, category: str | None) -> Sign:
        deck = self._decks.setdefault((lang, category), [])
        if not deck:
            every = self._stock[lang, category]
            deck.extend(self._rng.sample(every, len(every)))
        return deck.pop()

    def _fit(self, picture: Picture, record: Record) -> bool:
        safe = {picture.image} if picture.checked == "safe" else set()
        return cell_of(record, self._pack, safe) not in (None, Cell.SSU)
