"""Which form can be made of which family of models: the table of the design's section 6, with reasons."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Architectures that the exporter tells apart."""

    NANO = "yochi-nano"
    SMOLVLM = "SmolVLM / Idefics3"
    LLAVA = "LLaVA"
    QWEN2_5 = "Qwen2.5-VL"
    QWEN3 = "Qwen3-VL"


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
_DEEPSTACK = "DeepStack: a picture enters several decoder layers, Transformers.js takes it to the first alone"
_THREE = Cell("vision_encoder, embed_tokens, decoder_model_merged: for Transformers.js", "yochi-export onnx")

_GGUF = "yochi-export gguf"
_STOCK = Cell("text and mmproj: for llama-server, LM Studio, Ollama; `pack` makes a bundle of it", _GGUF)

TABLE: dict[Family, dict[Form, Cell]] = {
    Family.NANO: {
        Form.BUNDLE: Cell("what the box judges with", "yochi-export all"),
        Form.GGUF: Cell(_OWN),
        Form.ONNX: Cell(_OWN),
    },
    Family.SMOLVLM: {Form.BUNDLE: Cell(_LATER), Form.GGUF: _STOCK, Form.ONNX: _THREE},
    Family.LLAVA: {
        Form.BUNDLE: Cell(_LATER),
        Form.GGUF: Cell("the text half alone: upstream cannot convert CLIP's vision half", _GGUF),
        Form.ONNX: _THREE,
    },
    Family.QWEN2_5: {Form.BUNDLE: Cell(_MROPE), Form.GGUF: _STOCK, Form.ONNX: _THREE},
    Family.QWEN3: {Form.BUNDLE: Cell(_MROPE), Form.GGUF: _STOCK, Form.ONNX: Cell(_DEEPSTACK)},
}

MODEL_TYPES = {  # `model_type` of config.json
    "yochi_nano": Family.NANO,
    "smolvlm": Family.SMOLVLM,
    "idefics3": Family.SMOLVLM,
    "llava": Family.LLAVA,
    "qwen2_5_vl": Family.QWEN2_5,
    "qwen3_vl": Family.QWEN3,
}
