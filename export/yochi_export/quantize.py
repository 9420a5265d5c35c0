"""The rungs of an ONNX graph below float32, each by ONNX Runtime's own quantizer.

`int8-static`: QDQ, weights per channel and symmetric, activations uint8, ranges calibrated on real frames
(Jacob et al. 2018, arXiv 1712.05877). Convolutions and residual sums of the encoder are quantized; what
follows them (heads, norm, projector) stays in float, where a few scores decide. Weights have 7 bits
(`reduce_range`): on x86 without VNNI the products of 8-bit weights with uint8 saturate, and a bundle must say
the same on every box.

`int8-dynamic`: matrix products alone, ranges of activations taken at each run. Its convolutions stay float:
ConvInteger has one scale for a whole weight, and depthwise convolutions are lost with it (docs/decisions.md).

`nbits-8`, `nbits-4`: matrix products with weights in blocks of BLOCK that have a scale each (MatMulNBits).

`fp16`: every large weight stored as float16 with a Cast back to float32, which ONNX Runtime folds when it
loads. Weights that stay float in the other rungs are stored the same way.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from yochi_runtime.errors import UsageError
from yochi_runtime.vision import PIXELS

from .vision import clean, save

LARGE = 1024  # elements from which a weight is worth a Cast
BLOCK = 32  # weights that share a scale in MatMulNBits
INT8_PRODUCTS = 4  # MatMulNBits' accuracy level: activations become int8 for the product, as llama.cpp's do


@dataclass(frozen=True)
class Recipe:
    """How to make static int8, on the least and largest values that frames give.

    `float_ends`: stem and head convolution stay float. `projector`: fc1 is int8, too.
    """

    float_ends: bool = False
    projector: bool = False
    reduce_range: bool = True

    @property
    def name(self) -> str:
        parts: list[str] = ["minmax"]
        parts += ["float-ends"] * self.float_ends + ["projector"] * self.projector
        return "+".join([*parts, "7bit" if self.reduce_range else "8bit"])


RECIPES = (Recipe(), Recipe(float_ends=True), Recipe(projector=True))


def to_int8(source: Path, out: Path, frames: Sequence[NDArray[np.float32]], recipe: Recipe) -> None:
    """Quantize the float graph `source` with ranges from prepared `frames`, each (1, 3, 448, 448)."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    if not frames:
        raise UsageError("expected frames to calibrate with, got none; give a folder with pictures")
    model = onnx.load(source)
    with tempfile.TemporaryDirectory(prefix="yochi-int8-") as folder, _silent():
        raw = Path(folder) / "int8.onnx"
        quantize_static(
            str(source),
            str(raw),
            _Frames(frames),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "Clip", "MatMul"],
            nodes_to_quantize=quantized_nodes(model.graph, recipe),
            per_channel=True,
            reduce_range=recipe.reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
        )
        quantized = onnx.load(raw)
    save(clean(half_weights(quantized)), out)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The quantizer prints its progress, and advises on the root logger what this graph does not need."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def quantized_nodes(graph: GraphProto, recipe: Recipe) -> list[str]:
    """Nodes to quantize: the encoder up to its last convolution, and the widest MatMul if asked."""
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    last = max(i for i, node in enumerate(graph.node) if node.op_type == "Conv")
    ends = {convolutions[0], convolutions[-1]} if recipe.float_ends else set()
    names = [
        n.name for n in graph.node[: last + 2] if n.op_type in ("Conv", "Add", "Clip") and n.name not in ends
    ]
    if recipe.projector:
        sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
        products = [node for node in graph.node if node.op_type == "MatMul"]
        names.append(max(products, key=lambda node: max(sizes.get(name, 0) for name in node.input)).name)
    return names


class _Frames:
    """ONNX Runtime's calibration reader over prepared frames."""

    def __init__(self, frames: Sequence[NDArray[np.float32]]) -> None:
        self._frames = frames
        self._left: Iterator[NDArray[np.float32]] = iter(frames)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        frame = next(self._left, None)
        return None if frame is None else {PIXELS: frame}

    def rewind(self) -> None:
        self._left = iter(self._frames)


def to_dynamic(source: Path, out: Path) -> None:
    """Matrix products with int8 weights, a scale a column; ranges of inputs are found anew."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(prefix="yochi-int8-") as folder, _silent():
        raw = Path(folder) / "dynamic.onnx"
        quantize_dynamic(
            onnx.load(source),
            str(raw),
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,  # as static int8
            weight_type=QuantType.QInt8,
        )
        quantized = onnx.load(raw)
    save(clean(half_weights(quantized)), out)


def to_nbits(source: Path, out: Path, bits: int) -> None:
    """Matrix products with weights of 8 or 4 `bits` in blocks."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    with _silent():
        quantizer = MatMulNBitsQuantizer(
            onnx.load(source), bits=bits, block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_PRODUCTS
        )
        quantizer.process()
    save(clean(half_weights(quantizer.model.model)), out)


def to_half(source: Path, out: Path) -> None:
    """The float graph with float16 storage."""
    save(clean(half_weights(onnx.load(source))), out)


def half_weights(model: ModelProto) -> ModelProto:
    """A copy whose large float32 weights are float16 with a Cast; UsageError where one does not fit."""
    copied = ModelProto()
    copied.CopyFrom(model)
    graph = copied.graph
    casts: list[NodeProto] = []
    weights: list[TensorProto] = []
    for tensor in graph.initializer:
        # Vectors stay: they are small, and the scales among them must remain constants for the fusions.
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < LARGE:
            weights.append(tensor)
            continue
        stored = f"{tensor.name}_half"
        weights.append(numpy_helper.from_array(_half(tensor), stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(weights)
    graph.node.extend(nodes)
    return copied


def _half(tensor: TensorProto) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = numpy_helper.to_array(tensor).astype(np.float16)
    if not np.isfinite(half).all():
        raise UsageError(f"expected {tensor.name} to fit float16, it does not; train it anew")
    return half
