"""Rounds: learn in the right direction, keep what helps, go back from what does not, survive being killed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict
from yochi_train.records import read_records, write_records
from yochi_train.rlaif import rounds
from yochi_train.rlaif.assignment import Assignments, Questions, log_probability, of_prompts
from yochi_train.rlaif.critic import CriticError, Scores, TruthCritic
from yochi_train.rlaif.held_out import HeldOut, Outcome
from yochi_train.rlaif.preference import Answer, Preference
from yochi_train.rlaif.rounds import Rounds, place_of
from yochi_train.rlaif.run import improve, prepare

from ..made import record, tiny_slots
from .rlaif_data import STEPS, settings_of, write_rlaif_data

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
HELPS, HURTS = (5, 0, 1), (4, 0, 1)  # safe and effective, oversafe, missed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    return write_rlaif_data(tmp_path_factory.mktemp("rlaif"), pack)


def run(data: Path, out: Path, **changes: Any) -> str:
    return improve(settings_of(data, **changes), tiny_slots(), out)


def made(data: Path, out: Path, **changes: Any) -> Rounds:
    return prepare(settings_of(data, **changes), tiny_slots(), out)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "adapter" / "adapter_model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found


def outcome(counts: tuple[int, int, int]) -> Outcome:
    names = ("safe_effective", "oversafety", "miss")
    return Outcome(
        {name: {"value": None, "hits": hits, "of": 9} for name, hits in zip(names, counts, strict=True)},
        {},
    )


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the evaluations find, the start's first."""

    def arm(*counts: tuple[int, int, int]) -> None:
        left = [outcome(c) for c in counts]
        monkeypatch.setattr(rounds, "evaluate", lambda *_: left.pop(0))

    return arm


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
    data: Path, tmp_path: Path, scripted: Callable[..., None]
) -> None:
    """The second round's weights are gone: the model is that of a run with the first round alone."""
    scripted(HURTS, HELPS, HURTS)
    said = run(data, tmp_path / "two")
    scripted(HURTS, HELPS)
    run(data, tmp_path / "one", rounds=1)
    assert [one["kept"] for one in report(tmp_path / "two")["rounds"]] == [True, False]
    assert same(weights(tmp_path / "two"), weights(tmp_path / "one"))
    assert "round 2: safe and effective 4/9, oversafety 0/9, miss 1/9, taken back" in said


