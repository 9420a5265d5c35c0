"""The base language model out of its GGUF: weights in float32, and a tokenizer without control tokens.

SmolLM2-135M-Instruct comes as Q4_1 and is stored and run as F16 (`yochi_runtime.requantize`). We train on
exactly what that file holds, so that the LoRA fits the very file that the box runs. transformers reads a GGUF
to the same weights, in eleven seconds of a core where this takes three.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig
from yochi_runtime.errors import UsageError
from yochi_runtime.gloss import Glossary
from yochi_runtime.tokens import TextTokenizer

from .gguf_llama import AROUND, MATRICES, NORMS, unpermute


def read_base(path: Path) -> gguf.GGUFReader:
    """For the functions below: reading 49,152 tokens and 48,900 merges is most of the work."""
    return gguf.GGUFReader(path)


def language_config(base: gguf.GGUFReader) -> LlamaConfig:
    """The shape that the file names."""

    def said(key: str) -> Any:
        field = base.get_field(key)
        if field is None:
            raise UsageError(
                f"expected a llama with {key} in the base model, found none; bring the base again"
            )
        return field.contents()

    return LlamaConfig(
        max_position_embeddings=said("llama.context_length"),
        num_hidden_layers=said("llama.block_count"),
        intermediate_size=said("llama.feed_forward_length"),
        hidden_size=said("llama.embedding_length"),
        head_dim=said("llama.rope.dimension_count"),
        rope_parameters={"rope_theta": said("llama.rope.freq_base"), "rope_type": "default"},
        num_attention_heads=said("llama.attention.head_count"),
        num_key_value_heads=said("llama.attention.head_count_kv"),
        rms_norm_eps=said("llama.attention.layer_norm_rms_epsilon"),
        vocab_size=said("llama.vocab_size"),
        bos_token_id=said("tokenizer.ggml.bos_token_id"),
        eos_token_id=said("tokenizer.ggml.eos_token_id"),
        pad_token_id=said("tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=True,
    )


def language_weights(base: gguf.GGUFReader, config: LlamaConfig) -> Iterator[tuple[str, torch.Tensor]]:
    """(float32) The state of a `LlamaForCausalLM`, by transformers' names; tied, so without `lm_head`.

    One after the other: all of them at once, beside the model that takes them, are its size again. Read, not
    mapped: pages of the file that were looked at would stay resident, all 270 MB of it in the end.
    """
    stored = {tensor.name: tensor for tensor in base.tensors}
    heads = {
        "attn_q": config.num_attention_heads,
        "attn_k": config.num_key_value_heads or config.num_attention_heads,
    }

    def value(tensor: str, kind: str = "") -> torch.Tensor:
        found = stored[f"{tensor}.weight"]
        raw = np.fromfile(base.data.filename, np.uint8, found.n_bytes, offset=found.data_offset)
        data = raw.view(found.data.dtype).reshape(found.data.shape)
        rows = gguf.quants.dequantize(data, found.tensor_type)
        return torch.from_numpy(unpermute(rows, heads[kind]) if kind in heads else rows)

    for ours, theirs in AROUND.items():
        yield f"model.{ours}.weight", value(theirs)
    for layer in range(config.num_hidden_layers):
        for ours, theirs in (MATRICES | NORMS).items():
            yield f"model.layers.{layer}.{ours}.weight", value(f"blk.{layer}.{theirs}", theirs)


def fill(model: torch.nn.Module, weights: Iterator[tuple[str, torch.Tensor]]) -> None:
    """Copies them into the parameters of `model`. KeyError for an unknown one, ValueError if one is left."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, values in weights:
            own.pop(name).copy_(values)
    if own:
        raise ValueError(f"expected weights for every parameter, got none for {', '.join(sorted(own))}")


def base_tokenizer(base: gguf.GGUFReader) -> TextTokenizer:
    """SmolLM2's byte-level BPE from the GGUF's own vocabulary and merges, behind the glossary of this source.

    Single digits, no added tokens.
    """

    def strings(key: str) -> list[str]:
        field = base.fields[key]
        return [bytes(field.parts[i]).decode("utf-8") for i in field.data]

    vocabulary = {token: i for i, token in enumerate(strings("tokenizer.ggml.tokens"))}
    merges = [(a, b) for a, _, b in (m.partition(" ") for m in strings("tokenizer.ggml.merges"))]
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    with resources.as_file(resources.files("yochi_train") / "data" / "glossary.ja.tsv") as file:
        return TextTokenizer(bpe, Glossary.load(file))
