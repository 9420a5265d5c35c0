"""The readout loss: cross-entropy at the placeholders, unknown slots masked.

Slot logits are over (no, yes); -1 in a target means unknown. Positives are weighted, because a note names one
category of fourteen; the bias this puts on the probabilities is taken out again by calibration (Platt 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

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


def readout_loss(
    logits: Logits, target: Targets, pack: Pack, risk_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum over the parts that have known slots, and each part's mean for the log."""
    combination = torch.tensor([s.source is Source.COMBINATION for s in pack.risk_slots])
    sign = torch.tensor([s.source is Source.IMAGE_TEXT for s in pack.risk_slots])
    of_note = torch.tensor([s.source in NOTE_SOURCES for s in pack.risk_slots])
    note_target = target.risks[:, of_note]
    parts = {
        "cues": binary(logits.cues, target.cues, CUE_POSITIVE_WEIGHT),
        "notes": binary(logits.risks[:, of_note], note_target, risk_weight),
        "which": listwise(logits.risks[:, of_note], note_target),
        "combinations": binary(
            logits.risks[:, combination], target.risks[:, combination], COMBINATION_POSITIVE_WEIGHT
        ),
        "signs": binary(logits.risks[:, sign], target.risks[:, sign], SIGN_POSITIVE_WEIGHT),
        "verdict": functional.cross_entropy(logits.verdict, target.verdict, ignore_index=-1, reduction="sum")
        / (target.verdict >= 0).sum().clamp(min=1),
    }
    total = torch.stack([PART_WEIGHT[name] * part for name, part in parts.items()]).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def binary(logits: Tensor, target: Tensor, positive_weight: float) -> Tensor:
    """Mean over known slots of the two-way cross-entropy; 0 where none is known."""
    known = target >= 0
    weights = torch.tensor([1.0, positive_weight], dtype=logits.dtype)
    losses = functional.cross_entropy(logits[known], target[known], weight=weights, reduction="sum")
    return losses / known.sum().clamp(min=1)


def listwise(logits: Tensor, target: Tensor) -> Tensor:
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
    return -(wanted * logs / wanted.sum(1, keepdim=True)).sum(1).mean()
