"""What `--blur-faces` covers of labelled heads, and how far judging a blurred picture again goes astray.

Every photo counts that is labelled for heads: those of other sets may show heads that nobody marked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from yochi_runtime.base import find_base
from yochi_runtime.bundle import LORA, VISION, Bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.gates import check_content
from yochi_runtime.heads import HALVES, HEAD_CUES, HeadMask, blurred, head_mask
from yochi_runtime.image import Frame, prepare, read_frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement, NotKept
from yochi_runtime.language import Language
from yochi_runtime.limits import GateError
from yochi_runtime.replay import NOTE_SLOTS
from yochi_runtime.verdict import Verdict
from yochi_runtime.vision import Vision

from .progress import Progress

LABELS = "photos.jsonl"
NOTE = Note("I'll clear the jam by hand.")
FINE = 20  # points of a half cell's side, to tell how much of a head is covered
WHOLE = 0.999  # share from which on a head is wholly covered
Box = tuple[float, float, float, float]


class PhotoBox(BaseModel):
    """`xyxy` in 0..1."""

    label: str
    xyxy: Box


class Photo(BaseModel):
    """One line of photos.jsonl; `labelled` are the classes that were marked in its set."""

    image: str
    labelled: list[str]
    boxes: list[PhotoBox]

    @property
    def heads(self) -> list[Box]:
        return [box.xyxy for box in self.boxes if box.label in HEAD_CUES]


@dataclass(frozen=True)
class Covered:
    """One photo: is the centre of each labelled head blurred, which share of it, and which of the picture."""

    centres: list[bool]
    shares: list[float]
    picture: float


@dataclass(frozen=True)
class Strayed:
    """One photo, judged as it is and blurred: how far slots are apart, and what became of the verdict."""

    notes: list[float]  # of the slots that ask about the note alone
    pictures: list[float]  # of the others
    refused: bool
    other_verdict: bool


def read_labels(folder: Path, count: int, seed: int) -> list[Photo]:
    """At most `count` photos whose heads are labelled, drawn with `seed`; UsageError where there is none."""
    file = folder / LABELS
    if not file.is_file():
        raise UsageError(f"expected {LABELS} in {folder}, found none; give photos with boxes")
    photos = []
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            photo = Photo.model_validate_json(text)
        except ValidationError as e:
            raise UsageError(f"{file}:{number}: {e.errors()[0]['msg']}; mend or remove the line") from e
        if set(photo.labelled) & set(HEAD_CUES):
            photos.append(photo)
    if not photos:
        raise UsageError(f"expected photos labelled for {', '.join(HEAD_CUES)} in {file}, found none")
    order = np.random.default_rng(seed).permutation(len(photos))[:count]
    return [photos[i] for i in order]


def cover(heads: Sequence[Box], mask: HeadMask) -> Covered:
    """What `mask` covers, by points on a grid FINE times as fine."""
    fine = mask.repeat(FINE, axis=0).repeat(FINE, axis=1)
    last = HALVES * FINE - 1

    def span(start: float, end: float) -> slice:
        first = min(last, int(start * (last + 1)))
        return slice(first, max(first + 1, min(last + 1, round(end * (last + 1)))))

    parts = [fine[span(y0, y1), span(x0, x1)] for x0, y0, x1, y1 in heads]
    middles = [
        fine[span((y0 + y1) / 2, 0.0), span((x0 + x1) / 2, 0.0)] for x0, y0, x1, y1 in heads
    ]  # one point
    return Covered([bool(m[0, 0]) for m in middles], [float(p.mean()) for p in parts], float(mask.mean()))


def covers(folder: Path, photos: Sequence[Photo], bundle: Bundle, threads: int) -> list[Covered]:
    """Of each photo that the gates let pass; one that they refuse is not kept either.

    UsageError where the bundle sees no heads.
    """
    with Language(find_base(bundle.manifest.base), bundle.path / LORA, threads=threads) as language:
        width = language.width
    cues, untrained = len(bundle.pack.cue), bundle.not_trained()
    found, progress = list[Covered](), Progress("photos looked at", len(photos))
    with Vision(bundle.path / VISION, width, cues, threads=threads) as vision:
        for photo in photos:
            frame = read_frame(folder / photo.image)
            mask = head_mask(bundle.pack, untrained, vision.see(prepare(frame)).cells)
            if mask is None:
                raise UsageError(f"expected a bundle trained for {', '.join(HEAD_CUES)}, got another")
            if _passes(frame):
                found.append(cover(photo.heads, mask))
            progress.step()
    return found


def _passes(frame: Frame) -> bool:
    try:
        check_content(frame)
    except GateError:
        return False
    return True


def strays(folder: Path, photos: Sequence[Photo], judge: Judge) -> list[Strayed]:
    """Of each photo that is judged as it is: what becomes of it blurred."""
    found, progress = list[Strayed](), Progress("photos judged twice", len(photos))
    for photo in photos:
        frame = read_frame(folder / photo.image)
        plain, mask = judge.judge(Inspection(frame, NOTE)), judge.heads(frame)
        if not isinstance(mask, NotKept):
            found.append(stray(plain, judge.judge(Inspection(blurred(frame, mask), NOTE))))
        progress.step()
    return found


def stray(plain: Judgement, covered: Judgement) -> Strayed:
    """How far two judgements of one photo and note are apart."""
    now = {slot.id: slot.probability for slot in covered.slots}
    notes, pictures = list[float](), list[float]()
    for slot in plain.slots:
        other = now.get(slot.id)
        if slot.probability is not None and other is not None:
            own = notes if slot.id.startswith(NOTE_SLOTS) else pictures
            own.append(abs(slot.probability - other))
    refused = covered.verdict is Verdict.CANNOT_JUDGE
    return Strayed(notes, pictures, refused, not refused and covered.verdict is not plain.verdict)


def summary(covered: Sequence[Covered], strayed: Sequence[Strayed]) -> dict[str, int | float | None]:
    """Shares in 0..1, differences of probabilities; None where nothing was measured."""
    shares = np.array([share for one in covered for share in one.shares])
    notes = np.array([apart for one in strayed for apart in one.notes])
    pictures = np.array([apart for one in strayed for apart in one.pictures])
    return {
        "photos": len(covered),
        "heads": len(shares),
        "centre_covered": _mean([centre for one in covered for centre in one.centres]),
        "wholly_covered": _mean(list(shares > WHOLE)),
        "photo_blurred": _mean([one.picture for one in covered]),
        "judged_twice": len(strayed),
        "refused": _mean([one.refused for one in strayed]),
        "other_verdict": _mean([one.other_verdict for one in strayed]),
        "note_slots_median": _quantile(notes, 0.5),
        "note_slots_p99": _quantile(notes, 0.99),
        "note_slots_largest": _quantile(notes, 1.0),
        "picture_slots_median": _quantile(pictures, 0.5),
        "picture_slots_p99": _quantile(pictures, 0.99),
        "picture_slots_largest": _quantile(pictures, 1.0),
    }


def lines(found: Mapping[str, int | float | None]) -> Iterator[str]:
    """The table, a number a line."""
    for name, value in found.items():
        shown = "-" if value is None else f"{value}" if isinstance(value, int) else f"{value:.3f}"
        yield f"{name.replace('_', ' '):24}{shown:>8}"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _quantile(values: NDArray[np.float64], q: float) -> float | None:
    return float(np.quantile(values, q)) if len(values) else None
