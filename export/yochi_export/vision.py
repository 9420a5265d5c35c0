"""The vision tower as one ONNX graph: batch norms folded, no trace of the machine that made it.

Pixels (1, 3, 448, 448) float32 in; 49 embeddings for the language model and the cue scores of every cell out.
The graph is the same bytes for the same weights and library versions.
"""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import nn
from torch.nn.utils import fuse_conv_bn_weights
from yochi_runtime.image import SIDE
from yochi_runtime.vision import CELLS, EMBEDS, PIXELS
from yochi_train.lite0 import Block, Lite0
from yochi_train.nano.vision import VisionTower

OPSET = 20


def export_vision(tower: VisionTower, out: Path) -> None:
    """Write `tower` as float32 ONNX with its weights inside the file."""
    folded = fold_norms(tower)
    pixels = torch.zeros(1, 3, SIDE, SIDE)
    with quiet():
        program = torch.onnx.export(
            folded,
            (pixels,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[PIXELS],
            output_names=[EMBEDS, CELLS],
            external_data=False,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    save(clean(program.model_proto), out)


def fold_norms(tower: VisionTower) -> VisionTower:
    """A copy whose batch norms are part of the convolutions before them (inference only)."""
    copied = copy.deepcopy(tower).eval().float()
    for owner, conv, norm in normed(copied.encoder):
        _fold(owner, conv, norm)
    return copied


def normed(encoder: Lite0) -> Iterator[tuple[Lite0 | Block, str, str]]:
    """Every convolution with the batch norm after it: owner and both names, from the picture upwards."""
    yield encoder, "_conv_stem", "_bn0"
    for block in encoder._blocks:
        assert isinstance(block, Block)
        if block.expands:
            yield block, "_expand_conv", "_bn0"
        yield block, "_depthwise_conv", "_bn1"
        yield block, "_project_conv", "_bn2"
    yield encoder, "_conv_head", "_bn1"


def _fold(owner: Lite0 | Block, conv_name: str, norm_name: str) -> None:
    conv, norm = getattr(owner, conv_name), getattr(owner, norm_name)
    assert norm.running_mean is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    setattr(owner, norm_name, nn.Identity())


def clean(model: ModelProto, name: str = "vision") -> ModelProto:
    """Without doc strings and metadata: the exporter writes stack traces, and with them paths, into both."""
    copied = ModelProto()
    copied.CopyFrom(model)
    copied.producer_version = copied.doc_string = copied.domain = ""
    copied.producer_name = "yochi"
    _strip(copied)
    graph = copied.graph
    graph.name, graph.doc_string = name, ""
    del graph.value_info[:]  # shapes are inferred again; the exporter's names follow its own modules
    for items in (graph.node, graph.initializer, graph.input, graph.output):
        for item in items:
            item.doc_string = ""
            _strip(item)
    _strip(graph)
    _number(graph)
    return copied


def _strip(item: object) -> None:
    if hasattr(item, "metadata_props"):
        del item.metadata_props[:]


def _number(graph: onnx.GraphProto) -> None:
    """Short names in the order of the graph, so that they depend on nothing but its structure."""
    fixed = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": "", **{name: name for name in fixed}}
    for number, tensor in enumerate(graph.initializer):
        names.setdefault(tensor.name, f"w{number}")
        tensor.name = names[tensor.name]
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type.lower()}{number}"
        for i, name in enumerate(node.output):
            node.output[i] = names.setdefault(name, f"v{number}_{i}")
        for i, name in enumerate(node.input):
            node.input[i] = names[name]


def save(model: ModelProto, out: Path) -> None:
    """Checked, then written deterministically."""
    onnx.checker.check_model(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporter talks on stdout, in its log and in deprecation warnings of its own."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
