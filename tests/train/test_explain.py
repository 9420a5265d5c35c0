"""A second LoRA that learns to explain: no slot has another bit for it, and a killed run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from yochi_runtime.taxonomy import Pack
from yochi_runtime.verdict import Verdict
from yochi_train.explain import ExplainTrainer, explain
from yochi_train.model_folder import explains, new_model, write_explains
from yochi_train.policy import Policy
from yochi_train.records import read_records
from yochi_train.rlaif.run import prepare
from yochi_train.settings import ExplainSettings

from .made import record, tiny_slots
from .rlaif.rlaif_data import settings_of, write_rlaif_data

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    """Its start learned to explain by the first LoRA, which no longer counts where a second one does."""
    root = write_rlaif_data(tmp_path_factory.mktemp("explain"), pack)
    write_explains(root / "start" / "model", 64)
    return root


def settings(data: Path, **changes: Any) -> ExplainSettings:
    of_start = settings_of(data).model_dump()
    shared = {name: of_start[name] for name in ExplainSettings.model_fields if name in of_start}
    own = {"steps": 3, "explain_rank": 2, "explain_from_layer": 1, "explain_rate": 0.05, "warmup": 0}
    return ExplainSettings.model_validate(shared | own | changes)


def trainer(data: Path, out: Path, **changes: Any) -> ExplainTrainer:
    chosen = settings(data, **changes)
    model = tiny_slots()
    model.prepare(chosen)
    return ExplainTrainer(model, chosen, read_records(data / "records" / "train.jsonl"), out)


def taught(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "explain" / "adapter_model.safetensors")


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_it_learns_and_no_slot_has_another_bit(data: Path, tmp_path: Path) -> None:
    made = trainer(data, tmp_path, steps=40, explain_rank=8, explain_rate=0.3)
    packs = [made.records[:8]]
    plain = Policy(tiny_slots(), made.settings)
    plain.start_from(data / "start")
    plain.model.prepare(made.settings)
    with torch.no_grad():
        before = plain.read(packs, plain.images(packs))
    made.run()
    steps = log(tmp_path)
    assert sum(one["loss"] for one in steps[-8:]) / 8 < steps[0]["loss"] - 0.05
    texts, told = made.explainer.pick(packs, 8, 0)
    assert told
    with torch.no_grad():
        after, _ = made.policy.read_on(packs, made.policy.images(packs), texts)
        again = made.policy.read(packs, made.policy.images(packs))
    for found in (after, again):
        for name in ("cues", "risks", "verdict"):
            assert torch.equal(getattr(found, name), getattr(before, name)), name


def test_the_model_is_its_start_with_a_folder_more(data: Path, tmp_path: Path) -> None:
    said = explain(settings(data), tiny_slots(), tmp_path)
    assert "explanations of held-out records true" in said
    start, model = data / "start" / "model", tmp_path / "model"
    kept = {f.relative_to(start) for f in start.rglob("*") if f.is_file()} - {Path("explains.json")}
    for name in kept:
        assert (model / name).read_bytes() == (start / name).read_bytes(), name
    layers = {name.split(".layers.")[1].split(".")[0] for name in taught(tmp_path)}
    assert layers == {"1"}
    assert any(bool(value.any()) for name, value in taught(tmp_path).items() if "lora_B" in name)
    assert not explains(model)
    with new_model(tmp_path / "later", model) as later:
        assert not (later / "explain").exists()  # other weights would have to be taught again
    going_on = prepare(settings_of(data, start=tmp_path), tiny_slots(), tmp_path / "rlaif")
    assert going_on.telling is None  # rounds would draw by the first LoRA, which does not know how


def test_a_killed_run_reaches_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain(settings(data), tiny_slots(), tmp_path / "whole")
    step = ExplainTrainer.train_step

    def once(self: ExplainTrainer) -> dict[str, Any]:
        if self.step == 2:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as killed:
        killed.setattr(ExplainTrainer, "train_step", once)
        with pytest.raises(KeyboardInterrupt):
            explain(settings(data), tiny_slots(), tmp_path / "killed")
    explain(settings(data), tiny_slots(), tmp_path / "killed")
    one, other = taught(tmp_path / "whole"), taught(tmp_path / "killed")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert log(tmp_path / "whole") == log(tmp_path / "killed")


def test_a_step_with_nothing_true_to_say_leaves_the_weights(data: Path, tmp_path: Path) -> None:
    made = trainer(data, tmp_path)
    made.records = [record(f"r{i}", image=made.records[0].image, verdict=None) for i in range(8)]
    before = [value.clone() for value in made.learned]
    assert made.train_step() == {"step": 1, "loss": 0.0, "explained": 0}
    assert all(torch.equal(one, other) for one, other in zip(before, made.learned, strict=True))


def test_it_is_of_nano(data: Path) -> None:
    with pytest.raises(ValidationError, match="expected yochi-nano, whose LoRAs stay apart"):
        ExplainSettings(model="somebody/else", records=data, photos=data, start=data)


def test_what_is_drawn_is_drawn_with_both(data: Path, tmp_path: Path) -> None:
    """The same greedy text before and after the second LoRA is made to speak otherwise."""
    made = trainer(data, tmp_path)
    pack = made.records[:1]
    shown = torch.tensor([[0]])

    def said() -> tuple[int, ...]:
        return made.telling.draw(made.policy, pack, shown, 0.0, torch.Generator())[0][0].said

    first = said()
    with torch.no_grad():
        for value in made.learned:
            value.normal_(std=2.0)
    assert said() != first
    assert made.telling.text(pack[0], Verdict.PROCEED, first).said == first
