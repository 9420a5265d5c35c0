"""The folder that Transformers.js loads: settings at the top, graphs in `onnx/`.

A name tells the storage: `decoder_model_merged.onnx` is float32, `decoder_model_merged_fp16.onnx` float16.
A graph that is too large for one file has its weights beside it, in `NAME.onnx_data`.
"""

from enum import StrEnum
from pathlib import Path

GRAPHS = "onnx"  # the folder's name
FLOAT, HALF = "fp32", "fp16"
# As Transformers.js calls them (its `dtype`), with what stands before `.onnx`.
SUFFIXES = {FLOAT: "", HALF: "_fp16", "int8": "_int8", "q8": "_quantized", "q4": "_q4"}


class Graph(StrEnum):
    """The value is the file's stem in float32."""

    VISION = "vision_encoder"
    EMBED = "embed_tokens"
    DECODER = "decoder_model_merged"


def graph_file(folder: Path, graph: Graph, dtype: str = FLOAT) -> Path:
    """`dtype` is one of SUFFIXES."""
    return folder / GRAPHS / f"{graph}{SUFFIXES[dtype]}.onnx"


def weights_file(file: Path) -> Path:
    """Where the weights of the graph in `file` are if not in it."""
    return file.with_name(f"{file.name}_data")


def bytes_of(file: Path) -> int:
    """Of a graph with its weights."""
    weights = weights_file(file)
    return file.stat().st_size + (weights.stat().st_size if weights.exists() else 0)
