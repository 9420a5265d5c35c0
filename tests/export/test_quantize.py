"""The two small forms against the float graph, and how one of them is chosen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from yochi_export.forms import Forms, choose_form, make_forms
from yochi_export.frames import pictures_in, prepared
from yochi_export.measure import Cost
from yochi_export.parity import Parity
from yochi_export.quantize import Recipe, half_weights, quantized_nodes, to_int8
from yochi_runtime.errors import UsageError

PASSED = Parity(
    records=500,
    pictures=100,
    templates=90,
    slots=40,
    mean_difference=0.004,
    max_difference=0.1,
    worst_slot="cue:fire",
    flips={"stop->caution": 2},
    flip_rate=0.004,
    flip_limit=0.0125,
    stops_lost=0,
)


def test_both_forms_are_small_and_near_the_float_graph(
    float_graph: Path, photos: Path, tmp_path: Path
) -> None:
    forms = make_forms(float_graph, tmp_path, pictures_in(photos), (Recipe("minmax"),))
    whole, half, int8 = (forms.costs[name] for name in ("float", "half", forms.best))
    assert {path.name for path in tmp_path.iterdir()} == {"half.onnx", "int8.onnx"}
    assert whole.embeds_error == 0.0
    assert half.bytes < 0.55 * whole.bytes
    assert half.embeds_error <= 0.01
    assert int8.bytes < half.bytes
    assert int8.embeds_error <= 0.5  # of random projector weights; a trained one is held to the slots' parity
    assert all(cost.ms > 0 for cost in forms.costs.values())
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds


def test_int8_is_the_same_bytes_every_time(float_graph: Path, photos: Path, tmp_path: Path) -> None:
    frames = prepared(pictures_in(photos), 2)
    for name in ("a", "b"):
        to_int8(float_graph, tmp_path / f"{name}.onnx", frames, Recipe("minmax"))
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


@pytest.mark.parametrize(
    ("int8_ms", "parity", "form"),
    [
        (10.0, PASSED, "int8"),
        (30.0, PASSED, "half"),  # slower
        (20.0, PASSED, "half"),  # as fast is not faster
        (10.0, replace(PASSED, mean_difference=0.02), "half"),
        (10.0, replace(PASSED, records=499), "half"),  # undecided is not passed
        (10.0, None, "half"),
    ],
)
def test_int8_is_chosen_where_it_is_faster_and_the_same(
    int8_ms: float, parity: Parity | None, form: str
) -> None:
    forms = Forms({"float": cost(40.0), "half": cost(20.0), "minmax": cost(int8_ms)}, "minmax")
    assert choose_form(forms, parity) == form


def test_no_frames_is_said_plainly(float_graph: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected pictures"):
        pictures_in(tmp_path)
    with pytest.raises(UsageError, match="expected a folder"):
        pictures_in(tmp_path / "none")
    with pytest.raises(UsageError, match="expected frames"):
        to_int8(float_graph, tmp_path / "x.onnx", [], Recipe())
