"""The ladder: what a model's weights may be stored as. Vision and language are chosen apart.

Vision is an ONNX graph, language a GGUF file. Each ladder goes from the trained numbers down to the smallest.
yochi-nano's language half has one rung: it was trained on the values of the very base file that the box runs,
with a LoRA beside it, and any other storage would be another model.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .quantize import RECIPES, Recipe, to_dynamic, to_half, to_int8, to_nbits


class VisionRung(StrEnum):
    """Of a graph; the value is its name in files and tables."""

    FP32 = "fp32"
    FP16 = "fp16"
    DYNAMIC = "int8-dynamic"
    STATIC = "int8-static"
    NBITS8 = "nbits-8"
    NBITS4 = "nbits-4"


class LanguageRung(StrEnum):
    """Of a language model, in llama.cpp's names."""

    F16 = "F16"
    Q8_0 = "Q8_0"
    Q6_K = "Q6_K"
    Q5_K_M = "Q5_K_M"
    Q4_K_M = "Q4_K_M"
    Q4_0 = "Q4_0"


NANO_LANGUAGE = "base and LoRA as trained"


def make_rung(
    source: Path,
    out: Path,
    rung: VisionRung,
    frames: Sequence[NDArray[np.float32]] = (),
    recipe: Recipe = RECIPES[0],
) -> None:
    """Write the float graph `source` as `rung`; `frames` and `recipe` are for static int8 alone.

    UsageError where it cannot be: no frames, or weights that float16 does not hold.
    """
    match rung:
        case VisionRung.FP32:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(source.read_bytes())
        case VisionRung.FP16:
            to_half(source, out)
        case VisionRung.DYNAMIC:
            to_dynamic(source, out)
        case VisionRung.STATIC:
            to_int8(source, out, frames, recipe)
        case VisionRung.NBITS8:
            to_nbits(source, out, 8)
        case VisionRung.NBITS4:
            to_nbits(source, out, 4)
