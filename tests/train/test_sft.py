"""Fine-tuning: a killed run goes on to the same weights, and mixes with no other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.loss import PART_WEIGHT
from yochi_train.nano.slots import NanoSlots
from yochi_train.policy import precision_of
from yochi_train.records import read_records
from yochi_train.sft import Trainer, train

from .made import tiny_nano, tiny_slots
from .sft_data import STEPS, settings_of, write_sft_data

CPU = torch.device("cpu")
# PEFT asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    return write_sft_data(tmp_path_factory.mktemp("sft"), pack)


def run(data: Path, out: Path, **changes: Any) -> Path:
    return train(settings_of(data, **changes), tiny_slots(), out)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        **load_file(folder / "adapter" / "adapter_model.safetensors"),
        **load_file(folder / "projector.safetensors"),
    }


def steps_logged(out: Path) -> list[int]:
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    assert run(data, out) == out / "model"
    return out


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Interrupts a run when so many steps are done, the log's next line torn."""
    whole = Trainer.train_step

    def arm(steps: int) -> None:
        def step(self: Trainer) -> dict[str, Any]:
            if self.step == steps:
                with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write('{"step": ')
                raise KeyboardInterrupt
            return whole(self)

        monkeypatch.setattr(Trainer, "train_step", step)

    return arm


def test_a_run_leaves_what_the_export_needs(undisturbed: Path, data: Path) -> None:
    model = undisturbed / "model"
    names = {"adapter", "projector.safetensors", "tokenizer.json", "glossary.tsv", "pack.toml"}
    names |= {"positives.json", "explains.json"}
    assert {p.name for p in model.iterdir()} == names
    assert steps_logged(undisturbed) == [1, 2, 3, 4]
    positives = json.loads((model / "positives.json").read_text(encoding="utf-8"))
    records = read_records(data / "records" / "train.jsonl")
    forklifts = {r.image for r in records if r.slots.get("cue:forklift") == 1}
    assert positives.get("cue:forklift", 0) == len(forklifts)
    assert not (undisturbed / "checkpoint.partial").exists()


def test_the_lora_learns_its_layers_alone(undisturbed: Path) -> None:
    learned = load_file(undisturbed / "model" / "adapter" / "adapter_model.safetensors")
    assert {name.split(".layers.")[1].split(".")[0] for name in learned} == {"1"}  # the upper of two layers
    assert all(bool(torch.isfinite(value).all()) for value in learned.values())
    assert any(float(value.abs().max()) > 0 for name, value in learned.items() if "lora_B" in name)


@pytest.mark.parametrize("every", [1, 3])
def test_a_killed_run_reaches_the_same_weights(
    data: Path,
    undisturbed: Path,
    tmp_path: Path,
    kill_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    every: int,
) -> None:
    """With a checkpoint at step 2, and with none yet."""
    kill_after(2)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path, checkpoint_every=every)
    assert (tmp_path / "checkpoint.pt").exists() == (every == 1)
    assert not (tmp_path / "model").exists()
    monkeypatch.undo()
    run(data, tmp_path, checkpoint_every=every)
    expected, found = weights(undisturbed / "model"), weights(tmp_path / "model")
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert (tmp_path / "log.jsonl").read_bytes() == (undisturbed / "log.jsonl").read_bytes()


def test_a_run_that_filled_the_disk_goes_on_to_the_same_weights(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.partial").symlink_to("/dev/full")
    with pytest.raises(
        UsageError, match=r"expected room on the disk of .*; free some and give the same command"
    ):
        run(data, tmp_path)
    assert steps_logged(tmp_path) == [1]
    run(data, tmp_path)
    expected, found = weights(undisturbed / "model"), weights(tmp_path / "model")
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_what_is_said_and_anchors_are_learned_beside_the_slots(undisturbed: Path) -> None:
    lines = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text("utf-8").splitlines()]
    assert all(line["explanation"] > 0 and line["anchors"] > 0 for line in lines)
    first = lines[0]
    readout = sum(weight * first[name] for name, weight in PART_WEIGHT.items())
    beside = 0.2 * first["explanation"] + 0.2 * first["anchors"]
    assert first["loss"] == pytest.approx(readout + beside, rel=1e-5)
    measured = json.loads((undisturbed / "utility.json").read_text(encoding="utf-8"))
    assert measured["before"]["replies"] == measured["after"]["replies"] == 3
    assert measured["before"]["loss"] != measured["after"]["loss"]
    page = (undisturbed / "report.html").read_text(encoding="utf-8")
    assert f"<td>{measured['before']['loss']:.4f}</td><td>{measured['after']['loss']:.4f}</td>" in page


