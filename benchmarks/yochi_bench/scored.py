"""Records with what a bundle said of them: calibrated probabilities, thresholds, verdicts, in arrays."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.bundle import Bundle
from yochi_runtime.factors import flagged, verdict_of_risks
from yochi_runtime.gates import check_content
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.limits import GateError
from yochi_runtime.reader import SlotLogits
from yochi_runtime.readout import read_out
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Slot, Source
from yochi_runtime.verdict import Verdict

from .answers import Answers
from .intervals import Resamples, linked, resample


@dataclass(frozen=True, eq=False)
class Scored:
    """N records and S slots (cues, risks; without the verdict).

    `probability` (N, S), NaN where a slot is not judged; `threshold` (S,); `truth` (N, S) 1, 0 or -1 unknown;
    `verdicts` as the box would give them.
    """

    records: tuple[Record, ...]
    slots: tuple[Slot, ...]
    probability: NDArray[np.float64]
    threshold: NDArray[np.float64]
    truth: NDArray[np.int8]
    verdicts: tuple[Verdict, ...]

    def columns(self, source: Source) -> list[int]:
        return [i for i, slot in enumerate(self.slots) if slot.source is source]

    def column(self, slot: str) -> int:
        return next(i for i, s in enumerate(self.slots) if s.id == slot)

    def take(self, rows: Sequence[int]) -> "Scored":
        keep = list(rows)
        return replace(
            self,
            records=tuple(self.records[i] for i in keep),
            probability=self.probability[keep],
            truth=self.truth[keep],
            verdicts=tuple(self.verdicts[i] for i in keep),
        )

    def where(self, **wanted: object) -> "Scored":
        """The records whose attributes have these values."""
        return self.take(
            [i for i, r in enumerate(self.records) if all(getattr(r, k) == v for k, v in wanted.items())]
        )

    def flagged(self, columns: Sequence[int]) -> NDArray[np.bool_]:
        """(N,): any of these slots at or above its threshold; a slot that is not judged flags nothing."""
        hits: NDArray[np.bool_] = self.probability[:, columns] >= self.threshold[columns]
        return np.asarray(hits.any(axis=1))

    def highest(self, columns: Sequence[int]) -> NDArray[np.float64]:
        """(N,): the largest probability of these slots; 0 where none of them is judged."""
        highest: NDArray[np.float64] = np.nan_to_num(self.probability[:, columns]).max(axis=1)
        return highest

    def resamples(self, seed: int, count: int) -> Resamples:
        """Bootstrap draws over picture groups and note templates."""
        groups = [r.picture_group for r in self.records]
        return resample(
            {"pictures": groups, "templates": linked([r.templates for r in self.records])},
            seed=seed,
            count=count,
        )


def any_truth(truth: NDArray[np.int8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, k) slot truths -> any of them holds, and where that is known: one holds, or none is open."""
    holds = (truth == 1).any(axis=1)
    return holds, holds | (truth == 0).all(axis=1)


def score(bundle: Bundle, records: Sequence[Record], answers: Answers) -> Scored:
    """Through the runtime's own readout and verdict functions."""
    slots = (*bundle.pack.cue_slots, *bundle.pack.risk_slots)
    probability = np.full((len(records), len(slots)), np.nan)
    verdicts = []
    for i in range(len(records)):
        after = SlotLogits(answers.risks[i], answers.verdict[i])
        readout = read_out(bundle, answers.cues[i], after, signs_read=records[i].sign is not None)
        verdicts.append(verdict_of_risks(bundle, readout, flagged(bundle.pack, readout)))
        for j, result in enumerate(readout.slots[:-1]):
            if result.probability is not None:
                probability[i, j] = result.probability
    threshold = np.array([bundle.calibration.slots[slot.id].threshold for slot in slots])
    truth = np.array([[r.known(slot) for slot in slots] for r in records], dtype=np.int8)
    return Scored(tuple(records), slots, probability, threshold, truth, tuple(verdicts))


def refused(
    records: Sequence[Record], photos: Path, shown: Callable[[Frame], Frame] | None = None
) -> frozenset[str]:
    """The records' images that the box's gates let nobody judge; `shown` as in `Box.answers`."""
    found = set()
    for image in sorted({record.image for record in records}):
        try:
            frame = read_frame(photos / image)
            check_content(frame if shown is None else shown(frame))
        except GateError:
            found.add(image)
    return frozenset(found)


def as_the_box(scored: Scored, languages: Mapping[str, bool], refused: Collection[str]) -> Scored:
    """With `cannot_judge` where the box would refuse the note's language, or the picture.

    Records in a language that is not proved are left out, unless none is: then all show what was reached.
    """
    proved = {lang for lang, passed in languages.items() if passed}
    rows = [i for i, r in enumerate(scored.records) if r.lang in proved] or range(len(scored.records))
    kept = scored.take(rows)
    verdicts = tuple(
        verdict
        if Note(record.note).language in (proved or languages) and record.image not in refused
        else Verdict.CANNOT_JUDGE
        for verdict, record in zip(kept.verdicts, kept.records, strict=True)
    )
    return replace(kept, verdicts=verdicts)
