"""The dry run: what it says is true of the run, and it leaves nothing."""

import json
import re
import shutil
from pathlib import Path

import pytest
from yochi_runtime.bundle import file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.features import INDEX
from yochi_train.nano.slots import NanoSlots
from yochi_train.plan import encoded_photos, plan

from .made import tiny_nano, tiny_slots
from .sft_data import settings_of, write_sft_data

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    return write_sft_data(tmp_path_factory.mktemp("plan"), pack)


def told(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_what_is_told_is_what_the_run_would_do(data: Path, tmp_path: Path) -> None:
    model, processor = tiny_nano()
    language = sum(p.numel() for p in model.language.parameters())
    encoder = sum(p.numel() for p in model.vision.encoder.parameters())
    projector = sum(p.numel() for p in model.vision.projector.parameters())
    text = model.config.text_config
    widths = {"hidden": text.hidden_size, "inner": text.intermediate_size}
    kv = text.num_key_value_heads * text.hidden_size // text.num_attention_heads
    # rank 2 on the upper of two layers: A and B of q, k, v, o, gate, up, down
    sizes = [(widths["hidden"], out) for out in (widths["hidden"], kv, kv, widths["hidden"])]
    sizes += [(widths["hidden"], widths["inner"])] * 2 + [(widths["inner"], widths["hidden"])]
    lora = sum(2 * (into + out) for into, out in sizes)
    rows = told(plan(settings_of(data, precision="fp32"), NanoSlots(model, processor), tmp_path / "out"))
    assert rows["records"].startswith("16 notes (")
    assert rows["records"].endswith(" on 2 pictures")
    assert rows["steps"] == "4, each of 1 x 8 notes: 2.00 passes"
    assert rows["trained"] == f"{lora:,} of LoRA; {projector:,} of the projector for 3 steps"
    assert rows["not trained"] == f"{language + encoder:,}, in float32"
    assert rows["features"].startswith("16 of 16 photos")
    assert re.fullmatch(
        r"\d+ min: \d+\.\d\d s a step while the projector learns, \d+\.\d\d s a step after", rows["time"]
    )
    assert not (tmp_path / "out").exists()


def test_the_photos_that_are_not_encoded_yet_are_counted(data: Path, tmp_path: Path) -> None:
    changed = settings_of(data, features=tmp_path / "none", projector_steps=0)
    rows = told(plan(changed, tiny_slots(), tmp_path / "out"))
    assert rows["features"] == "0 of 16 photos are encoded; the others come first"
    assert "projector" not in rows["time"]
    assert not (tmp_path / "none").exists()


def test_a_cache_is_of_the_encoder_that_the_start_tuned(data: Path, tmp_path: Path) -> None:
    tuned, cache = tmp_path / "start" / "model" / "encoder.safetensors", tmp_path / "features"
    tuned.parent.mkdir(parents=True)
    tuned.write_bytes(b"another encoder")
    shutil.copytree(data / "features", cache)
    index = json.loads((cache / INDEX).read_text())
    (cache / INDEX).write_text(json.dumps({**index, "encoder": file_sha256(tuned)}))
    going_on = settings_of(data, features=cache, start=tmp_path / "start")
    assert encoded_photos(going_on)[0][1].startswith("16 of 16 photos")
    for wrong in (settings_of(data, features=cache), settings_of(data, start=tmp_path / "start")):
        with pytest.raises(UsageError, match="by this encoder"):
            encoded_photos(wrong)


def test_what_would_stop_the_run_is_told_at_once(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a finished run"):
        plan(settings_of(data, start=tmp_path), tiny_slots(), tmp_path / "out")
    with pytest.raises(UsageError, match=r"train\.jsonl, found none"):
        plan(settings_of(data, records=tmp_path), tiny_slots(), tmp_path / "out")
