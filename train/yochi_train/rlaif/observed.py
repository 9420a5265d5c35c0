"""Disentangled self-feedback: the model that the run starts from, frozen, reads picture and note apart.

DREAM's idea (arXiv 2504.18053): a model recognizes more when it looks at one source at a time. Three
readings, each slot from the one where nothing else can colour it:

- picture alone: the cue slots. They stand before the note in the prompt and never see it, in any reading.
- note alone, before a gray picture, as `evaluate` makes its image-blind run: what the note asks or reports.
- both together: combinations and the verdict slot. A combination none of whose cues is in the picture, by the
  first reading, is held not to be there, whatever this one says.

No label of a training record is used. The readings' calibration and thresholds are fitted on the same
validation half as every policy's: without that, weighted positives would make every risk look likely.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from yochi_bench.answers import Answers
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

from ..calibrate import applied, calibrate
from ..policy import Policy
from ..progress import Progress
from ..thresholds import Validation, VerdictTable
from ..truth import NOTE_SOURCES
from .assignment import Assignments, Questions
from .critic import CriticError, Opinions, Scores, score_by
from .held_out import TrainedModel, in_packs


class DisentangledCritic:
    """Made when `policy` holds the frozen weights; reads with them whatever it holds later."""

    def __init__(
        self,
        policy: Policy,
        trained: TrainedModel,
        questions: Questions,
        fit: Sequence[Record],
        doubt: float,
        *,
        apart: bool = True,
    ) -> None:
        """With `apart` False every slot comes from the joint reading: the ablation."""
        self._policy, self._trained, self._questions, self._doubt = policy, trained, questions, doubt
        self._weights, self._apart = policy.lora_weights(), apart
        with torch.no_grad():
            self._gray = policy.model.gray()
        slots = trained.pack.risk_slots
        self._of_note = torch.tensor([slot.source in NOTE_SOURCES for slot in slots])
        self._triggers = _triggers(trained.pack, questions)
        found = calibrate(trained, fit, self._read_all(fit))
        self._calibration, self._thresholds = found.calibration, found.chosen.values

    def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
        return score_by(self.opinions(pack), answers, self._questions)

    def opinions(self, pack: Sequence[Record]) -> Opinions:
        """Of the notes of one picture. CriticError where a reading is no number."""
        data = applied(self._calibration, self._trained, pack, self._read(pack))
        holds = self._holds(data.probability)
        held_off = self._without_trigger(holds) if self._apart else np.zeros(holds.shape, dtype=bool)
        holds[held_off] = 0
        data = replace(data, probability=np.where(held_off, 0.0, data.probability))
        return Opinions(torch.from_numpy(holds), self._verdicts(data))

    def _holds(self, probability: NDArray[np.float64]) -> NDArray[np.int64]:
        """(N, S) 1 from `doubt` above a threshold, 0 from as much below, -1 between and where not judged."""
        threshold = np.array([self._calibration.slots[slot].threshold for slot in self._questions.ids])
        there, absent = probability >= threshold + self._doubt, probability <= threshold - self._doubt
        return np.where(there, 1, np.where(absent, 0, -1))  # a NaN is neither

    def _without_trigger(self, holds: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N, S) True for judged combinations all of whose cues are held not to be in the picture."""
        off = np.zeros(holds.shape, dtype=bool)
        for slot, cues in self._triggers.items():
            off[:, slot] = bool(self._questions.judged[slot]) & (holds[:, cues] == 0).all(axis=1)
        return off

    def _verdicts(self, data: Validation) -> Tensor:
        """(N,): the box's rule over what the readings say."""
        words = [word.value for word in JUDGED]
        said = VerdictTable(data).verdicts(self._thresholds)
        return torch.tensor([words.index(word) for word in said])

    def _read_all(self, records: Sequence[Record]) -> Answers:
        packs, read = in_packs(records), list[Answers]()
        progress = Progress("the critic's thresholds, pictures", len(packs))
        for pack in packs:
            read.append(self._read(pack))
            progress.step()
        return Answers(
            *(np.concatenate([getattr(part, name) for part in read]) for name in ("cues", "risks", "verdict"))
        )

    def _read(self, pack: Sequence[Record]) -> Answers:
        """Every slot from its own reading."""
        policy = self._policy
        with torch.no_grad(), policy.holding(self._weights):
            both = policy.read([pack], policy.images([pack]))
            alone = [record.model_copy(update={"sign": None}) for record in pack]
            note = policy.read([alone], self._gray) if self._apart else both
        risks = torch.where(self._of_note[:, None], note.risks, both.risks)
        parts = (both.cues.expand(len(pack), -1, -1), risks, both.verdict)
        if not all(bool(torch.isfinite(part).all()) for part in parts):
            raise CriticError(f"expected finite answers of the critic to {pack[0].id}, got others")
        return Answers(*(part.numpy() for part in parts))


def _triggers(pack: Pack, questions: Questions) -> dict[int, list[int]]:
    """Columns of each combination's cues by its own column."""
    column = {slot: i for i, slot in enumerate(questions.ids)}
    return {
        column[f"{Source.COMBINATION}:{pair.category}"]: [column[f"cue:{cue}"] for cue in pair.cues]
        for pair in pack.combination
    }
