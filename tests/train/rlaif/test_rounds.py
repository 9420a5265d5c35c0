"""Rounds: learn in the right direction, keep what helps, go back from what does not."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from yochi_runtime.record import Record
from yochi_runtime.verdict import Verdict
from yochi_train.rlaif.assignment import Assignments, log_probability, of_prompts
from yochi_train.rlaif.preference import Answer, Preference
from yochi_train.rlaif.rounds import Rounds, place_of

from .rounds_run import HELPS, HURTS, made, report, run, same, script, weights

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def answer(said: Sequence[str], reference: float) -> Answer:
    return Answer(
        said=tuple(said),
        drawn=Verdict.PROCEED,
        shown=Verdict.PROCEED,
        gs=None,
        os=None,
        score=0.0,
        reference=reference,
    )


def margin_of(of: Rounds, one: Record, slot: str) -> float:
    with torch.no_grad():
        slots, _ = of_prompts(of.policy.read([[one]], of.policy.images([[one]])), [[one]])
    yes, no = slots[0, of.questions.ids.index(slot), 1], slots[0, of.questions.ids.index(slot), 0]
    return float(yes - no)


@pytest.mark.parametrize("slot", ["note_content:fall", "cue:forklift", "combination:load"])
@pytest.mark.parametrize("best_says_yes", [True, False])
def test_a_step_on_a_pair_that_differs_in_one_slot_moves_that_slot(
    data: Path, tmp_path: Path, slot: str, best_says_yes: bool
) -> None:
    """DPO alone, from the reference: every other slot cancels."""
    run_of = made(data, tmp_path, sft_weight=0.0, lora_rate=1e-3)
    one = run_of.records[3]
    with torch.no_grad():
        slots, verdict = of_prompts(run_of.policy.read([[one]], run_of.policy.images([[one]])), [[one]])
    both = [(slot,), ()] if best_says_yes else [(), (slot,)]
    drawn = Assignments(torch.stack([run_of.questions.slots(s) for s in both])[None], torch.tensor([[0, 0]]))
    reference = log_probability(slots, verdict, run_of.questions, drawn)[0].tolist()
    best, worst = (answer(said, r) for said, r in zip(both, reference, strict=True))
    before = margin_of(run_of, one, slot)
    line = run_of.train_step([[Preference(record=3, id=one.id, best=best, worst=worst)]])
    after = margin_of(run_of, one, slot)
    assert (after > before) is best_says_yes
    assert after != before
    assert line["dpo"] == pytest.approx(0.693147, abs=1e-4)


def test_a_run_leaves_what_the_export_needs_and_says_what_it_did(data: Path, tmp_path: Path) -> None:
    said = run(data, tmp_path).splitlines()
    names = {"adapter", "projector.safetensors", "tokenizer.json", "glossary.tsv", "pack.toml"}
    assert {p.name for p in (tmp_path / "model").iterdir()} == names | {"positives.json"}
    found = report(tmp_path)
    assert found["critic"] == "truth"
    assert [one["prompts"] for one in found["rounds"]] == [16, 16]
    for one in found["rounds"]:
        assert one["paired"] + one["close"] + one["unknown"] + one["failed"] == 16
        assert one["score_of_best"] > one["score_of_worst"]
        assert one["verdicts"]["safe_effective"]["of"] == 8
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [(line["round"], line["step"]) for line in lines] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert (tmp_path / "round-02.json").is_file()
    assert said[0].startswith("start: safe and effective ")
    assert said[-1] == f"model: {tmp_path / 'model'}"
    start = load_file(data / "start" / "model" / "projector.safetensors")
    assert same(load_file(tmp_path / "model" / "projector.safetensors"), start)


def test_a_round_that_does_not_help_is_taken_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second round's weights are gone: the model is that of a run with the first round alone."""
    script(monkeypatch, HURTS, HELPS, HURTS)
    said = run(data, tmp_path / "two")
    script(monkeypatch, HURTS, HELPS)
    run(data, tmp_path / "one", rounds=1)
    assert [one["kept"] for one in report(tmp_path / "two")["rounds"]] == [True, False]
    assert same(weights(tmp_path / "two"), weights(tmp_path / "one"))
    assert "round 2: safe and effective 4/9, oversafety 0/9, miss 1/9, taken back" in said


@pytest.mark.parametrize("second", [(5, 1, 1), (8, 0, 2), (4, 0, 1), (4, 0, 0), (3, 0, 1)])
def test_only_more_without_more_oversafety_or_misses_is_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: tuple[int, int, int]
) -> None:
    """More at the price of oversafety, or of a danger let pass; the same; less. The model is the start's."""
    script(monkeypatch, (4, 0, 1), second)
    said = run(data, tmp_path, rounds=1)
    assert report(tmp_path)["rounds"][0]["kept"] is False
    start = load_file(data / "start" / "model" / "adapter" / "adapter_model.safetensors")
    assert same(weights(tmp_path), start)
    assert "no round helped" in said


def test_every_pass_goes_over_everything_in_an_order_of_its_own() -> None:
    passes = [[place_of(i, 20, 3) for i in range(n * 20, n * 20 + 20)] for n in range(2)]
    assert [sorted(p) for p in passes] == [list(range(20))] * 2
    assert passes[0] != passes[1]
