"""A bundle's weights as a finished training run, so that a training can go on from what was shipped.

They are the trained ones rounded to float16. A graph's weights have no names. Which is which is found by
exporting a vision tower of known numbers the same way: its graph has them in the same places. A tuned encoder
comes back with its batch norms in its convolutions, which gives the same graph again.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from yochi_runtime.bundle import EXPLAIN, GLOSSARY, LORA, PACK, TOKENIZER, VISION, Bundle, Kind
from yochi_runtime.errors import UsageError
from yochi_runtime.explanation import FORM
from yochi_runtime.explanation_choices import LIMIT
from yochi_train.assemble import assemble
from yochi_train.lite0 import OPENED, Block, Lite0
from yochi_train.model_folder import ADAPTER, ENCODER, MODEL, PROJECTOR, new_model, write_explains
from yochi_train.model_folder import EXPLAIN as EXPLAIN_ADAPTER
from yochi_train.nano import YochiNanoForConditionalGeneration
from yochi_train.nano.vision import VisionTower
from yochi_train.policy import LORA_TARGETS
from yochi_train.positives import write_positives

from .lora import WEIGHTS, read_lora
from .quantize import to_half
from .trained import peft_in_silence
from .vision import export_vision, fold_norms, normed

Floats = NDArray[np.float32]
State = dict[str, torch.Tensor]
OF_PROJECTOR, WEIGHT, BIAS = "projector ", " weight", " bias"


def unpack(bundle: Bundle, base: Path, out: Path) -> Path:
    """Write `out/model`, as `yochi-train sft` leaves it. UsageError where `out` holds a model already, and
    where the vision graph is not stored as float16 or has another encoder.
    """
    if bundle.manifest.kind is not Kind.NANO:
        raise UsageError("expected a bundle of yochi-nano, got a stock model; its checkpoint has the weights")
    made = out / MODEL
    if made.exists():
        raise UsageError(f"expected a new run folder, {made} exists; choose another")
    model, _ = assemble(bundle.path / PACK, base)
    projector, encoder = read_vision(bundle.path / VISION, model.vision)
    with new_model(out) as folder:
        _write_adapter(model, *read_lora(bundle.path / LORA, base), folder / ADAPTER)
        save_file(projector, folder / PROJECTOR, metadata={"format": "pt"})
        if encoder is not None:
            save_file(encoder, folder / ENCODER, metadata={"format": "pt"})
        write_positives(bundle.manifest.positives, folder)
        if EXPLAIN in bundle.manifest.files:
            _write_adapter(model, *read_lora(bundle.path / EXPLAIN, base), folder / EXPLAIN_ADAPTER)
        elif bundle.manifest.explanation == FORM:
            write_explains(folder, LIMIT)  # how many it learned with is not in a bundle
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
        adapted = get_peft_model(model.language, config)
        adapted.save_pretrained(str(folder))
        adapted.unload()
    tensors = {name: torch.from_numpy(matrix) for name, matrix in matrices.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def read_vision(graph: Path, tower: VisionTower) -> tuple[State, State | None]:
    """The states of projector and encoder in `graph`, float16 storage; None for one that was not tuned.

    `tower`, of the same shapes and with the pretrained encoder, is overwritten.
    """
    pretrained = {name: getattr(owner, conv) for name, owner, conv, _ in _opened(fold_norms(tower).encoder)}
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
        if not _near(pattern[name], found[name]):
            raise UsageError(f"expected our encoder's first stages in {graph}, {name} differs; give the run")
    read = {
        name: torch.from_numpy(np.array(found[place].T if turned else found[place], order="C")).float()
        for name, (place, turned) in places.items()
    }
    projector = {n.removeprefix(OF_PROJECTOR): v for n, v in read.items() if n.startswith(OF_PROJECTOR)}
    tuned = not all(
        _near(conv.weight.detach(), read[f"{name}{WEIGHT}"])
        and _near(conv.bias.detach(), read[f"{name}{BIAS}"])
        for name, conv in pretrained.items()
    )
    return projector, _encoder_state(tower, read) if tuned else None


def _encoder_state(numbered: VisionTower, read: State) -> State:
    """The encoder's state with what was read in place of the numbers: batch norms only add."""
    with torch.no_grad():
        for name, owner, conv, norm in _opened(numbered.encoder):
            getattr(owner, conv).weight.copy_(read[f"{name}{WEIGHT}"])
            getattr(owner, norm).bias.copy_(read[f"{name}{BIAS}"])
    return numbered.encoder.state_dict()


def _opened(encoder: Lite0) -> Iterator[tuple[str, Lite0 | Block, str, str]]:
    """What `yochi-train tune` opens: a name of ours, the owner, its convolution and the norm after it."""
    for i, (owner, conv, norm) in enumerate(normed(encoder)):
        if owner in encoder._blocks[OPENED:] or conv == "_conv_head":
            yield f"conv {i}", owner, conv, norm


def _number(tower: VisionTower) -> dict[str, Floats]:
    """Fill projector and opened stages with numbers that occur once; they are returned by name."""
    draw = torch.Generator().manual_seed(0)

    def numbers(like: torch.Tensor) -> torch.Tensor:
        return torch.rand(like.shape, generator=draw) + 0.5

    state = {name: numbers(value) for name, value in tower.projector.state_dict().items()}
    tower.projector.load_state_dict(state)
    known = {f"{OF_PROJECTOR}{name}": value for name, value in state.items()}
    with torch.no_grad():
        for name, owner, conv_name, norm_name in _opened(tower.encoder):
            conv, norm = getattr(owner, conv_name), getattr(owner, norm_name)
            known[f"{name}{WEIGHT}"], known[f"{name}{BIAS}"] = numbers(conv.weight), numbers(norm.bias)
            conv.weight.copy_(known[f"{name}{WEIGHT}"])
            norm.bias.copy_(known[f"{name}{BIAS}"])
            norm.running_mean.zero_()
            norm.weight.fill_(1)
            norm.running_var.fill_(1 - norm.eps)
    return {name: value.numpy() for name, value in known.items()}


def _near(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, rtol=1e-2, atol=1e-3))


def _weights(graph: Path) -> dict[str, NDArray[np.generic]]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(graph).graph.initializer}


def _place(value: Floats, pattern: Mapping[str, NDArray[np.generic]]) -> tuple[str, bool]:
    """The initializer that holds `value`, and whether it is turned (inputs first)."""
    for name, stored in pattern.items():
        for turned in (False, True):
            seen = value.T if turned else value
            if stored.shape == seen.shape and np.array_equal(seen.astype(stored.dtype), stored):
                return name, turned
    raise UsageError("expected every weight of the tower in its own graph; export and unpack disagree")
