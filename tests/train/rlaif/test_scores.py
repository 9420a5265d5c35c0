"""GS, OS, what is made of both, and the pairs: worked out by hand."""

import math
from pathlib import Path

import pytest
import torch
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict
from yochi_train.rlaif.assignment import Questions
from yochi_train.rlaif.critic import CriticError, Opinions, Scores, TruthCritic, check_scores, score_by
from yochi_train.rlaif.preference import (
    Preferences,
    Tally,
    as_assignments,
    combine,
    observation_share,
    pair_up,
)

from ..made import record
from .rlaif_data import answers, holds, questions

FALL, FIRE, PERSON = "note_content:fall", "cue:fire", "cue:person"  # S2 risk, S2 risk cue, neutral cue
LOAD = "note_content:load"


def test_gs_by_hand(pack: Pack) -> None:
    """A note that reports a fall: stop. Avoided 0, 2 or 7, and 3 where the fall is named."""
    asked = questions(pack)
    drawn = answers(asked, ((FALL,), 0), ((), 2), ((), 1), ((), 0), ((LOAD,), 2))
    said = score_by(Opinions(holds(asked, {FALL: 1}), torch.tensor([2])), drawn, asked)
    # named and, by its severity, shown as stop; stopped without a name; caution; proceed; another risk's name
    assert said.gs.tolist() == [[10.0, 7.0, 2.0, 0.0, 7.0]]


def test_gs_of_a_safe_pair_and_of_a_caution(pack: Pack) -> None:
    asked = questions(pack)
    drawn = answers(asked, ((PERSON,), 0), ((), 1), ((), 2), ((FALL,), 0))
    safe = score_by(Opinions(holds(asked, {}), torch.tensor([0])), drawn, asked)
    # proceed and silent; caution without a name; stop without a name; a false alarm by name
    assert safe.gs.tolist() == [[10.0, 6.0, 3.0, 0.0]]
    caution = score_by(Opinions(holds(asked, {}), torch.tensor([1])), drawn, asked)
    # no risk is held to be there: nothing to be named, 3 for all
    assert caution.gs.tolist() == [[3.0, 10.0, 8.0, 8.0]]


def test_what_is_not_known_has_no_score(pack: Pack) -> None:
    asked = questions(pack)
    drawn = answers(asked, ((FALL,), 0), ((), 0))
    said = score_by(Opinions(holds(asked, {FALL: 1}), torch.tensor([-1])), drawn, asked)
    assert bool(said.gs.isnan().all())
    column = asked.ids.index(FALL)
    assert said.os[0, :, column].tolist() == [1, 0]
    assert int((said.os >= 0).sum()) == 2  # of two answers, one observation each
    assert bool(combine(said, 0.5).isnan().all())
    assert combine(said, 0.0).tolist() == [[1.0, 0.0]]


def test_os_by_hand(pack: Pack) -> None:
    """Two observations that hold and four that do not: a half of each, apart."""
    asked = questions(pack)
    known = {FALL: 1, FIRE: 1, PERSON: 0, LOAD: 0, "cue:smoke": 0, "cue:forklift": 0}
    everything = tuple(asked.ids)
    drawn = answers(
        asked, ((FALL, FIRE), 2), ((FALL,), 2), ((FALL, FIRE, PERSON), 2), (everything, 2), ((), 0)
    )
    said = score_by(Opinions(holds(asked, known), torch.tensor([2])), drawn, asked)
    assert observation_share(said).tolist() == [[1.0, (1 / 2 + 1) / 2, (1 + 3 / 4) / 2, 1 / 2, 1 / 2]]
    # GS 10, 10, 10, 10, 0
    assert combine(said, 0.5)[0].tolist() == pytest.approx([1.0, 0.875, 0.9375, 0.75, 0.25])
    assert combine(said, 1.0)[0].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_os_of_one_kind_of_observation_is_that_kinds_share(pack: Pack) -> None:
    asked = questions(pack)
    drawn = answers(asked, ((), 0), ((PERSON,), 0))
    said = score_by(Opinions(holds(asked, {PERSON: 0, FALL: 0}), torch.tensor([0])), drawn, asked)
    assert observation_share(said).tolist() == [[1.0, 1 / 2]]
    none = score_by(Opinions(holds(asked, {}), torch.tensor([0])), drawn, asked)
    assert bool(observation_share(none).isnan().all())


