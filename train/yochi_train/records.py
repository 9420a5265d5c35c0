"""Pairs of pictures and notes, in packs that share a picture.

The training file is written in packs of `PACK_NOTES` records with the same picture: the trainer reads a
picture once and several notes against it, as the box does with a still scene.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.record import iterate_records as iterate_records
from yochi_runtime.record import read_records as read_records
from yochi_runtime.taxonomy import Pack

from .grammar import LANGS, ComposedNote, Composer, Lang
from .narratives import Narrative, as_note
from .pictures import Picture, Split
from .progress import Progress
from .signs import SignDealer, SignRead
from .truth import pair_slots, pair_verdict

PACK_NOTES = 8
COMBINATIONS = 2  # of these, unless told otherwise
RISKY_SHARE = 0.6  # of the notes that are risky or harmless by themselves
SAFE_SHARE = 0.4  # packs whose picture was checked safe: the only ones with a known "proceed"
NARRATIVE_SHARE = 0.5  # of the free place in a pack, where narratives are given
# Few phrasings first, all of them later (a curriculum, Bengio et al. 2009): (until this share of the packs,
# templates a slot). With full variety from the first step nothing about notes was learned in the first 1,500.
STAGES = ((0.06, 4), (0.2, 16), (1.0, None))


@dataclass(frozen=True)
class Mix:
    """Which pictures are dealt, and which combinations with them."""

    trigger: float  # share of the safe pictures that show what a combination needs: a forklift, a conveyor
    scene: float  # share of rendered ones among the pictures that are not safe
    dangerous: float  # of the combination notes, where the picture makes some dangerous and others not


TRAINING = Mix(0.8, 0.15, 0.75)  # what is rare is dealt more often
# Thresholds are fitted to it: of pictures that are safe, those without a trigger are where false alarms show.
USUAL = Mix(0.0, 0.0, 0.5)
# Pictures of a set against the others.
_SET_WEIGHT = {"fire": 0.7, "site": 1.6}


class NoteSource:
    """Deals notes of a split in both languages."""

    def __init__(
        self, pack: Pack, split: Split, narratives: Sequence[Narrative], seed: int, folder: Path | None = None
    ) -> None:
        self._pack = pack
        self._rng = random.Random(f"{seed}-{split}-notes")
        held = split != "train"
        self._composers = {lang: Composer(lang, pack, held, self._rng, folder) for lang in LANGS}
        self._narratives: dict[Lang, dict[str, list[Narrative]]] = {lang: {} for lang in LANGS}
        told = {c.id for c in pack.category if c.note_content}
        for n in narratives:
            if n.validation == held and n.category in told:
                self._narratives[n.lang].setdefault(n.category, []).append(n)

    def draw(self, kind: str, lang: Lang, category: str = "") -> ComposedNote:
        composer = self._composers[lang]
        if kind == "combination":
            return composer.combination(category)
        if kind == "narrative":
            by_category = self._narratives[lang]
            return as_note(self._rng.choice(by_category[self._rng.choice(sorted(by_category))]), self._pack)
        return composer.risk() if kind == "risk" else composer.harmless()

    def vary(self, templates: int | None) -> None:
        """From now on at most so many templates a slot."""
        for composer in self._composers.values():
            composer.variety = templates

    def has_narratives(self, lang: Lang) -> bool:
        return bool(self._narratives[lang])


def build_records(
    pictures: Sequence[Picture],
    pack: Pack,
    split: Split,
    count: int,
    seed: int,
    narratives: Sequence[Narrative] = (),
    curriculum: bool = True,
    languages: Sequence[Lang] = LANGS,
    combinations: int = COMBINATIONS,
    folder: Path | None = None,
) -> Iterator[Record]:
    """`count` records (rounded down to whole packs) for one split; the same for the same arguments.

    `curriculum`: few phrasings first in the training split, for a model that knows nothing yet. `languages`:
    what the notes are written in; a pack has each at least as often as it is named. `combinations`: how many
    notes of a pack ask for something that only the picture can make dangerous, 0 to PACK_NOTES - 1.
    `folder`: where the pack's phrases are, None for those of the factory pack.
    """
    rng, mix = random.Random(f"{seed}-{split}"), TRAINING if split == "train" else USUAL
    notes = NoteSource(pack, split, narratives, seed, folder)
    deck = _PictureDeck([p for p in pictures if p.split == split], pack, mix, rng)
    signs = SignDealer(pack, split, seed, languages)
    progress = Progress(f"{split} records", count)
    packs = count // PACK_NOTES
    for number in range(packs):
        if split == "train" and curriculum:
            notes.vary(next(size for until, size in STAGES if number < until * packs))
        picture = deck.deal()
        for place, (kind, lang, category) in enumerate(
            _plan(picture, pack, notes, rng, languages, combinations, mix)
        ):
            note, name = notes.draw(kind, lang, category), f"{split}-{number:05d}-{place}"
            record = pair(name, picture, note, kind, pack)
            read = signs.deal(picture, record)
            yield record if read is None else pair(name, picture, note, kind, pack, read)
            progress.step()


def _plan(
    picture: Picture,
    pack: Pack,
    notes: NoteSource,
    rng: random.Random,
    languages: Sequence[Lang],
    combinations: int,
    mix: Mix,
) -> list[tuple[str, Lang, str]]:
    """Kind, language and combination category of each note of a pack."""
    alone = PACK_NOTES - 1 - combinations
    risky = math.ceil(RISKY_SHARE * alone)
    kinds = [*["risk"] * risky, *["harmless"] * (alone - risky), *["combination"] * combinations]
    free = "harmless" if picture.checked == "safe" or rng.random() < 0.4 else "risk"
    langs: list[Lang] = [*languages, *(rng.choice(languages) for _ in range(PACK_NOTES - len(languages)))]
    rng.shuffle(langs)
    if free == "risk" and notes.has_narratives(langs[-1]) and rng.random() < NARRATIVE_SHARE:
        free = "narrative"
    return [
        (kind, lang, _category(picture, pack, mix, rng))
        for kind, lang in zip([*kinds, free], langs, strict=True)
    ]


def _category(picture: Picture, pack: Pack, mix: Mix, rng: random.Random) -> str:
    """A combination whose truth is known for this picture."""
    dangerous = [p.category for p in pack.combination if any(picture.cues.get(c) == 1 for c in p.cues)]
    absent = [p.category for p in pack.combination if all(picture.cues.get(c) == 0 for c in p.cues)]
    if dangerous and (not absent or rng.random() < mix.dangerous):
        return rng.choice(dangerous)
    return rng.choice(absent or [p.category for p in pack.combination])


def pair(
    identity: str,
    picture: Picture,
    note: ComposedNote,
    kind: str,
    pack: Pack,
    sign: SignRead | None = None,
) -> Record:
    """The record of a pair. What the note asks for is not marked where the picture makes it harmless.

    `sign`: what was read in the picture, None where nobody looked.
    """
    slots = {**pair_slots(picture, note, pack, kind), **(sign.slots if sign else {})}
    return Record.model_validate(
        {
            "id": identity,
            "image": picture.image,
            "note": note.text,
            "lang": note.lang,
            "kind": kind,
            "slots": slots,
            "verdict": pair_verdict(picture, slots, note.maybe, pack),
            "picture_group": picture.group,
            "templates": note.templates,
            "split": picture.split,
            "spans": [span for span in note.spans if slots.get(span.slot) != 0],
            "sign": sign.text if sign else None,
        }
    )


class _PictureDeck:
    """Deals pictures from piles in fixed shares, photos by set weight, each pile without repetition.

    Where `mix` has no share for triggers or scenes they are among the others of their kind.
    """

    def __init__(self, pictures: Sequence[Picture], pack: Pack, mix: Mix, rng: random.Random) -> None:
        self._rng, self._mix = rng, mix
        triggers = {cue for pair in pack.combination for cue in pair.cues}
        self._stock: dict[str, list[Picture]] = {"trigger": [], "safe": [], "scene": [], "other": []}
        for picture in pictures:
            shows = any(picture.cues.get(cue) == 1 for cue in triggers)
            name = "scene" if picture.pair and mix.scene else "other"
            if picture.checked == "safe":
                name = "trigger" if shows and mix.trigger else "safe"
            self._stock[name].append(picture)
        if not self._stock["scene"] + self._stock["other"]:
            raise UsageError(
                f"expected pictures that are not checked safe in every split, got none of {len(pictures)}; "
                "give more photos"
            )
        self._piles: dict[str, list[Picture]] = {name: [] for name in self._stock}

    def deal(self) -> Picture:
        safe = self._rng.random() < SAFE_SHARE
        first = self._rng.random() < (self._mix.trigger if safe else self._mix.scene)
        names = ("trigger", "safe") if safe else ("scene", "other")
        # Where a pile has nothing, its neighbour stands in; where no picture is safe, the others.
        order = [*(names if first else reversed(names)), "other", "scene"]
        name = next(name for name in order if self._stock[name])
        pile = self._piles[name]
        if not pile:
            every = self._stock[name]
            source = [p for p in every if self._keep(p)] or every
            pile.extend(self._rng.sample(source, len(source)))
        return pile.pop()

    def _keep(self, picture: Picture) -> bool:
        return self._rng.random() < _SET_WEIGHT.get(picture.set, 1.0)


def write_records(records: Iterator[Record], file: Path) -> int:
    """One JSON object a line, written beside and moved into place when complete."""
    partial = file.with_suffix(".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as out:
        for record in records:
            out.write(record.model_dump_json() + "\n")
            count += 1
    partial.replace(file)
    return count