def test_explanations_change_no_readout(data: Path, tmp_path: Path) -> None:
    """The first step's parts, to the bit, without anything beside them."""
    plain = {"explanation_weight": 0, "anchors": None, "utility": None}
    lines = []
    for name, changes in (("with", {}), ("without", plain)):
        run(data, tmp_path / name, steps=1, **changes)
        lines.append(json.loads((tmp_path / name / "log.jsonl").read_text(encoding="utf-8")))
    assert [lines[0][part] for part in PART_WEIGHT] == [lines[1][part] for part in PART_WEIGHT]
    assert "explanation" not in lines[1]
    assert not (tmp_path / "without" / "model" / "explains.json").exists()


def test_a_finished_run_is_not_trained_again(data: Path, undisturbed: Path) -> None:
    before = weights(undisturbed / "model")
    run(data, undisturbed)
    after = weights(undisturbed / "model")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert steps_logged(undisturbed) == [1, 2, 3, 4]


def test_a_folder_with_another_run_is_refused(data: Path, undisturbed: Path) -> None:
    with pytest.raises(UsageError, match="it holds another; choose a new folder"):
        run(data, undisturbed, seed=1)


def test_run_json_says_what_the_run_is_made_of(undisturbed: Path) -> None:
    text = (undisturbed / "run.json").read_text(encoding="utf-8")
    made_of = json.loads(text)
    assert set(made_of["data"]) == {"pictures.jsonl", "train.jsonl", "anchors"}
    assert made_of["settings"]["steps"] == STEPS
    assert set(made_of["versions"]) == {"python", "torch", "transformers", "peft"}
    assert str(undisturbed.parent) not in text  # no path of a machine


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path) -> None:
    model, processor = tiny_nano()
    with torch.no_grad():
        model.language.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"expected a finite loss, got nan at step 0; lower the learning"):
        train(settings_of(data), NanoSlots(model, processor), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["anchors", "utility"])
def test_missing_instructions_are_named_before_anything_is_written(
    data: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"expected a file of instructions .*none\.jsonl, found none"):
        run(data, tmp_path, **{name: tmp_path / "none.jsonl"})
    assert not list(tmp_path.iterdir())


def test_missing_records_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected .*pictures\.jsonl, found none"):
        run(data, tmp_path, records=tmp_path / "none")


def test_a_run_goes_on_from_a_finished_one(data: Path, undisturbed: Path, tmp_path: Path) -> None:
    """With rates of all but nothing it ends where the other did; its run.json names those weights."""
    run(data, tmp_path, start=undisturbed, lora_rate=1e-12, projector_rate=1e-12, steps=1)
    before, after = weights(undisturbed / "model"), weights(tmp_path / "model")
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, atol=1e-9, rtol=0)
    made_of = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert len([name for name in made_of["data"] if name.startswith("start/")]) == 2


def test_what_the_first_run_saw_counts_as_trained(data: Path, undisturbed: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(undisturbed, first)
    told = json.loads((first / "model" / "positives.json").read_text(encoding="utf-8"))
    slot = next(name for name, count in told.items() if count > 1)
    (first / "model" / "positives.json").write_text(json.dumps({slot: 1, "cue:smoke": 99999}), "utf-8")
    run(data, tmp_path / "second", start=first, steps=1)
    counts = json.loads((tmp_path / "second" / "model" / "positives.json").read_text(encoding="utf-8"))
    assert counts == told | {"cue:smoke": 99999}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_rank": 3}, "expected a run of the same rank"),
        ({"lora_from_layer": 0}, "expected a run with LoRA on the same layers"),
        ({"start": Path("none")}, "expected a finished run in none to start from"),
    ],
)
def test_a_start_that_does_not_fit_is_named(
    data: Path, undisturbed: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        run(data, tmp_path, **{"start": undisturbed} | changes)


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, torch.bfloat16),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, torch.bfloat16),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, torch.float32),
        ({"bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False}, torch.float32),
    ],
)
def test_bf16_is_chosen_only_where_it_is_asked_for_or_fast(
    known: dict[str, Any], wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert precision_of("auto", CPU) is wanted
    assert precision_of("bf16", CPU) is torch.bfloat16
    assert precision_of("fp32", CPU) is torch.float32


def test_bf16_is_near_float32(data: Path, tmp_path: Path) -> None:
    """The first step's loss, from the same weights."""
    losses = []
    for precision in ("bf16", "fp32"):
        run(data, tmp_path / precision, steps=1, precision=precision)
        losses.append(json.loads((tmp_path / precision / "log.jsonl").read_text(encoding="utf-8"))["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
