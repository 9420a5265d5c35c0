"""GRPO and more SFT as rounds, on nano and on vision-language models; and all arms beside each other."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from yochi_bench.intervals import resample
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.policy import Policy
from yochi_train.records import read_records
from yochi_train.rlaif import arms
from yochi_train.rlaif.arms import ARMS, compare, halves, read_seeds, table_of, text_of
from yochi_train.rlaif.held_out import Outcome
from yochi_train.rlaif.run import improve, prepare
from yochi_train.vlm.families import FAMILIES
from yochi_train.vlm.slots import VlmSlots

from tests.fixtures.tiny_vlms import write_family

from ..made import record, tiny_slots
from ..vlm_data import rlaif_settings, write_vlm_data
from .rlaif_data import settings_of, write_rlaif_data

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    return write_rlaif_data(tmp_path_factory.mktemp("lessons"), pack)


def adapter(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "adapter" / "adapter_model.safetensors")


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every round is kept, so that its steps are in the weights."""
    monkeypatch.setattr(Outcome, "better_than", lambda *_: True)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("method", ["grpo", "sft"])
def test_a_round_without_pairs_learns_and_is_told(data: Path, tmp_path: Path, method: str) -> None:
    said = improve(settings_of(data, method=method, rounds=1), tiny_slots(), tmp_path)
    assert said.splitlines()[1].startswith("round 1: safe and effective ")
    steps = log(tmp_path)
    assert [(one["round"], one["step"]) for one in steps] == [(1, 1), (1, 2)]
    assert not list(tmp_path.glob("round-*.json"))
    before, after = adapter(data / "start"), adapter(tmp_path)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (told["critic"], told["rounds"][0]["prompts"]) == (method, 16)
    if method == "grpo":
        assert steps[0]["kl"] == pytest.approx(0.0, abs=1e-6)
        assert steps[1]["kl"] > 0
        assert all(one["reward"] is None or 0 <= one["reward"] <= 1 for one in steps)
    else:
        assert {"cues", "notes", "verdict"} <= steps[0].keys()


@pytest.mark.usefixtures("kept")
def test_a_killed_round_of_grpo_reaches_the_same_weights(data: Path, tmp_path: Path) -> None:
    settings = settings_of(data, method="grpo", rounds=1)
    improve(settings, tiny_slots(), tmp_path / "whole")
    killed = prepare(settings, tiny_slots(), tmp_path / "killed")
    step = killed.descend

    def once(loss: torch.Tensor, **parts: float) -> dict[str, Any]:
        if killed.step == 1:
            raise KeyboardInterrupt
        return step(loss, **parts)

    killed.descend = once  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    improve(settings, tiny_slots(), tmp_path / "killed")
    one, other = adapter(tmp_path / "whole"), adapter(tmp_path / "killed")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert log(tmp_path / "whole") == log(tmp_path / "killed")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_rounds_on_a_vision_language_model(kind: str, tmp_path: Path, pack: Pack) -> None:
    """A round of pairs, of self-feedback where it has a gray picture to show, and GRPO: two steps each."""
    data, model = write_vlm_data(tmp_path / "data"), write_family(kind, tmp_path / kind)
    start = tmp_path / "start"
    first = rlaif_settings(data, model, start)
    slots = VlmSlots.open(str(model), None)
    slots.prepare(first)
    torch.manual_seed(1)
    policy = Policy(slots, first)
    with torch.no_grad():
        for value in policy.lora:
            value.normal_(std=0.3)
    policy.save(start / "model", {slot.id: 100 for slot in pack.slots})
    critic = "disentangled" if kind in ("idefics3", "qwen3_vl") else "truth"
    for name, changes in (("dpo", {"critic": critic}), ("grpo", {"method": "grpo"})):
        settings = rlaif_settings(data, model, start, **changes)
        improve(settings, VlmSlots.open(str(model), None), tmp_path / name)
        assert [one["step"] for one in log(tmp_path / name)] == [1, 2]
        before, after = adapter(start), adapter(tmp_path / name)
        assert any(not torch.equal(before[n], after[n]) for n in before)
        assert (tmp_path / name / "model" / "base.json").is_file()
        assert "round 1, kept" in (tmp_path / name / "report.html").read_text(encoding="utf-8")


