"""Rounds without preferences, numbers or records enough: told, counted, and what was gained stays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_train.records import read_records, write_records
from yochi_train.rlaif.assignment import Assignments, Questions
from yochi_train.rlaif.critic import CriticError, Scores, TruthCritic
from yochi_train.rlaif.held_out import HeldOut
from yochi_train.rlaif.rounds import place_of

from ..made import record
from .rounds_run import HELPS, HURTS, made, report, run, script

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


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
    run_of = made(data, tmp_path, critic_failures=0.5)
    run_of.critic = Failing(run_of.questions, 2)
    run_of.run()
    assert [one["failed"] for one in run_of.report["rounds"]] == [8, 8]


def test_a_critic_that_fails_too_often_ends_the_run(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path, critic_failures=0.4)
    run_of.critic = Failing(run_of.questions, 2)
    said = r"at least 60% of 16 prompts, it failed on 8 of the first 16, the last time: timed out; mend that"
    with pytest.raises(UsageError, match=said):
        run_of.run()
    assert not (tmp_path / "round-01.json").exists(), "the round is drawn and asked again"


def test_without_any_preference_the_run_ends_with_the_counts(data: Path, tmp_path: Path) -> None:
    run_of = made(data, tmp_path, critic_failures=0.5)

    class Torn(TruthCritic):
        def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
            scores = super().score(pack, answers)
            unknown = torch.full_like(scores.gs, float("nan"))
            return Scores(unknown, scores.os, scores.holds, dict.fromkeys(range(0, len(pack), 2), "no JSON"))

    run_of.critic = Torn(run_of.questions)
    with pytest.raises(
        UsageError,
        match=r"round 1 has no preferences, of 16 prompts: .* 8 that .* know, 8 on which it failed",
    ):
        run_of.run()
    with pytest.raises(UsageError, match=r"closer than the margin.*; draw more answers, or lower margin"):
        run(data, tmp_path / "margin", margin=1.0)


def test_what_earlier_rounds_gained_stays_where_a_later_one_has_no_preferences(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, HURTS, HELPS)
    run_of = made(data, tmp_path)

    class Tired(TruthCritic):
        def score(self, pack: Sequence[Record], answers: Assignments) -> Scores:
            scores = super().score(pack, answers)
            if run_of.round:
                scores.gs.fill_(float("nan"))
            return scores

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
