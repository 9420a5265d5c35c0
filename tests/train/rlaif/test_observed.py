"""The disentangled critic: each slot from a reading where nothing else can colour it, weights frozen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from yochi_bench.answers import Answers
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_train.nano.slots import NanoSlots
from yochi_train.rlaif.critic import CriticError
from yochi_train.rlaif.observed import DisentangledCritic
from yochi_train.rlaif.rounds import Rounds
from yochi_train.rlaif.run import improve, prepare
from yochi_train.truth import NOTE_SOURCES

from ..made import record, tiny_nano, tiny_slots
from .rlaif_data import settings_of

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Rounds:
    return prepare(settings_of(data, critic="disentangled"), tiny_slots(), tmp_path)


def critic_of(of: Rounds) -> DisentangledCritic:
    assert isinstance(of.critic, DisentangledCritic)
    return of.critic


def on(of: Rounds, picture: int, text: str) -> Record:
    """A note on one of the pictures."""
    assert isinstance(of.policy.model, NanoSlots)
    return record("r", image=of.policy.model.features.images[picture], text=text)


def test_each_slot_has_its_own_reading(made: Rounds, pack: Pack) -> None:
    """Notes' slots change with the note alone, cues with the picture, combinations and verdict with both."""
    read = critic_of(made)._read
    here = read([on(made, 0, "Note")])
    elsewhere, other = read([on(made, 1, "Note")]), read([on(made, 0, "Fall")])
    note = np.array([slot.source in NOTE_SOURCES for slot in pack.risk_slots])
    combination = np.array([slot.source is Source.COMBINATION for slot in pack.risk_slots])
    np.testing.assert_array_equal(here.risks[:, note], elsewhere.risks[:, note])
    np.testing.assert_array_equal(here.cues, other.cues)
    for changed in (elsewhere, other):
        assert (here.risks[:, combination] != changed.risks[:, combination]).any()
        assert (here.verdict != changed.verdict).any()
    assert (here.risks[:, note] != other.risks[:, note]).any()
    assert (here.cues != elsewhere.cues).any()


def test_without_disentangling_every_slot_is_of_the_joint_reading(data: Path, tmp_path: Path) -> None:
    joint = prepare(settings_of(data, critic="joint"), tiny_slots(), tmp_path)
    one = on(joint, 0, "Fall")
    with torch.no_grad():
        both = joint.policy.read([[one]], joint.policy.images([[one]]))
    read = critic_of(joint)._read([one])
    np.testing.assert_array_equal(read.risks, both.risks.numpy())
    np.testing.assert_array_equal(read.cues, both.cues.numpy())
    assert bool((critic_of(joint).opinions([one]).verdict >= 0).all())


def test_the_critic_stays_what_it_was_while_the_policy_learns(made: Rounds) -> None:
    critic, one = critic_of(made), on(made, 0, "Note")
    before = critic._read([one])
    with torch.no_grad():
        for value in made.policy.lora:
            value.add_(0.1)
    learned = made.policy.lora_weights()
    after = critic._read([one])
    np.testing.assert_array_equal(before.risks, after.risks)
    np.testing.assert_array_equal(before.cues, after.cues)
    assert all(torch.equal(a, b) for a, b in zip(learned, made.policy.lora_weights(), strict=True))


def scripted(
    critic: DisentangledCritic, pack: Pack, monkeypatch: pytest.MonkeyPatch, **margins: float
) -> None:
    """The readings say no everywhere, with great certainty, but for these; "__" stands for ":"."""
    monkeypatch.setattr(critic, "_calibration", plain(critic))
    monkeypatch.setattr(critic, "_thresholds", {**critic._thresholds, **dict.fromkeys(SOURCES, 0.5)})
    slots = [slot.id for slot in (*pack.cue_slots, *pack.risk_slots)]
    both = np.zeros((1, len(slots), 2), np.float32)
    both[..., 1] = -20.0
    for name, margin in margins.items():
        both[0, slots.index(name.replace("__", ":")), 1] = margin
    cues = len(pack.cue_slots)
    verdict = np.array([[20.0, 0.0, 0.0]], np.float32)
    answers = Answers(both[:, :cues], both[:, cues:], verdict)
    monkeypatch.setattr(critic, "_read", lambda _: answers)


