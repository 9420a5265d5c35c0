"""`yochi-train records validate`: every bad row by file and line, and what training shares with other splits.

Rows are read as a stream; in memory stay the ids, the hashes of pictures and of distinct notes, and the place
where each was first seen. A bad row counts for nothing else: its id is free, it is compared with none.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from yochi_runtime.errors import FrameError, UsageError
from yochi_runtime.taxonomy import Pack, load_pack

from .duplicates import picture_hashes
from .leakage import Leak, near_notes, near_pictures, note_key
from .pictures import Split
from .progress import Progress
from .quarantine import FOLDER, Quarantine
from .rows import Place, RowFault, picture_row, record_row
from .testset import HandNotes, all_hand_notes

PICTURES = "pictures.jsonl"
_NOT_OURS = {"photos.jsonl", "checked.jsonl"}  # of a folder of photos, where records were made beside them


@dataclass
class Report:
    """Counts; pairs are counted once for each two distinct pictures or notes, however many rows have them."""

    records: int = 0
    pictures: int = 0
    bad: int = 0
    near_pictures: int = 0
    near_notes: int = 0
    quarantined: bool = False
    looked: bool = True  # whether the image files were read

    @property
    def passed(self) -> bool:
        """Whether what is in the files now can be trained on."""
        return not (self.near_pictures or self.near_notes) and (self.quarantined or not self.bad)

    def line(self) -> str:
        moved = f" (moved to {FOLDER})" if self.quarantined and self.bad else ""
        blind = "" if self.looked else "; images not looked at, give --photos"
        return (
            f"{self.records} records, {self.pictures} pictures: {self.bad} bad rows{moved}; training shares "
            f"{self.near_pictures} pictures and {self.near_notes} notes with other splits{blind}"
        )


def shards(path: Path) -> list[Path]:
    """`path` itself, or the record files of that folder; UsageError where there are none."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.glob("*.jsonl") if file.is_file() and file.name not in _NOT_OURS)
    if not found:
        raise UsageError(
            f"expected a records file or a folder with *.jsonl at {path}, found none; "
            "run: yochi-train records photos"
        )
    return found


def validate(
    path: Path,
    photos: Path | None,
    keep_going: bool,
    say: Callable[[str], None],
    pack_folder: Path | None = None,
) -> Report:
    """Check every row of `path` and tell each fault through `say`; `keep_going` quarantines the bad rows.

    `pack_folder` has the test notes of the records' pack (None: factory).
    """
    if photos and not photos.is_dir():
        raise UsageError(f"expected a folder of photos at {photos}, found none; check --photos")
    files = shards(path)
    pack = load_pack(files[0].parent / "pack.toml")
    hand = all_hand_notes(pack, pack_folder)
    check = _Check(pack, photos)
    report = Report(quarantined=keep_going, looked=photos is not None)
    for file in files:
        with Quarantine(file) if keep_going else nullcontext() as quarantine:
            for line, fault in _rows(file, check, report):
                if fault:
                    report.bad += 1
                    say(fault)
                if quarantine and fault:
                    quarantine.take(line, fault)
                elif quarantine:
                    quarantine.keep(line)
            if quarantine:
                quarantine.finish()
    for leak in check.shared_pictures():
        report.near_pictures += 1
        say(_told("picture", leak))
    for leak in check.shared_notes(hand):
        report.near_notes += 1
        say(_told("note", leak))
    return report


def _rows(file: Path, check: "_Check", report: Report) -> Iterator[tuple[bytes, str]]:
    """Each line with its fault ("file:line: expected ..., got ..."), empty for a good one."""
    with file.open("rb") as lines:
        progress = Progress(f"rows of {file.name}", sum(1 for _ in lines))
        lines.seek(0)
        for number, line in enumerate(lines, 1):
            place = Place(str(file), number)
            fault = ""
            try:
                if file.name == PICTURES:
                    report.pictures += 1
                    check.picture(line, place)
                else:
                    report.records += 1
                    check.record(line, place, file.stem)
            except RowFault as e:
                fault = f"{place}: {e}"
            yield line, fault
            progress.step()


def _told(what: str, leak: Leak) -> str:
    return f"{leak.held}: expected a {what} unlike those of training, got {leak.near} from {leak.trained}"


class _Check:
    """What has to be remembered from row to row."""

    def __init__(self, pack: Pack, photos: Path | None) -> None:
        self._pack, self._photos = pack, photos
        self._ids: dict[str, Place] = {}
        self._files: dict[str, Place] = {}  # pictures of pictures.jsonl
        self._faults: dict[str, str] = {}  # images that cannot be used
        self._hashes: dict[str, tuple[np.uint64, np.uint64]] = {}
        # First places, [0] of training, [1] of validation and test.
        self._images: tuple[dict[str, Place], dict[str, Place]] = ({}, {})
        self._notes: tuple[dict[bytes, Place], dict[bytes, Place]] = ({}, {})

    def record(self, line: bytes, place: Place, stem: str) -> None:
        record = record_row(line, self._pack, stem)
        if record.id in self._ids:
            raise RowFault(f"expected an id of its own, got {record.id!r} of {self._ids[record.id]} again")
        self._look(record.image)
        self._ids[record.id] = place
        self._images[_held(record.split)].setdefault(record.image, place)
        self._notes[_held(record.split)].setdefault(note_key(record.note, record.lang), place)

    def picture(self, line: bytes, place: Place) -> None:
        picture = picture_row(line, self._pack)
        if picture.image in self._files:
            raise RowFault(
                f"expected every picture once, got {picture.image!r} of {self._files[picture.image]} again"
            )
        self._look(picture.image)
        self._files[picture.image] = place
        self._images[_held(picture.split)].setdefault(picture.image, place)

    def _look(self, image: str) -> None:
        """RowFault where photos are given and `image` is no picture below them. Each file is read once."""
        if PurePosixPath(image).is_absolute() or ".." in PurePosixPath(image).parts:
            raise RowFault(f"expected an image path below the photos, got {image!r}")
        if self._photos is None:
            return
        if image not in self._hashes and image not in self._faults:
            try:
                self._hashes[image] = picture_hashes(self._photos / image)
            except (UsageError, FrameError) as e:
                self._faults[image] = str(e)
        if image in self._faults:
            raise RowFault(self._faults[image])

    def shared_pictures(self) -> Iterator[Leak]:
        return near_pictures(*self._images, self._hashes)

    def shared_notes(self, hand: HandNotes) -> Iterator[Leak]:
        """With the validation notes, and with the hand-written ones (`hand`) that every evaluation asks."""
        trained, held = self._notes[0], dict(self._notes[1])
        for lang, notes in hand.items():
            for number, (note, _) in enumerate(notes, 1):
                held.setdefault(note_key(note.text, lang), Place(f"test_notes.{lang}.jsonl", number))
        return near_notes(trained, held)


def _held(split: Split) -> int:
    return int(split != "train")
