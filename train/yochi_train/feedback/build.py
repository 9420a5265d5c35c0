"""Signed feedback as a folder that `sft` and `rlaif` read as records and as photos, alone or behind others.

    train.jsonl, pictures.jsonl   the other folder's, then ours; val.jsonl of the other folder
    photos.jsonl                  likewise, so that a cache of the others' features is gone on with
    feedback-<sign-off>/          our pictures; the other folder's are links
    pairs.json                    preference pairs
    signed.csv, card.json         what was signed, and what became of it

Trainers read a picture with `PACK_NOTES` notes. A picture with fewer has them over and over: it weighs as
much as any other, and its notes share that.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image
from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Source, load_pack

from ..convert.written import write_json
from ..pictures import Photo, Picture, read_photos, read_pictures, write_pictures
from ..records import PACK_NOTES, read_records, write_records
from .pairs import PAIRS, FeedbackPair, pair_of, read_pairs, write_pairs
from .signoff import Signed

TRAIN, VAL, PICTURES, PHOTOS = "train.jsonl", "val.jsonl", "pictures.jsonl", "photos.jsonl"
SIGNED, CARD = "signed.csv", "card.json"
_FILES = {TRAIN, VAL, PICTURES, PHOTOS, PAIRS, SIGNED, CARD, PACK}


@dataclass(frozen=True)
class Base:
    """What ours come behind; all of it empty where they stand alone. Records are whole packs."""

    records: list[Record] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    photos: list[Photo] = field(default_factory=list)
    pairs: list[FeedbackPair] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)  # to be linked, by name

    @classmethod
    def read(cls, records: Path, photos: Path) -> "Base":
        """A folder of records and that of its photos. UsageError where they are none."""
        rows = read_records(records / TRAIN)
        files = {entry.name: entry for entry in sorted(photos.iterdir()) if entry.name not in _FILES}
        if (records / VAL).is_file():
            files[VAL] = records / VAL
        return cls(
            rows[: len(rows) // PACK_NOTES * PACK_NOTES],
            read_pictures(records / PICTURES),
            read_photos(photos),
            read_pairs(records) if (records / PAIRS).is_file() else [],
            files,
        )


@dataclass(frozen=True)
class _Shown:
    """A kept picture: where it lies, its name in the folder, its group, and what was signed of it."""

    kept: Path
    image: str
    group: int
    signed: tuple[Signed, ...]
    cues: dict[str, Literal[0, 1]]  # by slot id, of all its notes together


def build(signed: Sequence[Signed], log: Path, table: Path, pack: str, base: Base, out: Path) -> str:
    """Make the folder `out`, which is whole or not there; a line for the screen.

    `table` is the signed CSV, `pack` the text of pack.toml. UsageError where `out` is there or two lines
    contradict each other.
    """
    if out.exists():
        raise UsageError(f"expected a new folder, got {out}; name another")
    known = {record.id for record in base.records}
    new = [one for one in signed if f"{_identity(one)}-0" not in known]
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    first = 1 + max((picture.group for picture in base.pictures), default=-1)
    shown = _pictures(new, PictureStore(log), f"feedback-{digest[:8]}", first)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir(parents=True)
    pairs = _write(shown, pack, base, partial)
    shutil.copyfile(table, partial / SIGNED)
    card = {
        "signed_by": sorted({one.by for one in signed}),
        "table_sha256": digest,
        "rows": [one.case.hash for one in new],
        "learned_before": len(signed) - len(new),
        "pairs": pairs,
    }
    write_json(partial / CARD, card)
    partial.replace(out)
    again = f", {len(signed) - len(new)} more are in it already" if len(new) < len(signed) else ""
    return f"{len(new)} judgements on {len(shown)} pictures{again}, {pairs} preference pairs: {out}"


def _identity(signed: Signed) -> str:
    """The name of its records: the same in every review of a log."""
    return f"feedback-{signed.case.hash[:16]}"


def _pictures(signed: Sequence[Signed], store: PictureStore, folder: str, first: int) -> list[_Shown]:
    by_picture: dict[str, list[Signed]] = {}
    for one in signed:
        by_picture.setdefault(one.case.picture, []).append(one)
    shown = []
    for group, (sha256, rows) in enumerate(by_picture.items(), first):
        with Image.open(store.path(sha256)) as picture:
            image = f"{folder}/{sha256[:32]}.{(picture.format or 'image').lower()}"
        shown.append(_Shown(store.path(sha256), image, group, tuple(rows), _cues(rows)))
    return shown


def _cues(rows: Sequence[Signed]) -> dict[str, Literal[0, 1]]:
    """What all lines of a picture say of its cues. UsageError where two disagree."""
    cues: dict[str, Literal[0, 1]] = {}
    said: dict[str, int] = {}
    for one in rows:
        for slot, value in one.slots.items():
            if slot.startswith("cue:") and cues.setdefault(slot, value) != value:
                raise UsageError(
                    f"expected one truth of a picture, got {slot} as holding and as not in rows "
                    f"{said[slot]} and {one.case.row}; mend the signed table"
                )
            said.setdefault(slot, one.case.row)
    return cues


def _write(shown: Sequence[_Shown], pack: str, base: Base, folder: Path) -> int:
    """Everything but what was signed; how many new pairs."""
    (folder / PACK).write_text(pack, encoding="utf-8")
    for one in shown:
        (folder / one.image).parent.mkdir(exist_ok=True)
        shutil.copyfile(one.kept, folder / one.image)
    for name, path in base.files.items():
        (folder / name).symlink_to(os.path.relpath(path.resolve(), folder.resolve()))
    write_records(
        iter([*base.records, *(record for one in shown for record in _records(one))]), folder / TRAIN
    )
    write_pictures([*base.pictures, *map(_picture, shown)], folder / PICTURES)
    photos = [*base.photos, *(Photo(image=one.image, set="feedback", labelled=[], boxes=[]) for one in shown)]
    text = "".join(f"{photo.model_dump_json()}\n" for photo in photos)
    (folder / PHOTOS).write_text(text, encoding="utf-8")
    factors = load_pack(folder / PACK)
    found = (pair_of(row, f"{_identity(row)}-0", factors) for one in shown for row in one.signed)
    pairs = [pair for pair in found if pair is not None]
    write_pairs([*base.pairs, *pairs], folder)
    return len(pairs)


def _records(shown: _Shown) -> Iterator[Record]:
    """Whole packs of a picture's notes."""
    for at in range(0, len(shown.signed), PACK_NOTES):
        notes = shown.signed[at : at + PACK_NOTES]
        for place in range(PACK_NOTES):
            again, which = divmod(place, len(notes))
            yield _record(notes[which], shown, again)


def _record(signed: Signed, shown: _Shown, again: int) -> Record:
    combined = any(
        value and slot.startswith(f"{Source.COMBINATION}:") for slot, value in signed.slots.items()
    )
    kind = "harmless" if signed.verdict == "proceed" else "risk"
    name = _identity(signed)
    return Record.model_validate(
        {
            "id": f"{name}-{again}",
            "image": shown.image,
            "note": signed.case.note,
            "lang": signed.case.judgement.language,
            "kind": "combination" if combined else kind,
            "slots": {**signed.slots, **shown.cues},
            "verdict": signed.verdict,
            "picture_group": shown.group,
            "templates": (name,),
            "split": "train",
        }
    )


def _picture(shown: _Shown) -> Picture:
    cues: dict[str, int] = {slot.removeprefix("cue:"): value for slot, value in shown.cues.items()}
    return Picture(
        image=shown.image,
        set="feedback",
        group=shown.group,
        split="train",
        cues=cues,
        by_eye=cues,
        boxes=(),
        boxed=(),
        checked="",
        source="",
        licence="",
    )