SOURCES = (
    "image_content",
    "note_instruction",
    "note_content",
    "combination",
    "verdict:caution",
    "verdict:stop",
)


def plain(critic: DisentangledCritic) -> Any:
    """Its calibration without effect, and every threshold a half."""
    own = critic._calibration
    entry = next(iter(own.slots.values())).model_copy(
        update={"temperature": 1.0, "bias": 0.0, "threshold": 0.5}
    )
    verdict = own.verdict.model_copy(update={"temperature": 1.0})
    return own.model_copy(update={"slots": dict.fromkeys(own.slots, entry), "verdict": verdict})


def test_what_is_near_its_threshold_is_not_observed(
    made: Rounds, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """doubt 0.1: sigmoid(0.3) = 0.574 is no observation, sigmoid(0.5) = 0.622 is one, sigmoid(-0.5) too."""
    critic = critic_of(made)
    near = {"note_content__fall": 0.3, "note_content__load": 0.5, "cue__person": -0.5, "cue__fire": -0.3}
    scripted(critic, pack, monkeypatch, **near)
    said = critic.opinions([on(made, 0, "Note")]).holds[0]
    found = {name: int(said[made.questions.ids.index(name.replace("__", ":"))]) for name in near}
    assert found == {"note_content__fall": -1, "note_content__load": 1, "cue__person": 0, "cue__fire": -1}


@pytest.mark.parametrize(
    ("cue", "holds", "verdict"),
    [(-20.0, 0, 0), (0.0, 1, 2), (20.0, 1, 2)],
    ids=["no cue is there", "a cue may be there", "a cue is there"],
)
def test_a_combination_needs_a_cue_in_the_picture(
    made: Rounds, pack: Pack, monkeypatch: pytest.MonkeyPatch, cue: float, holds: int, verdict: int
) -> None:
    critic = critic_of(made)
    pair = next(p for p in pack.combination if pack.category_of(p.category).severity == "S2")
    neutral = next(c.id for c in pack.cue if c.id in pair.cues and c.risk is None)
    given = {f"combination__{pair.category}": 20.0, f"cue__{neutral}": cue}
    scripted(critic, pack, monkeypatch, **given)
    said = critic.opinions([on(made, 0, "Note")])
    assert int(said.holds[0, made.questions.ids.index(f"combination:{pair.category}")]) == holds
    assert int(said.verdict[0]) == verdict


def test_no_label_of_a_training_record_is_used(made: Rounds) -> None:
    known = on(made, 0, "Note")
    told = known.model_copy(update={"slots": {"note_content:fall": 1}, "verdict": "stop"})
    one, other = (critic_of(made).opinions([r]) for r in (known, told))
    assert torch.equal(one.holds, other.holds)
    assert torch.equal(one.verdict, other.verdict)


def test_a_reading_that_is_no_number_is_the_critics_failure(made: Rounds) -> None:
    critic = critic_of(made)
    critic._weights[0].fill_(float("nan"))
    with pytest.raises(CriticError, match="expected finite answers of the critic to r, got others"):
        critic.opinions([on(made, 0, "Note")])


def test_a_start_that_answers_no_numbers_is_told(data: Path, tmp_path: Path) -> None:
    model, processor = tiny_nano()
    with torch.no_grad():
        model.language.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"expected finite answers of the critic .* start from another run"):
        prepare(settings_of(data, critic="disentangled"), NanoSlots(model, processor), tmp_path)


def test_a_whole_round_of_self_feedback(data: Path, tmp_path: Path) -> None:
    said = improve(settings_of(data, critic="disentangled", rounds=1), tiny_slots(), tmp_path)
    assert said.splitlines()[1].startswith("round 1: safe and effective ")
    assert (tmp_path / "model" / "projector.safetensors").is_file()
