"""`yochi-train records split`: the same records, drawn into training, validation and test anew, no leaks.

Picture groups are drawn by the hash of their number, templates by the hash of their id, both with the shares
of `records photos`. A record stays where its picture and all of its templates fall into one split; any other
would carry what it shares across, so it is left out: about half of them, which is the price of holding out
both. Then training rows whose note is near a held one (or a hand-written test note) go, by `leakage`.

The training file is in packs of one picture, as the trainer reads it: rows of a picture stand together, and
where they do not fill the last pack some come twice, under ids of their own. The training part is held in
memory, the rest is read as a stream.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO

from yochi_runtime.errors import FrameError, UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text

from ..duplicates import picture_hashes
from ..leakage import near_notes, near_pictures, note_key
from ..pictures import SHARES, Picture, Split, read_pictures, write_pictures
from ..progress import Progress
from ..records import PACK_NOTES
from ..rows import Place
from ..testset import HandNotes, all_hand_notes
from ..validate import PICTURES
from .folder import Folder
from .written import write_json, written


def draw(name: str, seed: int) -> Split:
    """The split that `name` falls into: the same for the same seed, in the shares of SHARES."""
    point = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") / 2**64
    if point < SHARES["test"]:
        return "test"
    return "val" if point < SHARES["test"] + SHARES["val"] else "train"


def split_records(
    path: Path, out: Path, photos: Path | None, seed: int, pack_folder: Path | None = None
) -> str:
    """Write OUT like a folder of `records photos`, with test.jsonl and split.json; a line for the screen.

    With `photos` near-duplicate pictures are joined into one group first; without, groups are taken as given.
    `pack_folder` has the test notes of the records' pack (None: factory).
    """
    folder = Folder(path)
    if out.resolve() == folder.root.resolve():
        raise UsageError(f"expected OUT to be another folder than {folder.root}; name a new one")
    hand = all_hand_notes(folder.pack, pack_folder)
    known = folder.root / PICTURES
    pictures = read_pictures(known) if known.is_file() else []
    groups = join_groups(folder, pictures, photos)
    out.mkdir(parents=True, exist_ok=True)
    sorting = _Sorting(groups, seed)
    with ExitStack() as stack:
        held = {split: stack.enter_context(written(out / f"{split}.jsonl")) for split in ("val", "test")}
        for record in folder.records("records sorted"):
            sorting.take(record, held)
        leaked = sorting.drop_leaks(hand)
        rows = list(packs(sorting.train, random.Random(f"{seed}-packs")))
        _check(sorting.counts, rows)
        with written(out / "train.jsonl") as train:
            train.writelines(f"{record.model_dump_json()}\n" for record in rows)
    (out / "pack.toml").write_text(pack_text(folder.pack_file), encoding="utf-8")
    if pictures:
        write_pictures((sorting.picture(p) for p in pictures), out / PICTURES)
    kept = {"train": len(rows), "val": sorting.counts["val"], "test": sorting.counts["test"]}
    repeated = len(rows) - sum(map(len, sorting.train.values()))
    report = {
        "seed": seed,
        "pack_sha256": folder.pack_sha256,
        "pictures_compared": photos is not None,
        "records": kept,
        "left_out": {"across_splits": sorting.counts["across"], "near_a_held_note": leaked},
        "repeated_to_fill_packs": repeated,
    }
    write_json(out / "split.json", report)
    return (
        f"{', '.join(f'{count} {split}' for split, count in kept.items())}; left out: "
        f"{sorting.counts['across']} across splits, {leaked} near a held note; "
        f"{repeated} repeated to fill packs: {out}"
    )


def join_groups(folder: Folder, pictures: Iterable[Picture], photos: Path | None) -> dict[str, int]:
    """The group of every image, named by the smallest of those that were joined."""
    parent: dict[int, int] = {}

    def root(group: int) -> int:
        while parent.setdefault(group, group) != group:
            group = parent[group]
        return group

    def join(a: int, b: int) -> None:
        low, high = sorted((root(a), root(b)))
        parent[high] = low

    group_of = {p.image: p.group for p in pictures}
    for record in folder.records("records read"):
        join(record.picture_group, group_of.setdefault(record.image, record.picture_group))
    if photos is not None:
        for a, b in _near(list(group_of), photos):
            join(group_of[a], group_of[b])
    return {image: root(group) for image, group in group_of.items()}


def _near(images: list[str], photos: Path) -> Iterator[tuple[str, str]]:
    """Every two pictures that `leakage` calls near."""
    progress = Progress("near-duplicate hashes", len(images))
    hashes = {}
    for image in images:
        try:
            hashes[image] = picture_hashes(photos / image)
        except FrameError as e:
            raise UsageError(f"{photos / image}: {e}") from e
        progress.step()
    places = {image: Place(image, 0) for image in images}
    for leak in near_pictures(places, places, hashes):
        yield leak.trained.file, leak.held.file


class _Sorting:
    """Where each record goes. `train` holds the training rows by picture."""

    def __init__(self, groups: Mapping[str, int], seed: int) -> None:
        self._groups, self._seed = groups, seed
        self._drawn: dict[str, Split] = {}
        self._held: dict[bytes, Place] = {}
        self.train: dict[str, list[Record]] = defaultdict(list)
        self.counts: Counter[str] = Counter()

    def _split(self, name: str) -> Split:
        if name not in self._drawn:
            self._drawn[name] = draw(name, self._seed)
        return self._drawn[name]

    def take(self, record: Record, held: Mapping[str, IO[str]]) -> None:
        group = self._groups[record.image]
        split = self._split(f"group {group}")
        if any(self._split(f"template {name}") != split for name in record.templates):
            self.counts["across"] += 1
            return
        self.counts[split] += 1
        moved = record.model_copy(update={"split": split, "picture_group": group})
        if split == "train":
            self.train[record.image].append(moved)
        else:
            held[split].write(f"{moved.model_dump_json()}\n")
            self._held.setdefault(note_key(record.note, record.lang), Place(record.id, 0))

    def picture(self, picture: Picture) -> Picture:
        group = self._groups[picture.image]
        return replace(picture, group=group, split=self._split(f"group {group}"))

    def drop_leaks(self, hand: HandNotes) -> int:
        """Leave out training rows near a held note or a hand-written one; how many."""
        for lang, notes in hand.items():
            for note, _ in notes:
                self._held.setdefault(note_key(note.text, lang), Place("hand", 0))
        keys: dict[bytes, Place] = {}
        for rows in self.train.values():
            for record in rows:
                keys.setdefault(note_key(record.note, record.lang), Place(record.id, 0))
        first = {place.file: key for key, place in keys.items()}
        near = {first[leak.trained.file] for leak in near_notes(keys, self._held)}
        before = sum(map(len, self.train.values()))
        kept = {
            image: [r for r in rows if note_key(r.note, r.lang) not in near]
            for image, rows in self.train.items()
        }
        self.train = {image: rows for image, rows in kept.items() if rows}
        return before - sum(map(len, self.train.values()))


def packs(by_picture: Mapping[str, list[Record]], rng: random.Random) -> Iterator[Record]:
    """Packs of PACK_NOTES rows with one picture, the packs in random order.

    The last pack of a picture is filled with its first rows again, as `<id>+1`, `<id>+2`, ...
    """
    found: list[list[Record]] = []
    for rows in by_picture.values():
        missing = -len(rows) % PACK_NOTES
        again = [
            rows[i % len(rows)].model_copy(update={"id": f"{rows[i % len(rows)].id}+{1 + i // len(rows)}"})
            for i in range(missing)
        ]
        full = [*rows, *again]
        found += [full[i : i + PACK_NOTES] for i in range(0, len(full), PACK_NOTES)]
    rng.shuffle(found)
    for pack in found:
        yield from pack


def _check(counts: Counter[str], train: list[Record]) -> None:
    empty = [
        name
        for name, count in (("train", len(train)), ("val", counts["val"]), ("test", counts["test"]))
        if not count
    ]
    if empty:
        raise UsageError(
            f"expected records in every split, got none for {', '.join(empty)} "
            f"({counts['across']} have picture and templates in different splits); try another --seed"
        )
