"""A vision-language model of transformers by hub id or folder: weights, tokenizer, image processor, template.

Not by its processor class: those of Qwen-VL and SmolVLM2 ask for torchvision, for videos that nobody shows.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)
from transformers.processing_utils import ProcessorMixin
from yochi_runtime.errors import UsageError

from .families import FAMILIES
from .family import Family


@dataclass(frozen=True, eq=False)
class Hub:
    """`name` as it was given; `vlm` in float32, on the CPU, in evaluation mode."""

    name: str
    family: Family
    vlm: Any
    tokenizer: PreTrainedTokenizerFast
    pictures: Any  # the image processor
    template: str


def open_vlm(name: str) -> Hub:
    """UsageError, one line, where it is none, or of a family that Yochi does not know."""
    try:
        vlm: Any = AutoModelForImageTextToText.from_pretrained(name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(name)
        pictures: Any = AutoImageProcessor.from_pretrained(name, backend="pil")  # type: ignore[no-untyped-call]
        template = chat_template(name, tokenizer)
    except (OSError, ValueError, ImportError, KeyError) as e:
        why = " ".join(str(e).split())[:200]
        raise UsageError(
            f"expected a vision-language model that transformers loads at {name}, got: {why}; give its hub "
            "id, or the folder that holds it"
        ) from e
    kind = vlm.config.model_type
    if kind not in FAMILIES:
        raise UsageError(f"expected a model of {', '.join(FAMILIES)}, got {kind} at {name}")
    if template is None or not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UsageError(f"expected a fast tokenizer and a chat template at {name}, found none")
    return Hub(name, FAMILIES[kind], vlm.eval(), tokenizer, pictures, template)


def chat_template(name: str, tokenizer: Any) -> str | None:
    """The processor's own, else the tokenizer's; None where there is not one of words."""
    template = ProcessorMixin.get_processor_dict(name)[0].get("chat_template") or tokenizer.chat_template
    return template if isinstance(template, str) else None


def pinned(name: str, vlm: Any) -> str:
    """The name with what pins the weights: the hub's commit, or the hash of a folder's weights."""
    folder = Path(name)
    if folder.is_dir():
        return f"{folder.resolve().name}@{_weights_hash(folder)}"
    return f"{name}@{vlm.config._commit_hash}"


def _weights_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()[:16]
