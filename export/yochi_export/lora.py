"""PEFT LoRA adapter -> GGUF LoRA, applied by llama.cpp at run time on the untouched base file; and back.

A base GGUF has its q and k rows permuted, so the rows of the LoRA's B of q and k are permuted the same way.
The scale alpha / rank is applied by llama.cpp.
"""

import json
import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from yochi_runtime.errors import UsageError
from yochi_train.gguf_llama import MATRICES, Matrix, permute, unpermute

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_NAME = re.compile(r".*\.layers\.(\d+)\.((?:self_attn|mlp)\.\w+)\.lora_([AB])\.weight")


def write_lora(adapter: Path, base: Path, out: Path) -> None:
    """Write the PEFT folder `adapter` as `out`, float16, for the llama-shaped GGUF `base`.

    The same input gives the same bytes. UsageError where the adapter has parts that a GGUF LoRA cannot carry.
    """
    config = _config(adapter)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    for name, matrix in sorted(_matrices(adapter, _heads(base)).items()):
        writer.add_tensor(name, _half(name, matrix))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_lora(file: Path, base: Path) -> tuple[float, dict[str, Matrix]]:
    """What `write_lora` wrote: alpha, and the matrices by PEFT's names, rounded to float16."""
    modules = {tensor: module for module, tensor in MATRICES.items()}
    heads = _heads(base)
    found: dict[str, Matrix] = {}
    reader = gguf.GGUFReader(file)
    alpha = reader.get_field(gguf.Keys.Adapter.LORA_ALPHA)
    if alpha is None:
        raise UsageError(f"expected a LoRA in {file}, it has no alpha; give lora.gguf of a bundle")
    for stored in reader.tensors:
        _, layer, tensor, _, part = stored.name.split(".")  # blk.7.attn_q.weight.lora_b
        half = part.removeprefix("lora_").upper()
        matrix: Matrix = np.array(stored.data, dtype=np.float32)
        if half == "B" and tensor in heads:
            matrix = unpermute(matrix, heads[tensor])
        found[f"base_model.model.model.layers.{layer}.{modules[tensor]}.lora_{half}.weight"] = matrix
    return float(alpha.contents()), found


def _config(adapter: Path) -> dict[str, Any]:
    file = adapter / CONFIG
    if not file.is_file():
        raise UsageError(
            f"expected a PEFT adapter with {CONFIG} in {adapter}, found none; check the run folder"
        )
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    # Each of these changes the arithmetic in a way that llama.cpp's LoRA does not know.
    refused = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias")
    foreign = [key for key in refused if config.get(key)]
    if config.get("peft_type") != "LORA" or foreign:
        raise UsageError(
            f"expected a plain LoRA in {file}, got {config.get('peft_type')} with {foreign}; train it plain"
        )
    return config


def _heads(base: Path) -> dict[str, int]:
    """Heads of the tensors whose rows are permuted, from the base GGUF's metadata."""
    reader = gguf.GGUFReader(base)

    def count(key: str) -> int:
        field = reader.get_field(key.format(arch="llama"))
        if field is None:
            raise UsageError(
                f"expected {key.format(arch='llama')} in {base.name}, found none; give a llama GGUF"
            )
        return int(field.contents())

    return {
        "attn_q": count(gguf.Keys.Attention.HEAD_COUNT),
        "attn_k": count(gguf.Keys.Attention.HEAD_COUNT_KV),
    }


def _matrices(adapter: Path, heads: dict[str, int]) -> dict[str, Matrix]:
    """By llama.cpp's names: A as (rank, in), B as (out, rank)."""
    matrices: dict[str, Matrix] = {}
    for name, value in load_file(adapter / WEIGHTS).items():
        found = _NAME.fullmatch(name)
        tensor = MATRICES.get(found[2]) if found else None
        if found is None or tensor is None:
            raise UsageError(
                f"expected LoRA weights of {', '.join(MATRICES)}, got {name}; train on those modules"
            )
        matrix: Matrix = value.astype(np.float32)
        if found[3] == "B" and tensor in heads:
            matrix = permute(matrix, heads[tensor])
        matrices[f"blk.{found[1]}.{tensor}.weight.lora_{found[3].lower()}"] = matrix
    return matrices


def _half(name: str, matrix: Matrix) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = matrix.astype(np.float16)
    if not np.isfinite(half).all():
        raise UsageError(
            f"expected {name} to fit float16, its largest value is {np.abs(matrix).max()}; train it anew"
        )
    return half
