"""Group-relative policy optimization (Shao et al., arXiv 2402.03300) with a reward that the records verify.

reward = format x (tag / 2 + behaviour / 2), as in SafeGRPO (Rong et al., arXiv 2511.12982). Ours, each 0..1:

- format: 1 where the drawn verdict is what follows from the whole answer; a "proceed" beside a named risk is
  no answer.
- tag: share of the known ones of picture, note and both together that are rightly said to be risky or not.
- behaviour: 1 where the verdict is safe and effective, by the design's section 4.

We depart from GRPO in two things: a draw is used for one step, so that the probability ratio is 1 and is
never clipped; and the divergence from the reference is exact, over every slot, not estimated from the draws.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

from ..truth import NOTE_SOURCES
from .assignment import Assignments, Questions, draw, log_probability, of_prompts
from .rounds import Rounds, seeded

TAGS = ((Source.IMAGE_CONTENT, Source.IMAGE_TEXT), NOTE_SOURCES, (Source.COMBINATION,))
EVEN = 1e-4  # added to the deviation: a group whose rewards are all alike has no advantage


def rewards(
    answers: Assignments, holds: Tensor, verdict: Tensor, questions: Questions, tags: Tensor
) -> Tensor:
    """(N, K) 0..1, float64; NaN where the verdict or every tag is unknown.

    `holds` (N, S) 1, 0 or -1 and `verdict` (N,) 0, 1, 2 or -1 are the truth; `tags` from `tag_columns`.
    """
    shown = answers.shown(questions)
    well_formed = (answers.verdict == shown).double()
    right, known = [], []
    for columns in tags:
        of = torch.where(columns, holds, 0)
        unsafe = (of == 1).any(-1)
        open_ = ((of < 0) & questions.judged).any(-1)  # what nobody is asked leaves nothing open
        said = (answers.slots & columns).any(-1)
        right.append((said == unsafe[:, None]).double())
        known.append((unsafe | ~open_)[:, None].double().expand_as(said))
    weight = torch.stack(known)
    tag = (torch.stack(right) * weight).sum(0) / weight.sum(0)  # NaN of nothing
    wanted = verdict[:, None]
    effective = torch.where(wanted == 0, shown == 0, shown >= wanted).double()
    reward = well_formed * (tag + effective) / 2
    return reward.masked_fill(tag.isnan() | (wanted < 0), float("nan"))


def tag_columns(pack: Pack, questions: Questions) -> Tensor:
    """(3, S): the risks of picture, note and both together."""
    slots = (*pack.cue_slots, *pack.risk_slots)
    rows = [[slot.source in sources for slot in slots] for sources in TAGS]
    return torch.tensor(rows) & questions.risk


def advantages(reward: Tensor) -> Tensor:
    """(N, K): (reward - the group's mean) / (its sample deviation + EVEN); 0 where the reward is unknown."""
    centred = reward - reward.mean(-1, keepdim=True)
    return (centred / (reward.std(-1, keepdim=True) + EVEN)).nan_to_num(0.0)


def divergence(
    policy: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor], questions: Questions
) -> Tensor:
    """(N,): KL(policy | reference) of a whole answer, the sum over its judged slots and the verdict slot."""
    parts = []
    for ours, theirs in zip(policy, reference, strict=True):
        log = ours.log_softmax(-1)
        parts.append((log.exp() * (log - theirs.log_softmax(-1))).sum(-1))
    slots, verdict = parts
    return (slots * questions.judged).sum(-1) + verdict


def group_step(rounds: Rounds, packs: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """Draw, reward, and one step; the reference is the policy that the round began with."""
    policy, questions, s = rounds.policy, rounds.questions, rounds.settings
    records = [record for pack in packs for record in pack]
    with torch.no_grad():
        images = policy.images(packs)
        with policy.holding(rounds.kept):
            reference = of_prompts(policy.read(packs, images), packs)
    read = of_prompts(policy.read(packs, images), packs)
    generator = seeded(s.seed, "group", rounds.round, rounds.step)
    drawn = draw(read[0].detach(), read[1].detach(), questions, s.answers, s.temperature, generator)
    reward = rewards(drawn, *_truth(records, questions), questions, tag_columns(policy.pack, questions))
    advantage = advantages(reward).to(read[0].dtype)
    gain = (advantage * log_probability(*read, questions, drawn)).mean() / questions.asked
    moved = divergence(read, reference, questions).mean() / questions.asked
    known = ~reward.isnan()
    line = rounds.descend(
        s.kl_weight * moved - gain,
        kl=float(moved.detach()),
        unlike=float((advantage != 0).any(-1).double().mean()),
    )
    mean = float(reward[known].mean()) if bool(known.any()) else None
    return {**line, "reward": mean, "unknown": int((~known).any(-1).sum())}


def _truth(records: Sequence[Record], questions: Questions) -> tuple[Tensor, Tensor]:
    words = [word.value for word in JUDGED]
    holds = [[record.slots.get(slot, -1) for slot in questions.ids] for record in records]
    verdict = [words.index(record.verdict) if record.verdict else -1 for record in records]
    return torch.tensor(holds), torch.tensor(verdict)