@pytest.mark.parametrize("second", [(5, 1, 1), (8, 0, 2), (4, 0, 1), (4, 0, 0), (3, 0, 1)])
def test_only_more_without_more_oversafety_or_misses_is_kept(
    data: Path, tmp_path: Path, scripted: Callable[..., None], second: tuple[int, int, int]
) -> None:
    """More at the price of oversafety, or of a danger let pass; the same; less. The model is the start's."""
    scripted((4, 0, 1), second)
    said = run(data, tmp_path, rounds=1)
    assert report(tmp_path)["rounds"][0]["kept"] is False
    start = load_file(data / "start" / "model" / "adapter" / "adapter_model.safetensors")
    assert same(weights(tmp_path), start)
    assert "no round helped" in said


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an evaluation that finds every round better, so that all of its steps are in the weights."""
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        always_better(patch)
        run(data, out)
    return out


def always_better(patch: pytest.MonkeyPatch) -> None:
    def evaluate(policy: Any, *_: object) -> Outcome:
        moved = sum(float(p.detach().abs().sum()) for p in policy.lora)
        return Outcome({**outcome((5, 0, 1)).verdicts, "seen": {"value": moved, "hits": 0, "of": 0}}, {})

    patch.setattr(rounds, "evaluate", evaluate)
    patch.setattr(Outcome, "better_than", lambda *_: True)


@pytest.mark.parametrize(
    ("method", "call", "every"),
    [
        ("train_step", 2, 1),  # inside the first round, from a checkpoint inside it
        ("train_step", 2, 50),  # the same, from the round's beginning and its pairs on disk
        ("pairs_of", 3, 1),  # while the second round draws
        ("_decide", 2, 1),  # after the second round's last step
    ],
)
def test_a_killed_run_reaches_the_same_weights(
    data: Path, undisturbed: Path, tmp_path: Path, method: str, call: int, every: int
) -> None:
    whole = getattr(Rounds, method)
    calls: list[None] = []

    def killed(self: Rounds, *given: Any) -> Any:
        calls.append(None)
        if len(calls) == call:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write('{"round": ')
            raise KeyboardInterrupt
        return whole(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        always_better(patch)
        patch.setattr(Rounds, method, killed)
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path, checkpoint_every=every)
        assert not (tmp_path / "model").exists()
        patch.setattr(Rounds, method, whole)
        run(data, tmp_path, checkpoint_every=every)
    assert same(weights(tmp_path), weights(undisturbed))
    for name in ("log.jsonl", "report.json", "round-01.json", "round-02.json"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_finished_run_is_not_trained_again(data: Path, undisturbed: Path) -> None:
    before, log = weights(undisturbed), (undisturbed / "log.jsonl").read_bytes()
    run(data, undisturbed)  # nothing is evaluated either, or the report would differ
    assert same(before, weights(undisturbed))
    assert (undisturbed / "log.jsonl").read_bytes() == log
    assert len(log.splitlines()) == 2 * STEPS


def test_a_folder_with_another_run_is_refused(data: Path, undisturbed: Path) -> None:
    with pytest.raises(UsageError, match="it holds another; choose a new folder"):
        run(data, undisturbed, beta=0.3)


class Failing(TruthCritic):
    """Fails on every second pack, or on all."""

    def __init__(self, questions: Questions, every: int) -> None:
        super().__init__(questions)
        self._every, self._calls = every, 0

    def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
        self._calls += 1
        if self._calls % self._every == 0:
            raise CriticError("timed out")
        return super().score(pack, answers)


def test_a_critic_that_fails_is_skipped_and_counted(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path)
    run_of.critic = Failing(run_of.questions, 2)
    run_of.run()
    assert [one["failed"] for one in run_of.report["rounds"]] == [8, 8]


def test_without_any_preference_the_run_ends_with_the_counts(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path)
    run_of.critic = Failing(run_of.questions, 1)
    with pytest.raises(
        UsageError, match=r"round 1 has no preferences, of 16 prompts: .* 16 on which it failed"
    ):
        run_of.run()
    with pytest.raises(UsageError, match=r"closer than the margin.*; draw more answers, or lower margin"):
        run(data, tmp_path / "margin", margin=1.0)


def test_what_earlier_rounds_gained_stays_where_a_later_one_has_no_preferences(
    data: Path, tmp_path: Path, scripted: Callable[..., None]
) -> None:
    scripted(HURTS, HELPS)
    run_of = made(data, tmp_path)

    class Tired(TruthCritic):
        def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
            if run_of.round:
                raise CriticError("timed out")
            return super().score(pack, answers)

    run_of.critic = Tired(run_of.questions)
    run_of.run()
    assert report(tmp_path)["ended"].startswith("round 2 has no preferences, of 16 prompts")
    assert run_of.helped() == 1


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path)
    broken = run_of.train_step

    def step(groups: Any) -> dict[str, Any]:
        with torch.no_grad():
            run_of.policy.lora[0].fill_(float("nan"))
        return broken(groups)

    run_of.train_step = step  # type: ignore[method-assign]
    with pytest.raises(
        UsageError, match="expected a finite loss, got nan at step 0; lower the learning rates"
    ):
        run_of.run()


def test_a_start_that_answers_no_numbers_is_told(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path)
    with torch.no_grad():
        run_of.policy.lora[0].fill_(float("nan"))
    with pytest.raises(UsageError, match="expected finite answers on the held-out records"):
        run_of.run()


def test_too_few_records_are_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as prompts a round, 24, got 16 in whole packs"):
        run(data, tmp_path, prompts=24)
    assert not (tmp_path / "run.json").exists()


def test_held_out_halves_share_no_picture_and_need_both_truths(data: Path) -> None:
    records = read_records(data / "records" / "val.jsonl")
    halves = HeldOut.of(records, 0)
    assert not {r.picture_group for r in halves.fit} & {r.picture_group for r in halves.count}
    assert len(halves.fit) + len(halves.count) == len(records)
    with pytest.raises(UsageError, match="expected safe and dangerous records in both halves"):
        HeldOut.of([r for r in records if r.verdict == "stop"], 0)
    unknown = [record(f"u{i}", group=i) for i in range(4)]
    with pytest.raises(UsageError, match="got 0 safe of 0 known"):
        HeldOut.of(unknown, 0)


def test_every_pass_goes_over_everything_in_an_order_of_its_own() -> None:
    passes = [[place_of(i, 20, 3) for i in range(n * 20, n * 20 + 20)] for n in range(2)]
    assert [sorted(p) for p in passes] == [list(range(20))] * 2
    assert passes[0] != passes[1]


def test_records_that_are_no_whole_pack_are_left_out(data: Path, tmp_path: Path) -> None:
    """The last, torn pack is never drawn: places are those of whole packs."""
    folder = tmp_path / "records"
    folder.mkdir()
    records = read_records(data / "records" / "train.jsonl")
    write_records(iter([*records, records[0]]), folder / "train.jsonl")
    (folder / "val.jsonl").write_bytes((data / "records" / "val.jsonl").read_bytes())
    run_of = made(data, tmp_path / "out", records=folder)
    assert len(run_of.records) == 17
    assert {place_of(i, 17 // 8, 0) for i in range(8)} == {0, 1}
