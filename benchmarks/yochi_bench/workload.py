"""What is asked of a judge in a benchmark: pictures and notes, named by one hash.

The shipped workload, `shipped/`, is 100 of our own rendered scenes and 100 notes of our own, with the truth
of 200 of their pairs. `yochi_train.workload` makes it again. A bundle is asked only in the languages that it
is proved for: any other note is refused before anything is computed.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.opening import read_bundle
from yochi_runtime.record import Record, read_records

from .report import Workload

SHIPPED = Path(__file__).parent / "shipped"
SHIPPED_RECORDS = SHIPPED / "records.jsonl"
SHIPPED_PACK = "factory"  # whose slots its records know
_COUNTERS = 2**24  # what fits into one pixel


@dataclass(frozen=True)
class Asked:
    """Every picture with every note, both new each time. At least one of each; UsageError otherwise."""

    name: str
    frames: tuple[Frame, ...]
    notes: tuple[Note, ...]

    def __post_init__(self) -> None:
        if not self.frames or not self.notes:
            raise UsageError("expected at least one picture and one note, got none; give --image and --note")

    @property
    def inspections(self) -> list[Inspection]:
        return [
            Inspection(frame, self.notes[(place + turn) % len(self.notes)])
            for turn in range(len(self.notes))
            for place, frame in enumerate(self.frames)
        ]

    @property
    def identity(self) -> Workload:
        hashes = [*(f.sha256 for f in self.frames), "", *(n.sha256 for n in self.notes)]
        sha256 = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        return Workload(name=self.name, frames=len(self.frames), notes=len(self.notes), sha256=sha256)

    def new_frames(self) -> Iterator[Inspection]:
        """The inspections in turn, each frame with a number of its own in its first pixel: none is known."""
        for number, inspection in zip(count(1), cycle(self.inspections), strict=False):
            rgb = inspection.frame.rgb.copy()
            old = int.from_bytes(rgb[0, 0].tobytes(), "big")
            rgb[0, 0] = list(((old + number) % _COUNTERS).to_bytes(3, "big"))
            yield Inspection(Frame(rgb), inspection.note)


@dataclass(frozen=True)
class Given:
    """Files and words before they are read, as a process of its own is told them."""

    name: str
    images: tuple[Path, ...]
    notes: tuple[str, ...]

    def read(self) -> Asked:
        """UsageError, FrameError or NoteError for what cannot be judged."""
        notes = tuple(Note(text) for text in dict.fromkeys(self.notes))
        return Asked(self.name, tuple(map(read_frame, self.images)), notes)


def given(images: Sequence[Path] | None, notes: Sequence[str] | None, bundle: Path | None) -> Given:
    """The caller's own pictures and notes, or the shipped ones for `bundle`. UsageError for half of it."""
    if not images and not notes:
        return shipped(read_bundle(bundle).manifest.languages)
    if not images or not notes:
        raise UsageError("expected both --image and --note, or neither for the shipped workload, got one")
    return Given(", ".join(path.name for path in images), tuple(images), tuple(notes))


def shipped(languages: Collection[str]) -> Given:
    """Every shipped picture, and the notes in `languages`; all of them where no language is proved."""
    records = read_records(SHIPPED_RECORDS)
    asked = in_languages(records, languages)
    spoken = ", ".join(dict.fromkeys(record.lang for record in asked))
    images = dict.fromkeys(record.image for record in records)
    notes = dict.fromkeys(record.note for record in asked)
    return Given(f"shipped ({spoken})", tuple(SHIPPED / image for image in images), tuple(notes))


def in_languages(records: Sequence[Record], languages: Collection[str]) -> list[Record]:
    """Those whose notes are in `languages`; all of them where none is."""
    return [r for r in records if r.lang in languages] or list(records)
