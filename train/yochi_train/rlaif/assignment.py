"""An answer: yes or no for every judged slot and a word for the verdict slot, drawn from the readout.

The slots are read side by side and none sees another's drawn answer, so an answer's log-probability is the
sum over its slots and the verdict slot, and over the tokens of its explanation where it has one (`telling`).

The verdict slot is drawn like the others, so that feedback reaches it. What would be *shown* follows from the
whole answer by the runtime's rule (`yochi_runtime.verdict`): the highest of the drawn verdict and of the
severity of every slot that was drawn yes. Critics judge what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED, of_severity

from ..calibrate import Trained, judged_slots
from ..readout import Logits


@dataclass(frozen=True, eq=False)
class Questions:
    """The S cue and risk slots in the pack's order.

    `judged` (S,) whether an answer has the slot. `risk` (S,) whether a yes is a risk. `rank` (S,) the
    place in JUDGED of the verdict that a yes alone would give: 0 for neutral cues.
    """

    ids: tuple[str, ...]
    judged: Tensor
    risk: Tensor
    rank: Tensor

    @classmethod
    def of(cls, trained: Trained) -> "Questions":
        """A model without a judged slot has the verdict slot alone."""
        slots = (*trained.pack.cue_slots, *trained.pack.risk_slots)
        return cls(
            tuple(slot.id for slot in slots),
            # Of signs feedback says nothing: half of the records' pictures were never read for words.
            torch.tensor(
                [
                    judged and slot.source is not Source.IMAGE_TEXT
                    for slot, judged in zip(slots, judged_slots(trained), strict=True)
                ]
            ),
            torch.tensor([slot.category is not None for slot in slots]),
            torch.tensor([_rank(trained.pack, slot.category) for slot in slots]),
        )

    @property
    def asked(self) -> int:
        """Slots of an answer, the verdict slot among them."""
        return int(self.judged.sum()) + 1

    def said(self, slots: Tensor) -> tuple[str, ...]:
        """Ids of the slots that are yes in one answer (S,)."""
        return tuple(name for name, yes in zip(self.ids, slots.tolist(), strict=True) if yes)

    def slots(self, said: Sequence[str]) -> Tensor:
        """(S,) bool of ids: the other way round."""
        return torch.tensor([name in said for name in self.ids])


def _rank(pack: Pack, category: str | None) -> int:
    return 0 if category is None else JUDGED.index(of_severity(pack.category_of(category).severity))


@dataclass(frozen=True, eq=False)
class Assignments:
    """K answers to each of N prompts: `slots` (N, K, S) bool, no where not judged; `verdict` (N, K) 0..2."""

    slots: Tensor
    verdict: Tensor

    def shown(self, questions: Questions) -> Tensor:
        """(N, K): the verdict that follows from the whole answer, as a place in JUDGED."""
        return torch.maximum((self.slots * questions.rank).amax(-1), self.verdict)


def of_prompts(logits: Logits, packs: Sequence[Sequence[object]]) -> tuple[Tensor, Tensor]:
    """Slots (N, S, 2) over (no, yes), a picture's cues repeated for its notes, and verdict (N, 3)."""
    owner = torch.tensor([i for i, pack in enumerate(packs) for _ in pack])
    return torch.cat([logits.cues[owner], logits.risks], dim=1), logits.verdict


def draw(
    slots: Tensor,
    verdict: Tensor,
    questions: Questions,
    count: int,
    temperature: float,
    generator: torch.Generator,
) -> Assignments:
    """`count` answers a prompt from the readout of `of_prompts`, its logits divided by `temperature`."""
    yes = torch.sigmoid((slots[..., 1] - slots[..., 0]) / temperature)  # (N, S)
    chance = torch.rand(len(yes), count, yes.shape[1], generator=generator)
    words = torch.multinomial(
        torch.softmax(verdict / temperature, -1), count, replacement=True, generator=generator
    )
    return Assignments((chance < yes[:, None]) & questions.judged, words)


def log_probability(slots: Tensor, verdict: Tensor, questions: Questions, answers: Assignments) -> Tensor:
    """(N, K): sum over the judged slots and the verdict slot, at temperature 1."""
    no_yes = slots.log_softmax(-1)[:, None]  # (N, 1, S, 2)
    of_slots = torch.where(answers.slots, no_yes[..., 1], no_yes[..., 0])  # (N, K, S)
    of_verdict = verdict.log_softmax(-1).gather(1, answers.verdict)
    return (of_slots * questions.judged).sum(-1) + of_verdict
