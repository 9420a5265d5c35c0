"""The readout loss: cross-entropy at the placeholders, unknown slots masked.

Slot logits are over (no, yes); -1 in a target means unknown. Positives are weighted, because a note names one
category of fourteen; the bias this puts on the probabilities is taken out again by calibration (Platt 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

from .processes import ALONE, Processes
from .readout import Logits
from .truth import NOTE_SOURCES

CUE_POSITIVE_WEIGHT, COMBINATION_POSITIVE_WEIGHT, SIGN_POSITIVE_WEIGHT = 2.0, 2.0, 2.0
PART_WEIGHT = {"cues": 0.6, "notes": 2.0, "which": 1.0, "combinations": 3.0, "signs": 1.0, "verdict": 0.8}


@dataclass(frozen=True)
class Targets:
    """`cues` (B, C) and `risks` (N, R) with 1, 0 or -1; `verdict` (N,) 0 proceed, 1 caution, 2 stop or -1."""

    cues: Tensor
    risks: Tensor
    verdict: Tensor


def targets(records: Sequence[Record], first_of_pack: Sequence[Record], pack: Pack) -> Targets:
    order = [v.value for v in JUDGED]
    return Targets(
        torch.tensor([[r.known(s) for s in pack.cue_slots] for r in first_of_pack]),
        torch.tensor([[r.known(s) for s in pack.risk_slots] for r in records]),
        torch.tensor([order.index(r.verdict) if r.verdict else -1 for r in records]),
    )


class Part(NamedTuple):
    """A part's loss summed over what is known, and how much is known: its mean is a quotient of the two."""

    total: Tensor
    known: Tensor

    @property
    def mean(self) -> Tensor:
        return self.total / self.known.clamp(min=1)


def readout_loss(
    logits: Logits, target: Targets, pack: Pack, risk_weight: float, processes: Processes = ALONE
) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum over the parts that have known slots, and each part's mean for the log.

    Of several `processes` each gets its share: all of them together are the loss of everything at once.
    """
    parts = readout_parts(logits, target, pack, risk_weight)
    counts = processes.sum(torch.stack([part.known for part in parts.values()]))
    means = {
        name: Part(part.total, count).mean for (name, part), count in zip(parts.items(), counts, strict=True)
    }
    total = torch.stack([PART_WEIGHT[name] * mean for name, mean in means.items()]).sum()
    told = processes.sum(torch.stack(list(means.values())))
    return total, dict(zip(means, told.tolist(), strict=True))


def readout_parts(logits: Logits, target: Targets, pack: Pack, risk_weight: float) -> dict[str, Part]:
    """The parts by name, on their own."""
    combination = torch.tensor([s.source is Source.COMBINATION for s in pack.risk_slots])
    sign = torch.tensor([s.source is Source.IMAGE_TEXT for s in pack.risk_slots])
    of_note = torch.tensor([s.source in NOTE_SOURCES for s in pack.risk_slots])
    note_target = target.risks[:, of_note]
    verdict = functional.cross_entropy(logits.verdict, target.verdict, ignore_index=-1, reduction="sum")
    return {
        "cues": binary_part(logits.cues, target.cues, CUE_POSITIVE_WEIGHT),
        "notes": binary_part(logits.risks[:, of_note], note_target, risk_weight),
        "which": listwise_part(logits.risks[:, of_note], note_target),
        "combinations": binary_part(
            logits.risks[:, combination], target.risks[:, combination], COMBINATION_POSITIVE_WEIGHT
        ),
        "signs": binary_part(logits.risks[:, sign], target.risks[:, sign], SIGN_POSITIVE_WEIGHT),
        "verdict": Part(verdict, (target.verdict >= 0).sum()),
    }


def binary(logits: Tensor, target: Tensor, positive_weight: float) -> Tensor:
    """Mean over known slots of the two-way cross-entropy; 0 where none is known."""
    return binary_part(logits, target, positive_weight).mean


def binary_part(logits: Tensor, target: Tensor, positive_weight: float) -> Part:
    """The same, not yet divided by how many slots are known."""
    known = target >= 0
    weights = torch.tensor([1.0, positive_weight], dtype=logits.dtype)
    losses = functional.cross_entropy(logits[known], target[known], weight=weights, reduction="sum")
    return Part(losses, known.sum())


def listwise(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the notes of `listwise_part`."""
    return listwise_part(logits, target).mean


def listwise_part(logits: Tensor, target: Tensor) -> Part:
    """Which slot of the note's, or none: cross-entropy of a softmax over the margins and a 0 for "none".

    Beside fourteen categories' separate yes or no, this one says which is *more* true, as ListNet does for
    ranks (Cao et al. 2007), and it is what makes the categories come apart within a few hundred steps.
    Unknown slots stay out of the softmax; several true ones share the mass.
    """
    margins = logits[..., 1] - logits[..., 0]
    margins = margins.masked_fill(target < 0, float("-inf"))
    null = torch.zeros_like(margins[:, :1])
    true = (target == 1).to(margins.dtype)
    none = (true.sum(1, keepdim=True) == 0).to(margins.dtype)
    wanted = torch.cat([true, none], 1)
    logs = torch.cat([margins, null], 1).log_softmax(1).masked_fill(wanted == 0, 0.0)
    losses = -(wanted * logs / wanted.sum(1, keepdim=True)).sum(1)
    return Part(losses.sum(), torch.tensor(len(losses)))
