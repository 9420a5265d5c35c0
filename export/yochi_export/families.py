"""Which form can be made of which family of models: the table of the design's section 6, with reasons."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Architectures that the exporter tells apart."""

    NANO = "yochi-nano"
    SMOLVLM = "SmolVLM / Idefics3"
    LLAVA = "LLaVA"
    QWEN = "Qwen2.5-VL, Qwen3-VL"


class Form(StrEnum):
    """What a checkpoint may become; the value is what is typed."""

    BUNDLE = "bundle"  # ONNX Runtime for the picture, llama.cpp for the language
    GGUF = "gguf"  # stock GGUF + mmproj, for llama-server, LM Studio, Ollama
    ONNX = "three-file-onnx"  # vision_encoder, embed_tokens, decoder_model_merged


@dataclass(frozen=True)
class Cell:
    """`made_by` is the command that makes it, None where none does; `why` says so in words."""

    why: str
    made_by: str | None = None


_LATER = "the design has it, this version does not make it yet"
_OWN = "an assembled model of our own: no other program knows its encoder, projector and slots"
_MROPE = "M-RoPE: a picture's tokens have positions of three axes, which the joining by embeddings cannot say"

_STOCK = "for llama-server, LM Studio, Ollama: text and mmproj"
_GGUF = "yochi-export gguf"

TABLE: dict[Family, dict[Form, Cell]] = {
    Family.NANO: {
        Form.BUNDLE: Cell("what the box judges with", "yochi-export all"),
        Form.GGUF: Cell(_OWN),
        Form.ONNX: Cell(_OWN),
    },
    Family.SMOLVLM: {
        Form.BUNDLE: Cell(_LATER),
        Form.GGUF: Cell(_STOCK, _GGUF),
        Form.ONNX: Cell(_LATER),
    },
    Family.LLAVA: {
        Form.BUNDLE: Cell(_LATER),
        Form.GGUF: Cell("the text half alone: upstream cannot convert CLIP's vision half", _GGUF),
        Form.ONNX: Cell(_LATER),
    },
    Family.QWEN: {
        Form.BUNDLE: Cell(_MROPE),
        Form.GGUF: Cell(_STOCK, _GGUF),
        Form.ONNX: Cell(_LATER),
    },
}

MODEL_TYPES = {  # `model_type` of config.json
    "yochi_nano": Family.NANO,
    "smolvlm": Family.SMOLVLM,
    "idefics3": Family.SMOLVLM,
    "llava": Family.LLAVA,
    "qwen2_5_vl": Family.QWEN,
    "qwen3_vl": Family.QWEN,
}
