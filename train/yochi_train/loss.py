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

CUE_POSITIVE_WEIGHT, COMBINATION_POSITIVE_WEIGHT = 2.0, 2.0
PART_WEIGHT = {"cues": 0.6, "notes": 4.0, "combinations": 1.0, "verdict": 0.8}


@dataclass(frozen=True)
class Targets:
    """`cues` (B, C) and `risks` (N, R) with 1, 0 or -1; `verdict` (N,) index into proceed, caution, stop or -1."""

    cues: Tensor
    risks: Tensor
    verdict: Tensor


def targets(records: Sequence[Record], first_of_pack: Sequence[Record], pack: Pack) -> Targets:
    order = [v.value for v in JUDGED]
    return Targets(
        torch.tensor([[r.slots.get(s.id, -1) for s in pack.cue_slots] for r in first_of_pack]),
        torch.tensor([[r.slots.get(s.id, -1) for s in pack.risk_slots] for r in records]),
        torch.tensor([order.index(r.verdict) if r.verdict else -1 for r in records]),
    )


def readout_loss(logits: Logits, target: Targets, pack: Pack, risk_weight: float) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum over the parts that have known slots, and each part's mean for the log."""
    combination = torch.tensor([s.source is Source.COMBINATION for s in pack.risk_slots])
    parts = {
        "cues": binary(logits.cues, target.cues, CUE_POSITIVE_WEIGHT),
        "notes": binary(logits.risks[:, ~combination], target.risks[:, ~combination], risk_weight),
        "combinations": binary(
            logits.risks[:, combination], target.risks[:, combination], COMBINATION_POSITIVE_WEIGHT
        ),
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
