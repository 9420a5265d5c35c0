"""A bundle's weights out again: the trained ones rounded to float16, name by name."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from yochi_export.lora import read_lora, write_lora
from yochi_export.quantize import to_half
from yochi_export.trained import RunFolder
from yochi_export.unpack import read_vision, unpack
from yochi_export.vision import export_vision
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.bundle import open_bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.trust import shipped_bundle
from yochi_train.nano.vision import VisionTower

from .tiny_run import TinyRun, tiny_nano


@pytest.fixture(scope="module")
def trained() -> VisionTower:
    """As after training: no vector of zeros or ones is left, which the exporter would drop."""
    tower = tiny_nano()[0].vision
    torch.manual_seed(2)
    for value in tower.projector.state_dict().values():
        value.add_(torch.rand_like(value) * 0.1)
    return tower


@pytest.fixture(scope="module")
def graphs(trained: VisionTower, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with float.onnx and half.onnx."""
    return write(trained, tmp_path_factory.mktemp("graphs"))


def write(tower: VisionTower, folder: Path) -> Path:
    export_vision(tower, folder / "float.onnx")
    to_half(folder / "float.onnx", folder / "half.onnx")
    return folder


def test_a_lora_comes_back_as_it_was_written(tiny_run: TinyRun, tmp_path: Path) -> None:
    adapter = tiny_run.folder / "model" / "adapter"
    write_lora(adapter, tiny_run.base, tmp_path / "lora.gguf")
    alpha, found = read_lora(tmp_path / "lora.gguf", tiny_run.base)
    trained = load_file(adapter / "adapter_model.safetensors")
    assert alpha == 32
    assert found.keys() == trained.keys()
    for name, matrix in found.items():
        assert np.array_equal(matrix, trained[name].half().float().numpy()), name


def test_a_projector_comes_back_as_it_was_written(trained: VisionTower, graphs: Path) -> None:
    state = trained.projector.state_dict()
    found, encoder = read_vision(graphs / "half.onnx", tiny_nano()[0].vision)
    assert encoder is None  # it is the pretrained one
    assert found.keys() == state.keys()
    for name, value in found.items():
        assert value.shape == state[name].shape
        assert float((value - state[name]).abs().max()) <= 1e-3 * float(state[name].abs().max()), name


def test_a_tuned_encoder_comes_back_and_gives_the_same_graph(trained: VisionTower, tmp_path: Path) -> None:
    tuned = copy.deepcopy(trained)
    torch.manual_seed(3)
    with torch.no_grad():
        for module in tuned.encoder.opened:
            for value in module.parameters():
                value.mul_(1 + 0.3 * torch.rand_like(value))
    write(tuned, tmp_path / "first")
    projector, encoder = read_vision(tmp_path / "first" / "half.onnx", tiny_nano()[0].vision)
    again = tiny_nano()[0].vision
    again.projector.load_state_dict(projector)
    assert encoder is not None
    again.encoder.load_state_dict(encoder)
    write(again, tmp_path / "second")
    assert (tmp_path / "first" / "half.onnx").read_bytes() == (tmp_path / "second" / "half.onnx").read_bytes()


def test_another_form_or_encoder_is_refused(graphs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stored as float16"):
        read_vision(graphs / "float.onnx", tiny_nano()[0].vision)
    model = onnx.load(graphs / "half.onnx")
    stem = model.graph.initializer[0]
    stem.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stem) + 0.1, stem.name))
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(UsageError, match="encoder's first stages"):
        read_vision(tmp_path / "other.onnx", tiny_nano()[0].vision)


def test_the_shipped_bundle_becomes_a_run_that_gives_its_loras_again(tmp_path: Path) -> None:
    base, bundle = find_base(NANO_BASE), open_bundle(shipped_bundle())
    unpack(bundle, base, tmp_path)
    run = RunFolder(tmp_path)
    assert run.positives() == bundle.manifest.positives
    assert run.explanation == "explain-1"
    assert run.explain is not None
    for adapter, name in ((run.adapter, "lora.gguf"), (run.explain, "explain.gguf")):
        write_lora(adapter, base, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (bundle.path / name).read_bytes()
    assert not (tmp_path / "model" / "explains.json").exists()  # the first LoRA learned no such thing
    with pytest.raises(UsageError, match="choose another"):
        unpack(bundle, base, tmp_path)


def test_a_bundle_whose_only_lora_explains_says_so_to_the_next_run(tmp_path: Path) -> None:
    shipped = open_bundle(shipped_bundle())
    files = {name: entry for name, entry in shipped.manifest.files.items() if name != "explain.gguf"}
    one = replace(shipped, manifest=shipped.manifest.model_copy(update={"files": files}))
    unpack(one, find_base(NANO_BASE), tmp_path)
    run = RunFolder(tmp_path)
    assert (run.explain, run.explanation) == (None, "explain-1")