def test_truth_is_what_the_record_knows(pack: Pack) -> None:
    asked = questions(pack)
    known = record("a", {FALL: 1, PERSON: 0}, verdict="stop")
    said = TruthCritic(asked).score([known], answers(asked, ((FALL,), 0), ((PERSON,), 0)))
    assert said.gs.tolist() == [[10.0, 0.0]]
    assert int((said.holds >= 0).sum()) == 2
    assert bool(TruthCritic(asked).score([record("b")], answers(asked, ((), 0))).gs.isnan().all())


def paired(asked: Questions, gs: list[float], margin: float) -> Preferences:
    """Four answers to one prompt: nothing, a person, a fire, both."""
    drawn = answers(asked, ((), 0), ((PERSON,), 1), ((FIRE,), 1), ((PERSON, FIRE), 2))
    none = torch.full((1, 4, len(asked.ids)), -1)
    scores = Scores(torch.tensor([gs], dtype=torch.float64), none, none[:, 0])
    reference = torch.tensor([[-1.0, -2.0, -3.0, -4.0]])
    return pair_up([7], ["r"], drawn, scores, reference, asked, 1.0, margin)


def test_the_best_is_paired_with_the_worst(pack: Pack) -> None:
    asked = questions(pack)
    made = paired(asked, [4.0, 2.0, 9.0, 9.0], 0.7)
    (pair,) = made.pairs
    assert (pair.record, pair.id) == (7, "r")
    assert (pair.best.said, pair.best.gs, pair.best.score, pair.best.reference) == ((FIRE,), 9.0, 0.9, -3.0)
    assert (pair.best.drawn, pair.best.shown) == (Verdict.CAUTION, Verdict.STOP)
    assert (pair.worst.said, pair.worst.gs, pair.worst.os) == ((PERSON,), 2.0, None)
    assert made.tally == Tally(prompts=1, paired=1)


@pytest.mark.parametrize(
    ("gs", "margin", "tally"),
    [
        ([4.0, 2.0, 9.0, 9.0], 0.71, Tally(prompts=1, close=1)),
        ([5.0] * 4, 0.01, Tally(prompts=1, close=1)),
        ([math.nan] * 4, 0.01, Tally(prompts=1, unknown=1)),
        ([5.0, 9.0, math.nan, 1.0], 0.01, Tally(prompts=1, unknown=1)),
    ],
)
def test_a_prompt_without_a_pair_is_counted(pack: Pack, gs: list[float], margin: float, tally: Tally) -> None:
    made = paired(questions(pack), gs, margin)
    assert made == Preferences(tally=tally)


def test_pairs_come_back_from_the_file_as_they_were(pack: Pack, tmp_path: Path) -> None:
    asked = questions(pack)
    made = paired(asked, [1 / 3, 2.0, 9.0, 9.0], 0.1)
    made.save(tmp_path / "round-01.json")
    assert Preferences.load(tmp_path / "round-01.json") == made
    assert [p.name for p in tmp_path.iterdir()] == ["round-01.json"]
    both, reference = as_assignments(made.pairs, asked)
    assert [asked.said(slots) for slots in both.slots[0]] == [(FIRE,), ()]
    assert both.verdict.tolist() == [[1, 0]]
    assert reference.tolist() == [[-3.0, -1.0]]


def test_tallies_add_up() -> None:
    one, other = Tally(prompts=8, paired=5, close=3), Tally(prompts=8, failed=8)
    assert one + other == Tally(prompts=16, paired=5, close=3, failed=8)
    assert (one + other).words() == (
        "16 prompts: 3 with answers closer than the margin, 0 that the critic does not know, "
        "8 on which it failed"
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: Scores(s.gs + 10.5, s.os, s.holds), "expected GS of 0 to 10, got 10.5 to 10.5"),
        (lambda s: Scores(s.gs - math.inf, s.os, s.holds), "expected GS of 0 to 10, got -inf"),
        (lambda s: Scores(s.gs[:, :1], s.os, s.holds), "expected scores of 2 answers to 1 prompts"),
        (lambda s: Scores(s.gs, s.os * 2, s.holds), "expected OS of 1, 0 or -1"),
        (lambda s: Scores(s.gs, s.os, s.holds * 0), "expected OS where there is an observation"),
    ],
)
def test_rubbish_is_noticed(pack: Pack, spoil: object, said: str) -> None:
    asked = questions(pack)
    drawn = answers(asked, ((FALL,), 0), ((PERSON, LOAD), 1))
    good = score_by(Opinions(holds(asked, {FALL: 1}), torch.tensor([0])), drawn, asked)
    assert check_scores(good, drawn) is good
    assert callable(spoil)
    with pytest.raises(CriticError, match=said):
        check_scores(spoil(good), drawn)
