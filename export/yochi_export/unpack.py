"""A bundle's weights as a finished training run, so that a training can go on from what was shipped.

They are the trained ones rounded to float16. A graph's weights have no names. Which is which is found by
exporting a vision tower of known numbers the same way: its graph has them in the same places.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from yochi_runtime.bundle import GLOSSARY, LORA, PACK, TOKENIZER, VISION, Bundle
from yochi_runtime.errors import UsageError
from yochi_train.assemble import assemble
from yochi_train.model_folder import ADAPTER, MODEL, PROJECTOR, new_model
from yochi_train.nano import YochiNanoForConditionalGeneration
from yochi_train.nano.vision import VisionTower
from yochi_train.policy import LORA_TARGETS
from yochi_train.positives import write_positives

from .lora import WEIGHTS, read_lora
from .quantize import to_half
from .trained import peft_in_silence
from .vision import export_vision

Floats = NDArray[np.float32]


def unpack(bundle: Bundle, base: Path, out: Path) -> Path:
    """Write `out/model`, as `yochi-train sft` leaves it. UsageError where `out` holds a model already, and
    where the vision graph is not stored as float16 or has another encoder.
    """
    made = out / MODEL
    if made.exists():
        raise UsageError(f"expected a new run folder, {made} exists; choose another")
    model, _ = assemble(bundle.path / PACK, base)
    projector = read_projector(bundle.path / VISION, model.vision)
    with new_model(out) as folder:
        _write_adapter(model, *read_lora(bundle.path / LORA, base), folder / ADAPTER)
        save_file(projector, folder / PROJECTOR, metadata={"format": "pt"})
        write_positives(bundle.manifest.positives, folder)
        for name in (TOKENIZER, GLOSSARY, PACK):
            shutil.copyfile(bundle.path / name, folder / name)
    return made


def _write_adapter(
    model: YochiNanoForConditionalGeneration, alpha: float, matrices: Mapping[str, Floats], folder: Path
) -> None:
    """PEFT's own folder, then our numbers in place of its fresh ones."""
    config = LoraConfig(
        r=min(next(iter(matrices.values())).shape),
        lora_alpha=round(alpha),
        layers_to_transform=sorted({int(name.split(".layers.")[1].split(".")[0]) for name in matrices}),
        target_modules=LORA_TARGETS,
        task_type="CAUSAL_LM",
    )
    with peft_in_silence():
        get_peft_model(model.language, config).save_pretrained(str(folder))
    tensors = {name: torch.from_numpy(matrix) for name, matrix in matrices.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def read_projector(graph: Path, tower: VisionTower) -> dict[str, torch.Tensor]:
    """The projector's state in `graph`, float16 storage; `tower` of the same shapes is overwritten."""
    known = _number(tower)
    with TemporaryDirectory() as scratch:
        plain, half = Path(scratch, "float.onnx"), Path(scratch, "half.onnx")
        export_vision(tower, plain)
        to_half(plain, half)
        pattern = _weights(half)
    found = _weights(graph)
    if [(n, v.shape, v.dtype) for n, v in found.items()] != [
        (n, v.shape, v.dtype) for n, v in pattern.items()
    ]:
        raise UsageError(
            f"expected a vision graph stored as float16 in {graph}, got another form; give the run"
        )
    places = {name: _place(value, pattern) for name, value in known.items()}
    for name in pattern.keys() - {place for place, _ in places.values()}:
        if not np.allclose(pattern[name], found[name], rtol=1e-2, atol=1e-3):
            raise UsageError(f"expected our frozen encoder in {graph}, {name} differs; give the run")
    state = {}
    for name, (place, turned) in places.items():
        value = found[place].astype(np.float32)
        state[name] = torch.from_numpy(np.ascontiguousarray(value.T if turned else value))
    return state


def _number(tower: VisionTower) -> dict[str, Floats]:
    """Fill the projector with numbers that occur once; they are returned by name."""
    draw = torch.Generator().manual_seed(0)
    state = {
        name: torch.rand(t.shape, generator=draw) + 0.5 for name, t in tower.projector.state_dict().items()
    }
    tower.projector.load_state_dict(state)
    return {name: value.numpy() for name, value in state.items()}


def _weights(graph: Path) -> dict[str, NDArray[np.generic]]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(graph).graph.initializer}


def _place(value: Floats, pattern: Mapping[str, NDArray[np.generic]]) -> tuple[str, bool]:
    """The initializer that holds `value`, and whether it is turned (inputs first)."""
    for name, stored in pattern.items():
        for turned in (False, True):
            seen = value.T if turned else value
            if stored.shape == seen.shape and np.array_equal(seen.astype(stored.dtype), stored):
                return name, turned
    raise UsageError("expected every weight of the projector in its own graph; export and unpack disagree")
