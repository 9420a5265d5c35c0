"""Answers: drawn as the readout says, as likely as their slots, and shown by the runtime's rule."""

from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_runtime.verdict import JUDGED, highest, of_severity
from yochi_train.rlaif.assignment import Assignments, Questions, draw, log_probability
from yochi_train.rlaif.rounds import seeded

from .rlaif_data import answers, questions, signs

PACK = load_pack()
SLOTS = len(PACK.cue_slots) + len(PACK.risk_slots)


def readout(asked: Questions, **margins: float) -> tuple[torch.Tensor, torch.Tensor]:
    """One prompt with even odds everywhere but for the named columns; verdict odds 1 : 2 : 1."""
    slots = torch.zeros(1, len(asked.ids), 2)
    for name, margin in margins.items():
        slots[0, asked.ids.index(name.replace("__", ":")), 1] = margin
    return slots, torch.tensor([[0.0, log(2), 0.0]])


def test_the_log_probability_by_hand(pack: Pack) -> None:
    """Odds 3 : 1 for one slot, 1 : 1 for the others, half for the verdict; signs are in no answer."""
    asked = questions(pack)
    slots, verdict = readout(asked, cue__fire=log(3))
    found = log_probability(slots, verdict, asked, answers(asked, (("cue:fire",), 1), ((), 0)))
    rest = (SLOTS - len(signs(pack)) - 1) * log(1 / 2)
    assert asked.asked == SLOTS - len(signs(pack)) + 1
    assert found.shape == (1, 2)
    assert found[0].tolist() == pytest.approx(
        [log(3 / 4) + rest + log(1 / 2), log(1 / 4) + rest + log(1 / 4)], rel=1e-5
    )


def test_draws_follow_the_readout(pack: Pack) -> None:
    """4,000 draws: 3/4 within five standard deviations (0.034), the verdict's half within 0.04."""
    asked = questions(pack)
    slots, verdict = readout(asked, cue__fire=log(3))
    made = draw(slots, verdict, asked, 4000, 1.0, seeded("draws"))
    share = made.slots[0].double().mean(0)
    assert float(share[asked.ids.index("cue:fire")]) == pytest.approx(3 / 4, abs=0.034)
    assert float(share[asked.ids.index("cue:person")]) == pytest.approx(1 / 2, abs=0.04)
    assert not bool(made.slots[..., [asked.ids.index(name) for name in signs(pack)]].any())
    assert float((made.verdict == 1).double().mean()) == pytest.approx(1 / 2, abs=0.04)


def test_temperature_flattens_the_draws_and_the_seed_repeats_them(pack: Pack) -> None:
    asked = questions(pack)
    slots, verdict = readout(asked, cue__fire=40.0)
    sharp, flat, again = (draw(slots, verdict, asked, 400, t, seeded("t")) for t in (1.0, 1e6, 1e6))
    column = asked.ids.index("cue:fire")
    assert bool(sharp.slots[..., column].all())
    assert 100 < int(flat.slots[..., column].sum()) < 300
    assert torch.equal(flat.slots, again.slots)
    assert torch.equal(flat.verdict, again.verdict)


@given(st.lists(st.booleans(), min_size=SLOTS, max_size=SLOTS), st.integers(0, 2))
def test_what_is_shown_is_the_runtimes_own_rule(yes: list[bool], drawn: int) -> None:
    asked = questions(PACK)
    made = Assignments(torch.tensor([[yes]]), torch.tensor([[drawn]]))
    slots = (*PACK.cue_slots, *PACK.risk_slots)
    risks = [s.category for s, on in zip(slots, yes, strict=True) if on and s.category]
    expected = highest([JUDGED[drawn], *(of_severity(PACK.category_of(c).severity) for c in risks)])
    assert JUDGED[int(made.shown(asked)[0, 0])] is expected


def test_said_and_slots_are_each_others_inverse(pack: Pack) -> None:
    asked = questions(pack)
    said = ("cue:fire", "note_content:fall")
    assert asked.said(asked.slots(said)) == said
