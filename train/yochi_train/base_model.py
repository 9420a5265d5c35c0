"""The base language model out of its GGUF: dequantized weights, and a tokenizer without control tokens.

SmolLM2-135M-Instruct comes as Q4_1 and is stored and run as F16 (`yochi_runtime.requantize`). We train on
exactly what that file holds, so that the LoRA fits the very file that the box runs.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.gloss import Glossary
from yochi_runtime.tokens import TextTokenizer


def load_language(path: Path | None = None) -> LlamaForCausalLM:
    """(fp32) SmolLM2 as transformers knows it, from the checked GGUF (or `path`)."""
    path = path or find_base(NANO_BASE)
    loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    # transformers refuses to save a model that came from a GGUF: copy the weights into a clean one.
    foreign = ("quantization_config", "_name_or_path", "architectures", "transformers_version", "model_type")
    clean: dict[str, Any] = {k: v for k, v in loaded.config.to_dict().items() if k not in foreign}
    model = LlamaForCausalLM(LlamaConfig(**clean))
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    model.eval()  # type: ignore[no-untyped-call]
    return model


def load_tokenizer(path: Path | None = None) -> TextTokenizer:
    """SmolLM2's byte-level BPE from the GGUF's own vocabulary and merges, behind the glossary of this source.

    Single digits, no added tokens.
    """
    reader = gguf.GGUFReader(path or find_base(NANO_BASE))

    def strings(key: str) -> list[str]:
        field = reader.fields[key]
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
