"""Rounds whose steps learn from records, not from pairs: the reward that they verify, or their truth itself.

Draws of records, steps, evaluation and the rule by which a round is kept are those of the rounds with pairs,
so that arms differ in what a step learns and in nothing else.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from yochi_runtime.record import Record

from ..loss import readout_loss, targets
from ..records import PACK_NOTES
from ..settings import RISK_POSITIVE_WEIGHT
from .rounds import Rounds, place_of


class Lesson(Protocol):
    """One step of `rounds` on some packs of records; its line of the log."""

    def __call__(self, rounds: Rounds, packs: Sequence[Sequence[Record]]) -> dict[str, Any]: ...


class LessonRounds(Rounds):
    """A round walks over the packs that a round with pairs would draw from."""

    def __init__(self, lesson: Lesson, *rounds: Any) -> None:
        super().__init__(*rounds)
        self._lesson = lesson

    def _play(self) -> None:
        count = self.settings.prompts // PACK_NOTES
        whole = len(self.records) // PACK_NOTES
        first = self.round * count
        places = [place_of(i, whole, self.settings.seed) for i in range(first, first + count)]
        self._walk(count, lambda chosen: self.learn([places[i] for i in chosen]))
        self._decide({"prompts": count * PACK_NOTES})

    def learn(self, places: Sequence[int]) -> dict[str, Any]:
        """One step on the packs at `places`; its line of the log."""
        firsts = [place * PACK_NOTES for place in places]
        return self._lesson(self, [self.records[first : first + PACK_NOTES] for first in firsts])


def supervised_step(rounds: Rounds, packs: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """What supervised fine-tuning would do with as many steps: the arm that feedback has to beat."""
    policy = rounds.policy
    with torch.no_grad():
        images = policy.images(packs)
    logits = policy.read(packs, images)
    target = targets([r for pack in packs for r in pack], [pack[0] for pack in packs], policy.pack)
    loss, parts = readout_loss(logits, target, policy.pack, RISK_POSITIVE_WEIGHT)
    return rounds.descend(loss, **parts)