def test_the_arms_share_data_steps_and_seeds(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"self-feedback": ARMS["self-feedback"], "no-disentangling": ARMS["no-disentangling"]}
    monkeypatch.setattr(arms, "ARMS", {**chosen, "grpo": ARMS["grpo"], "sft": ARMS["sft"]})
    settings = settings_of(data, rounds=1, steps=1, prompts=8, checkpoint_every=50)
    opened: list[None] = []

    def open_model(_: object) -> Any:
        opened.append(None)
        return tiny_slots()

    text = compare(settings, open_model, [0], 50, tmp_path)
    assert len(opened) == 4
    names = [line.split()[0] for line in text.splitlines()[2:]]
    assert names == ["start", "self-feedback", "no-disentangling", "grpo", "sft"]
    made = json.loads((tmp_path / "arms.json").read_text(encoding="utf-8"))
    assert made["arms"]["sft"].keys() == {"safe_effective", "miss", "oversafety"}
    assert made["arms"]["grpo"]["errors_less"]["resamples"] == 50
    first = [json.loads((tmp_path / f"{n}-0" / "run.json").read_text("utf-8")) for n in names[1:]]
    assert len({json.dumps(one["data"]) for one in first}) == 1
    assert {one["settings"]["steps"] for one in first} == {1}
    assert compare(settings, open_model, [0], 50, tmp_path) == text
    assert len(opened) == 4, "finished arms are not run again"


def test_all_arms_of_the_comparison_are_there() -> None:
    assert list(ARMS) == ["self-feedback", "no-disentangling", "os-only", "gs-only", "truth", "grpo", "sft"]
    assert (ARMS["os-only"]["global_weight"], ARMS["gs-only"]["global_weight"]) == (0.0, 1.0)


def test_the_table_by_hand() -> None:
    """Two seeds, four records: 3 and 4 of 4 right against 2 and 2; one danger of two let pass, once."""
    truth = ["stop", "caution", "proceed", "proceed"]
    judged = {
        "grpo": [["stop", "proceed", "proceed", "proceed"], ["stop", "stop", "proceed", "proceed"]],
        "sft": [["stop", "caution", "stop", "stop"]] * 2,
    }
    draws = resample({"pictures": [0, 1, 2, 3]}, seed=0, count=200)
    table = table_of(truth, judged, draws)
    assert table["grpo"]["safe_effective"] == pytest.approx(7 / 8)
    assert table["grpo"]["miss"] == pytest.approx(1 / 4)
    assert (table["sft"]["safe_effective"], table["sft"]["oversafety"]) == (0.5, 1.0)
    less = table["grpo"]["errors_less"]
    assert isinstance(less, dict)
    assert less["point"] == pytest.approx(3 / 8)
    assert less["low"] < 3 / 8 < less["high"]
    lines = text_of(table, 4, [0, 1]).splitlines()
    assert lines[2].split()[:5] == ["grpo", "87.5", "25.0", "0.0", "37.5"]
    assert lines[3].split() == ["sft", "50.0", "0.0", "100.0"]


def test_the_tables_records_are_no_rounds(data: Path) -> None:
    rounds, shown = halves(read_records(data / "records" / "val.jsonl"))
    assert not {r.picture_group for r in rounds} & {r.picture_group for r in shown}
    assert all(r.verdict for r in shown)
    with pytest.raises(UsageError, match="expected safe and dangerous records for the table"):
        halves([record(f"r{i}", verdict="stop", group=i) for i in range(8)])


def test_seeds_are_numbers() -> None:
    assert read_seeds("0,1,22") == [0, 1, 22]
    for wrong in ("", "a", "1,1", "1,,2", "-1"):
        with pytest.raises(UsageError, match="expected --seeds as different numbers"):
            read_seeds(wrong)
