"""A stock GGUF and its mmproj through llama.cpp's own eyes; broken ones are caught, and have an address."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yochi_export.cli import command
from yochi_export.layers import IDS, LOGITS, Layers
from yochi_export.stock.parity import EMBEDS, RESIZED, WHOLE, Exported, compare_stock, open_slots
from yochi_runtime.errors import BundleError, EngineError
from yochi_runtime.multimodal import Multimodal
from yochi_train.records import read_records
from yochi_train.vlm.slots import VlmSlots

from tests.fixtures.tiny_stock import MMPROJ, TEXT, text_tensors, vision_tensors, write_stock
from tests.fixtures.tiny_vlms import write_family
from tests.train.vlm_data import write_vlm_data


@pytest.fixture(scope="module")
def smolvlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family("smolvlm", tmp_path_factory.mktemp("stock") / "smolvlm")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vlm_data(tmp_path_factory.mktemp("stock") / "data")


@pytest.fixture(scope="module")
def slots(smolvlm: Path) -> VlmSlots:
    return open_slots(smolvlm, smolvlm)


@pytest.fixture(scope="module")
def sound(slots: VlmSlots, smolvlm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stock(slots.language, smolvlm, tmp_path_factory.mktemp("stock") / "sound")


def asked(slots: VlmSlots, folder: Path, data: Path) -> Layers:
    records = read_records(data / "records" / "val.jsonl")
    exported = Exported.of_folder(folder, slots.pack)
    return compare_stock(slots, exported, [records[0], records[9]], data / "photos", threads=1)


def test_a_sound_export_differs_nowhere(slots: VlmSlots, sound: Path, data: Path) -> None:
    found = asked(slots, sound, data)
    assert [stage.name for stage in found.stages] == [IDS, EMBEDS, RESIZED, LOGITS, WHOLE]
    assert (found.address, found.passed, found.records) == (None, True, 2)
    worst = {stage.name: stage.worst for stage in found.stages}
    assert worst[IDS] == 0.0
    assert worst[LOGITS] < 1e-9
    assert worst[WHOLE] < 1e-6


def swap_channels(vlm: Any) -> dict[str, Any]:
    vision = vision_tensors(vlm)
    return {"vision": vision | {"v.patch_embd.weight": vision["v.patch_embd.weight"][:, ::-1]}}


def lose_a_layer(vlm: Any) -> dict[str, Any]:
    spoiled = {n: np.zeros_like(w) if ".0.ffn_down" in n else w for n, w in text_tensors(vlm).items()}
    return {"text": spoiled}


BROKEN: dict[str, tuple[Callable[[Any], dict[str, Any]], list[str]]] = {
    "swapped channels": (swap_channels, [EMBEDS, RESIZED, WHOLE]),
    "wrong RoPE base": (lambda _: {"rope": 500.0}, [LOGITS, WHOLE]),
    "zeroed layer": (lose_a_layer, [LOGITS, WHOLE]),
    "other vocabulary": (lambda _: {"swapped": True}, [IDS]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_export_has_an_address(
    slots: VlmSlots, smolvlm: Path, data: Path, tmp_path: Path, how: str
) -> None:
    broken, stages = BROKEN[how]
    vlm = slots.language
    found = asked(slots, write_stock(vlm, smolvlm, tmp_path / "broken", **broken(vlm)), data)
    assert [stage.name for stage in found.stages if not stage.passed] == stages
    assert found.address == stages[0]


def test_eyes_that_do_not_open_are_a_stage_of_their_own_model(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"GGUF")
    with pytest.raises(EngineError, match=r"expected llama.cpp to load no\.gguf .*\((?!no word)"):
        Multimodal(sound / TEXT, tmp_path / "no.gguf", threads=1, context=256)


def test_a_picture_takes_its_places_and_what_is_none_is_refused(sound: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    with Multimodal(sound / TEXT, sound / MMPROJ, threads=1, context=256) as engine:
        rows = engine.see(rgb)
        assert rows.shape == (4, 32)
        assert np.array_equal(rows, engine.see(rgb))
        engine.tokens([1, 2])
        engine.show(rgb.shape[:2], rows)
        assert engine.position == 6
        with pytest.raises(EngineError, match="expected image embeddings"):
            engine.show(rgb.shape[:2], rows[1:])
        with pytest.raises(EngineError, match="expected finite numbers"):
            engine.show(rgb.shape[:2], rows * np.float32("nan"))
        with pytest.raises(EngineError, match="expected a picture"):
            engine.see(rgb[..., 0])
        assert engine.position == 6
    with pytest.raises(EngineError, match="closed"):
        engine.see(rgb)


def test_the_command_compares_and_names_the_stage(
    slots: VlmSlots,
    smolvlm: Path,
    sound: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rest = [str(data / "records"), "--photos", str(data / "photos"), "--count", "2", "--out", str(tmp_path)]
    assert command(["parity", str(smolvlm), str(sound), *rest]) == 0
    report = json.loads((tmp_path / "parity.json").read_text(encoding="utf-8"))
    assert (report["layers"]["passed"], report["passed"], report["status"]) == (True, False, "undecided")
    broken = write_stock(slots.language, smolvlm, tmp_path / "broken", rope=500.0)
    assert command(["parity", str(smolvlm), str(broken), *rest]) == 4
    assert f"the GGUF differs from torch at: {LOGITS}" in capsys.readouterr().err
    with (broken / MMPROJ).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    with pytest.raises(BundleError, match=r"expected mmproj-f32\.gguf to have sha256"):
        asked(slots, broken, data)
