"""The reward, the advantage and a step of GRPO: worked out by hand."""

from math import log, sqrt

import pytest
import torch
from yochi_runtime.taxonomy import Pack
from yochi_train.rlaif.assignment import log_probability
from yochi_train.rlaif.grpo import advantages, divergence, rewards, tag_columns

from .rlaif_data import answers, holds, questions

FALL, FIRE, PERSON, LOAD = "note_content:fall", "cue:fire", "cue:person", "combination:load"


def known(pack: Pack, source: str, value: int) -> dict[str, int]:
    """Every risk of a source."""
    return {s.id: value for s in (*pack.cue_slots, *pack.risk_slots) if s.source == source and s.category}


def test_the_reward_by_hand(pack: Pack) -> None:
    """A note that reports a fall before a safe picture; nobody knows of combinations. Stop."""
    asked = questions(pack)
    truth = known(pack, "image_content", 0) | known(pack, "image_text", 0) | {FALL: 1}
    drawn = answers(asked, ((FALL,), 2), ((FALL, FIRE), 2), ((), 2), ((), 0), ((FALL,), 0), ((PERSON,), 1))
    columns = tag_columns(pack, asked)
    made = rewards(drawn, holds(asked, truth), torch.tensor([2]), asked, columns)
    # both tags and stop; the picture's wrong; the note's wrong; that and proceed; "proceed" beside a named
    # fall, whose severity says stop: malformed; a person is no risk, and a caution is no stop
    by_hand = [1.0, (1 / 2 + 1) / 2, (1 / 2 + 1) / 2, (1 / 2 + 0) / 2, 0.0, (1 / 2 + 0) / 2]
    assert made.tolist() == [by_hand]


def test_a_caution_may_be_judged_stop_and_a_safe_pair_may_not(pack: Pack) -> None:
    asked, columns = questions(pack), tag_columns(pack, questions(pack))
    drawn = answers(asked, ((), 0), ((), 1), ((), 2))
    nothing = holds(asked, known(pack, "combination", 0))
    assert rewards(drawn, nothing, torch.tensor([1]), asked, columns).tolist() == [[0.5, 1.0, 1.0]]
    assert rewards(drawn, nothing, torch.tensor([0]), asked, columns).tolist() == [[1.0, 0.5, 0.5]]


def test_what_is_not_known_has_no_reward_and_no_advantage(pack: Pack) -> None:
    asked, columns = questions(pack), tag_columns(pack, questions(pack))
    drawn = answers(asked, ((), 0), ((), 2))
    for truth, verdict in ((holds(asked, {FALL: 1}), -1), (holds(asked, {}), 2)):
        made = rewards(drawn, truth, torch.tensor([verdict]), asked, columns)
        assert bool(made.isnan().all())
        assert advantages(made).tolist() == [[0.0, 0.0]]


def test_advantages_are_relative_to_the_group() -> None:
    """1, 0.5, 0, 0.5: mean 1/2, sample deviation sqrt((1/4 + 1/4) / 3). A group that agrees has none."""
    made = advantages(torch.tensor([[1.0, 0.5, 0.0, 0.5], [0.75] * 4], dtype=torch.float64))
    one = 0.5 / (sqrt(1 / 6) + 1e-4)
    assert made[0].tolist() == pytest.approx([one, 0.0, -one, 0.0])
    assert made[1].tolist() == [0.0] * 4


def test_the_divergence_by_hand(pack: Pack) -> None:
    """One slot said yes with 3/4 instead of 1/2, one verdict 1/2, 1/4, 1/4 instead of a third each."""
    asked = questions(pack)
    slots, verdict = torch.zeros(1, len(asked.ids), 2), torch.zeros(1, 3)
    moved, said = slots.clone(), torch.tensor([[log(2.0), 0.0, 0.0]])
    moved[0, asked.ids.index(FALL), 1] = log(3.0)
    by_hand = 3 / 4 * log(3 / 2) + 1 / 4 * log(1 / 2) + 1 / 2 * log(3 / 2) + 1 / 2 * log(3 / 4)
    found = divergence((moved, said), (slots, verdict), asked)
    assert found.tolist() == pytest.approx([by_hand], rel=1e-5)
    assert divergence((moved, said), (moved, said), asked).tolist() == pytest.approx([0.0], abs=1e-6)


def test_the_gradient_raises_what_the_better_answer_says(pack: Pack) -> None:
    """Yes and no to one slot, at one half each: d mean(A log p) / d logit(yes) = (A1 - A2) / 2 / 2."""
    asked = questions(pack)
    slots, verdict = torch.zeros(1, len(asked.ids), 2, requires_grad=True), torch.zeros(1, 3)
    drawn = answers(asked, ((FALL,), 2), ((), 2))
    advantage = torch.tensor([[1.0, -1.0]])
    gain = (advantage * log_probability(slots, verdict, asked, drawn)).mean()
    gain.backward()  # type: ignore[no-untyped-call]
    assert slots.grad is not None
    column = asked.ids.index(FALL)
    assert slots.grad[0, column].tolist() == pytest.approx([-0.5, 0.5])
    others = [i for i in range(len(asked.ids)) if i != column]
    assert float(slots.grad[0, others].abs().max()) == pytest.approx(0.0, abs=1e-7)
