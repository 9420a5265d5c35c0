"""What is asked of a judge in a benchmark: pictures and notes, named by one hash."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Inspection, Note

from .report import Workload

_COUNTERS = 2**24  # what fits into one pixel


@dataclass(frozen=True)
class Asked:
    """Every picture with every note. At least one of each; UsageError otherwise."""

    name: str
    frames: tuple[Frame, ...]
    notes: tuple[Note, ...]

    def __post_init__(self) -> None:
        if not self.frames or not self.notes:
            raise UsageError("expected at least one picture and one note, got none; give --image and --note")

    @property
    def inspections(self) -> list[Inspection]:
        return [Inspection(frame, note) for frame in self.frames for note in self.notes]

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


def read_asked(images: Sequence[Path], notes: Sequence[str]) -> Asked:
    """From files and words; UsageError, FrameError or NoteError for what cannot be judged."""
    name = ", ".join(path.name for path in images)
    return Asked(name, tuple(map(read_frame, images)), tuple(Note(text) for text in dict.fromkeys(notes)))
