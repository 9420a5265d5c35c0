"""A finished training run that is tiny and random, and its base as an F32 GGUF: real engines, no real base.

The vision half is the real encoder with its pretrained weights; the language half is a llama of two layers
whose q and k rows are permuted for llama.cpp, as its converter does, so torch and llama.cpp must agree.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig
from yochi_export.trained import peft_in_silence
from yochi_runtime.bundle import BaseModelEntry, file_sha256
from yochi_runtime.taxonomy import load_pack, pack_text
from yochi_runtime.tokens import TextTokenizer
from yochi_train import lite0
from yochi_train.gguf_llama import AROUND, MATRICES, NORMS, permute
from yochi_train.model_folder import write_explains
from yochi_train.nano import YochiNanoConfig, YochiNanoForConditionalGeneration, YochiNanoProcessor
from yochi_train.nano.model import YochiNanoForConditionalGeneration as Nano
from yochi_train.policy import lora_config
from yochi_train.settings import SftSettings

from tests.fixtures.tokenizer import small_bpe

WIDTH, HEADS, KV_HEADS, LAYERS = 64, 4, 2, 2
PROJECTOR = 32


@dataclass(frozen=True)
class TinyRun:
    """`folder` as `yochi-train sft` leaves it; `base` its GGUF, described by `entry`."""

    folder: Path
    base: Path
    entry: BaseModelEntry


def tiny_nano() -> tuple[Nano, YochiNanoProcessor]:
    """The same weights every time: seeded, and large enough for the answers to differ."""
    torch.manual_seed(0)
    bpe: Tokenizer = small_bpe()
    text = LlamaConfig(
        vocab_size=bpe.get_vocab_size(),
        hidden_size=WIDTH,
        intermediate_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        rms_norm_eps=1e-5,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    cues = [cue.id for cue in load_pack().cue]
    model = YochiNanoForConditionalGeneration(
        YochiNanoConfig(text_config=text.to_dict(), cues=cues, projector_size=PROJECTOR)
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "encoder" not in name:
                weight.normal_(0, weight.shape[1] ** -0.5)
    model.vision.encoder.load_state_dict(lite0.pretrained().state_dict())
    model.train(False)
    return model, YochiNanoProcessor(TextTokenizer(bpe), pack_text())


def random_lora(model: Nano, size: float) -> torch.nn.Module:
    """The trainer's LoRA on the language half, B normal of standard deviation `size` instead of zero."""
    nowhere = Path("nowhere")
    settings = SftSettings(records=nowhere, photos=nowhere, features=nowhere)
    layers = model.config.text_config.num_hidden_layers
    with peft_in_silence():
        adapted: torch.nn.Module = get_peft_model(model.language, lora_config(settings, layers))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, size)
    adapted.train(False)
    return adapted


def write_run(root: Path) -> TinyRun:
    """`root/run` and `root/base.gguf`."""
    model, processor = tiny_nano()
    base = root / "base.gguf"
    write_base(model, base)
    folder = root / "run" / "model"
    folder.mkdir(parents=True)
    adapted = random_lora(model, 0.05)
    adapted.save_pretrained(str(folder / "adapter"))  # type: ignore[operator]
    save_file(model.vision.projector.state_dict(), folder / "projector.safetensors")
    processor.save_pretrained(folder)
    counts = {
        slot.id: 100 for slot in processor.pack.slots if slot.id not in ("verdict", "note_content:fall")
    }
    (folder / "positives.json").write_text(json.dumps(counts), encoding="utf-8")
    write_explains(folder, 64)
    entry = BaseModelEntry(
        file="base.gguf", bytes=base.stat().st_size, sha256=file_sha256(base), package="tiny-base==1"
    )
    return TinyRun(folder.parent, base, entry)


def write_base(model: Nano, path: Path, rope: float = 10_000.0, zeroed: int | None = None) -> None:
    """The language half in F32, without a vocabulary of words; embeddings are tied, so there is no output
    matrix. Another `rope` base or a `zeroed` layer makes one that is not the model's.
    """
    config = model.config.text_config
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(rope)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("none")
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    for name, weight in _tensors(model).items():
        spoiled = name.startswith(f"blk.{zeroed}.") and "norm" not in name
        writer.add_tensor(name, np.zeros_like(weight) if spoiled else np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(model: Nano) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    state = {name: value.detach().numpy() for name, value in model.language.model.state_dict().items()}
    found = {f"{theirs}.weight": state[f"{ours}.weight"] for ours, theirs in AROUND.items()}
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}
    for layer in range(LAYERS):
        for ours, theirs in (MATRICES | NORMS).items():
            weight = state[f"layers.{layer}.{ours}.weight"]
            found[f"blk.{layer}.{theirs}.weight"] = (
                permute(weight, heads[theirs]) if theirs in heads else weight
            )
    return found
