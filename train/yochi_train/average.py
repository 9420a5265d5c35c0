"""The mean of two finished runs' weights, where one went on from the other.

A run that goes on with other notes learns these and forgets some earlier ones; the mean of the two sets of
weights keeps most of both (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903).
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from yochi_runtime.bundle import GLOSSARY, PACK, TOKENIZER
from yochi_runtime.errors import UsageError

from .model_folder import ADAPTER, ADAPTER_WEIGHTS, ENCODER, MODEL, PROJECTOR, new_model
from .positives import POSITIVES, larger_counts, read_positives, write_positives

ALIKE = (PACK, TOKENIZER, GLOSSARY, f"{ADAPTER}/adapter_config.json")


def average(first: Path, second: Path, out: Path) -> Path:
    """`out/model` with the mean of LoRA and projector; of positive examples the larger count a slot.

    Written beside and moved into place. UsageError where the runs differ in anything but their weights.
    """
    one, other = first / MODEL, second / MODEL
    for name in (*ALIKE, ADAPTER_WEIGHTS, PROJECTOR, POSITIVES):
        for folder in (one, other):
            if not (folder / name).is_file():
                raise UsageError(f"expected a finished run, {folder / name} is missing; run: yochi-train sft")
    for name in ALIKE:
        if _settled(one / name) != _settled(other / name):
            raise UsageError(f"expected two runs alike but for their weights, {name} differs in {second}")
    if _bytes(one / ENCODER) != _bytes(other / ENCODER):
        raise UsageError(
            f"expected two runs that see alike, {second} has another encoder than {first}; "
            "average before `tune` or after it"
        )
    with new_model(out, other) as model:
        for name in (ADAPTER_WEIGHTS, PROJECTOR):
            save_file(_mean(one / name, other / name), model / name, metadata={"format": "pt"})
        write_positives(larger_counts(read_positives(one), read_positives(other)), model)
    return out / MODEL


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _settled(file: Path) -> object:
    """What a file says: PEFT writes its lists of module names in any order."""
    if file.suffix != ".json":
        return file.read_bytes()
    said = json.loads(file.read_text(encoding="utf-8"))
    return {k: sorted(v, key=str) if isinstance(v, list) else v for k, v in said.items()}


def _mean(one: Path, other: Path) -> dict[str, torch.Tensor]:
    first, second = load_file(one), load_file(other)
    if {k: v.shape for k, v in first.items()} != {k: v.shape for k, v in second.items()}:
        raise UsageError(f"expected the tensors of {one} in {other}, their names or shapes differ")
    return {name: (tensor + second[name]) / 2 for name, tensor in first.items()}
