"""The rungs of the vision graph against the float graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from yochi_export.forms import Forms, make_forms, output_sizes
from yochi_export.frames import pictures_in, prepared
from yochi_export.measure import Cost, measure
from yochi_export.quantize import Recipe, half_weights, quantized_nodes, to_int8
from yochi_export.rungs import VisionRung, make_rung
from yochi_runtime.errors import UsageError


def test_both_forms_are_small_and_near_the_float_graph(
    float_graph: Path, photos: Path, tmp_path: Path
) -> None:
    forms = make_forms(float_graph, tmp_path, pictures_in(photos), (Recipe(),))
    whole, half, int8 = (forms.costs[name] for name in ("fp32", "fp16", forms.best))
    assert {path.name for path in tmp_path.iterdir()} == {"fp16.onnx", "int8-static.onnx"}
    assert whole.embeds_error == 0.0
    assert half.bytes < 0.55 * whole.bytes
    assert half.embeds_error <= 0.01
    assert int8.bytes < half.bytes
    assert int8.embeds_error <= 0.5  # of random projector weights; a trained one is held to the slots' parity
    assert all(cost.ms > 0 for cost in forms.costs.values())
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8-static.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds


def test_int8_is_the_same_bytes_every_time(float_graph: Path, photos: Path, tmp_path: Path) -> None:
    frames = prepared(pictures_in(photos), 2)
    for name in ("a", "b"):
        to_int8(float_graph, tmp_path / f"{name}.onnx", frames, Recipe())
    data = (tmp_path / "a.onnx").read_bytes()
    assert data == (tmp_path / "b.onnx").read_bytes()
    assert str(tmp_path).encode() not in data


def test_a_recipe_names_its_nodes(float_graph: Path) -> None:
    graph = onnx.load(float_graph).graph
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    plain, ends = quantized_nodes(graph, Recipe()), quantized_nodes(graph, Recipe(float_ends=True))
    assert set(convolutions) <= set(plain)
    assert set(plain) - set(ends) == {convolutions[0], convolutions[-1]}
    assert set(quantized_nodes(graph, Recipe(projector=True))) - set(plain) != set()
    assert not any(name.startswith(("matmul", "layernorm", "sigmoid")) for name in plain)


def test_large_matrices_become_float16_and_vectors_stay() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((64, 32)).astype(np.float32)
    weights = [
        numpy_helper.from_array(matrix, "w"),
        numpy_helper.from_array(np.ones(4096, np.float32), "scale"),
    ]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", 64), ("y", 32))]
    model = helper.make_model(helper.make_graph([node], "g", shapes[:1], shapes[1:], weights))
    half = half_weights(model)
    kinds = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert kinds == {"w_half": TensorProto.FLOAT16, "scale": TensorProto.FLOAT}
    assert [node.op_type for node in half.graph.node] == ["Cast", "MatMul"]
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT, "the original is untouched"
    weights[0].CopyFrom(numpy_helper.from_array(matrix * 1e6, "w"))
    with pytest.raises(UsageError, match="float16"):
        half_weights(helper.make_model(helper.make_graph([node], "g", shapes[:1], shapes[1:], weights)))


def cost(ms: float) -> Cost:
    return Cost(bytes=1, ms=ms, embeds_error=0.0, cells_error=0.0, cells_max=0.0)


@pytest.mark.parametrize(("int8_ms", "faster"), [(10.0, True), (30.0, False), (20.0, False)])
def test_int8_is_worth_its_proof_where_it_is_faster(int8_ms: float, faster: bool) -> None:
    forms = Forms({"fp32": cost(40.0), "fp16": cost(20.0), "minmax": cost(int8_ms)}, "minmax")
    assert forms.int8_is_faster is faster, "as fast is not faster"


@pytest.mark.parametrize(
    ("rung", "kind", "share", "error"),
    [
        (VisionRung.FP32, "Conv", 1.0, 0.0),
        (VisionRung.DYNAMIC, "MatMulInteger", 0.54, 0.2),
        (VisionRung.NBITS8, "MatMulNBits", 0.54, 0.05),
        (VisionRung.NBITS4, "MatMulNBits", 0.54, 0.3),
    ],
)
def test_a_rung_has_its_operators_its_size_and_is_near(
    float_graph: Path, photos: Path, tmp_path: Path, rung: VisionRung, kind: str, share: float, error: float
) -> None:
    made = tmp_path / "rung.onnx"
    make_rung(float_graph, made, rung)
    assert kind in {node.op_type for node in onnx.load(made).graph.node}
    frames = prepared(pictures_in(photos), 1)
    costs = measure({"fp32": float_graph, rung: made}, frames, *output_sizes(float_graph))
    assert costs[rung].bytes <= share * costs["fp32"].bytes
    assert costs[rung].embeds_error <= error
    assert (costs[rung].embeds_error > 0) is (rung is not VisionRung.FP32)
    if rung is VisionRung.NBITS8:
        make_rung(float_graph, tmp_path / "again.onnx", rung)
        assert (tmp_path / "again.onnx").read_bytes() == made.read_bytes()


def test_no_frames_is_said_plainly(float_graph: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected pictures"):
        pictures_in(tmp_path)
    with pytest.raises(UsageError, match="expected a folder"):
        pictures_in(tmp_path / "none")
    with pytest.raises(UsageError, match="expected frames"):
        to_int8(float_graph, tmp_path / "x.onnx", [], Recipe())
