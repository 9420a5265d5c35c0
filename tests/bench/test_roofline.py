"""Operations and bytes by hand, a roofline on made-up times, and the command through a tiny bundle."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from yochi_bench.ceiling import Ceiling, in_turn, measure_ceiling
from yochi_bench.cli import command
from yochi_bench.operations import LanguageModel, Work, node_work, stage_work, vision_work
from yochi_bench.roofline import roofline
from yochi_runtime.bundle import LORA, VISION, file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.opening import prompt_of, read_bundle
from yochi_runtime.requantize import tensor_shapes
from yochi_runtime.taxonomy import Pack

from tests.fixtures.tiny_bundle import HIDDEN, LAYERS, RANK, WIDTH, TinyBundle

from .reports import valid_report


def node(name: str, inputs: list[list[int]], output: list[int], kind: str = "float") -> dict[str, Any]:
    return {
        "op_name": name,
        "input_type_shape": [{kind: shape} for shape in inputs],
        "output_type_shape": [{kind: output}],
    }


@pytest.mark.parametrize(
    ("said", "operations", "moved"),
    [
        # 2 outputs of 4 x 4, each sum over 3 channels of 3 x 3
        (
            node("Conv", [[1, 3, 4, 4], [2, 3, 3, 3], [2]], [1, 2, 4, 4]),
            2 * 32 * 27,
            4 * (48 + 54 + 2 + 32),
        ),
        # one channel a group
        (node("Conv", [[1, 8, 4, 4], [8, 1, 3, 3]], [1, 8, 4, 4]), 2 * 128 * 9, 4 * (128 + 72 + 128)),
        (node("MatMul", [[1, 5, 3], [3, 7]], [1, 5, 7]), 2 * 5 * 7 * 3, 4 * (15 + 21 + 35)),
        (node("Gemm", [[3, 5], [7, 3], [7]], [5, 7]), 2 * 5 * 7 * 3, 4 * (15 + 21 + 7 + 35)),
        (node("MatMul", [[2, 3], [3, 2]], [2, 2], "float16"), 2 * 4 * 3, 2 * 16),
        (node("Relu", [[9, 9]], [9, 9]), 0, 0),
    ],
)
def test_a_nodes_work_by_hand(said: dict[str, Any], operations: int, moved: int) -> None:
    assert node_work(said) == Work(operations, moved)


def test_an_int8_convolution_has_its_weights_elsewhere() -> None:
    inputs = [[1, 3, 4, 4], [], [], [2, 3, 3, 3], [], [], [], []]
    assert node_work(node("QLinearConv", inputs, [1, 2, 4, 4], "uint8")).operations == 2 * 32 * 27


def test_the_tiny_picture_model(tiny: TinyBundle, pack: Pack) -> None:
    """49 cells of 3 colours, times weights for the embeddings and for the cues."""
    cues = len(pack.cue)
    found = vision_work(tiny.folder / VISION)
    assert found.operations == 2 * 49 * 3 * (WIDTH + cues)
    assert found.bytes == 4 * (2 * 49 * 3 + 3 * (WIDTH + cues) + 49 * (WIDTH + cues))


def test_the_tiny_language_model(tiny: TinyBundle) -> None:
    found = LanguageModel.of(tiny.base, tiny.folder / LORA)
    kv = WIDTH // 2
    layer = 2 * WIDTH * WIDTH + 2 * WIDTH * kv + 3 * WIDTH * HIDDEN
    assert (found.layers, found.query, found.cache) == (LAYERS, WIDTH, LAYERS * 2 * kv)
    assert found.per_token == 2 * LAYERS * (layer + 2 * RANK * WIDTH)
    words = tensor_shapes(tiny.base.read_bytes())["output.weight"][1]
    assert found.head == 2 * WIDTH * words
    # float32, so 4 bytes a weight, and a little for the file's head
    assert found.head_bytes == pytest.approx(4 * WIDTH * words, rel=0.3)


def test_a_pass_by_hand() -> None:
    model = LanguageModel(
        layers=2, per_token=100.0, head=7.0, query=10, cache=6, layer_bytes=1000.0, head_bytes=50.0
    )
    found = model.passed(tokens=3, before=4, asked=2)
    # tokens look at 5, 6 and 7 positions: 18 of them, 4 * 10 * 2 operations each
    assert found.operations == 3 * 100 + 18 * 80 + 2 * 7
    assert found.bytes == 1000 + 50 + 4 * 6 * (4 + 2 * 3)
    assert model.passed(3, 4, 0).bytes == found.bytes - 50


def test_stages_are_the_readers_passes(tiny: TinyBundle) -> None:
    prompt = prompt_of(read_bundle(tiny.folder))
    model = LanguageModel(
        layers=0, per_token=1.0, head=1000.0, query=0, cache=0, layer_bytes=10.0, head_bytes=5.0
    )
    found = stage_work(model, prompt, [1] * 6)
    assert found["look"].operations == 49 + len(prompt.look) + 1000 * len(prompt.look_at)
    assert found["look"].bytes == 2 * 10 + 5  # two passes, one with answers
    tokens = len(prompt.sign()) + 6 + len(prompt.slots)
    assert found["note"] == Work(tokens + 1000 * len(prompt.slots_at), 15)


def test_what_is_no_llama_is_refused(tiny: TinyBundle) -> None:
    with pytest.raises(ValueError, match="expected a llama"):
        LanguageModel.of(tiny.folder / LORA, tiny.folder / LORA)


def test_a_roofline_by_hand() -> None:
    """100 G operations and 10 GB a second: the ridge is at 10 operations a byte."""
    work = {"vision": Work(4e9, 1e9), "look": Work(40e9, 1e9), "note": Work(10e9, 1e9)}
    timings = [{"vision": 200.0, "look": 800.0, "note": 100.0} for _ in range(11)]
    found = roofline(work, timings, [Ceiling(80e9, 10e9), Ceiling(100e9, 8e9)])
    rows = {row.id: {k: n.value for k, n in row.cells.items()} for row in found.tables[0].rows}
    assert rows["vision"]["limit"] == pytest.approx(40)
    assert rows["vision"]["rate"] == pytest.approx(20)
    assert rows["vision"]["attained"] == pytest.approx(0.5)
    assert rows["look"]["attained"] == pytest.approx(0.5)
    assert rows["note"]["attained"] == pytest.approx(1.0)
    assert found.notes == ("Bound: vision by moving bytes, look by computing, note by computing.",)
    product, copied = (next(iter(row.cells.values())) for row in found.tables[1].rows)
    assert (product.low, product.value, product.high) == (80.0, 100.0, 100.0)
    assert (copied.low, copied.value, copied.n) == (8.0, 10.0, 2)
    roof, vision, *_ = found.plots[0].series
    assert roof.x[1] == 10.0
    assert list(roof.y) == pytest.approx([10, 100, 100])
    assert [*vision.x, *vision.y] == pytest.approx([4, 20])


def test_a_time_that_so_few_do_not_carry_is_null() -> None:
    work = {stage: Work(1e9, 1e9) for stage in ("vision", "look", "note")}
    found = roofline(work, [{"vision": 1.0, "look": 1.0, "note": 1.0}], [Ceiling(1e9, 1e9)])
    cells = found.tables[0].rows[0].cells
    assert cells["attained"].value is None
    assert "--count" in str(cells["attained"].reason)
    assert len(found.plots[0].series) == 1


def test_the_machines_limits_are_measured() -> None:
    found = measure_ceiling(1, side=64, copied=2**20)
    assert found.operations > 1e6
    assert found.bytes > 1e6


def test_a_measuring_process_that_fails_is_one_line() -> None:
    with pytest.raises(UsageError, match="expected to measure the machine's limits, got: ValueError"):
        measure_ceiling(1, side=-1)


def test_limits_are_measured_before_between_and_after() -> None:
    told: list[str] = []

    def timed(count: int) -> list[str]:
        told.append(f"{count} times")
        return ["time"] * count

    def limits() -> Ceiling:
        told.append("limits")
        return Ceiling(1.0, 1.0)

    times, found = in_turn(timed, 11, limits)
    assert told == ["limits", "4 times", "limits", "4 times", "limits", "3 times", "limits"]
    assert (len(times), len(found)) == (11, 4)
    assert len(in_turn(timed, 1, limits)[1]) == 2


SIDE, PATCH, WIDTH_SEEN = 8, 4, 6


def write_eyes(path: Path, more: list[Any] | None = None) -> Path:
    """Two pictures' axes, as the three-file export has them: patches of 4 x 4 to 6 numbers, their products
    with each other where a mask is, and a softmax, which counts as nothing."""
    floats = TensorProto.FLOAT
    weights = [
        numpy_helper.from_array(np.ones((WIDTH_SEEN, 3, PATCH, PATCH), np.float32), "kernel"),
        numpy_helper.from_array(np.array([3, SIDE, SIDE]), "one"),
        numpy_helper.from_array(np.array([-1, WIDTH_SEEN, 4]), "rows"),
    ]
    nodes = [
        helper.make_node("Shape", ["pixel_values"], ["batch"], start=0, end=2),
        helper.make_node("ReduceProd", ["batch"], ["count"], keepdims=1),
        helper.make_node("Concat", ["count", "one"], ["flat"], axis=0),
        helper.make_node("Reshape", ["pixel_values", "flat"], ["pixels"]),
        helper.make_node("Conv", ["pixels", "kernel"], ["patches"], strides=[PATCH, PATCH]),
        helper.make_node("Reshape", ["patches", "rows"], ["across"]),
        helper.make_node("Transpose", ["across"], ["along"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["along", "across"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "along"], ["image_features"]),
    ]
    pixels: list[str | int | None] = ["batch_size", "num_images", 3, SIDE, SIDE]
    inputs = [
        helper.make_tensor_value_info("pixel_values", floats, pixels),
        helper.make_tensor_value_info("pixel_attention_mask", TensorProto.BOOL, [*pixels[:2], *pixels[3:]]),
        *(more or []),
    ]
    outputs = [helper.make_tensor_value_info("image_features", floats, ["all", 4, WIDTH_SEEN])]
    graph = helper.make_graph(nodes, "eyes", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_graph_whose_axes_vary_is_counted_for_one_picture(tmp_path: Path) -> None:
    """4 patches of 48 numbers to 6 each, and twice 4 x 4 x 6 for the attention."""
    found = vision_work(write_eyes(tmp_path / "eyes.onnx"))
    assert found.operations == 2 * (4 * 6 * 48 + 4 * 4 * 6 + 4 * 6 * 4)
    assert found.bytes == 4 * ((3 * 64 + 6 * 48 + 24) + (24 + 24 + 16) + (16 + 24 + 24))


def test_an_input_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    grid = helper.make_tensor_value_info("image_grid_thw", TensorProto.INT64, [1, 3])
    with pytest.raises(UsageError, match="got the input image_grid_thw of tensor"):
        vision_work(write_eyes(tmp_path / "eyes.onnx", [grid]))


@pytest.mark.parametrize("known", [False, True])
def test_a_graph_besides(
    tiny: TinyBundle, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """The bundle's own picture model, or what is none."""
    monkeypatch.setattr("yochi_bench.ceiling.measure_ceiling", lambda threads: Ceiling(1e12 * threads, 1e12))
    graph = tmp_path / "seen.onnx"
    graph.write_bytes((tiny.folder / VISION).read_bytes() if known else b"no graph")
    words = ["--image", photos / "0.png", "--note", "Sweep.", "--bundle", tiny.folder, "--graph", graph]
    ended = command([str(w) for w in ("roofline", tmp_path / "out", *words, "--count", 11, "--warmup", 0)])
    assert ended == (0 if known else 2)
    if known:
        report = valid_report(tmp_path / "out" / "report.json")
        rows = {row.id: row.cells for row in report.table("roofline").rows}
        assert list(rows) == ["vision", "look", "note", "seen.onnx"]
        assert rows["seen.onnx"]["operations"].value == rows["vision"]["operations"].value
        assert rows["seen.onnx"]["p50"].n == 11
        assert report.settings["graph"] == file_sha256(graph)


def test_the_command(tiny: TinyBundle, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yochi_bench.ceiling.measure_ceiling", lambda threads: Ceiling(1e12 * threads, 1e12))
    out = tmp_path / "out"
    words = ["--image", photos / "0.png", "--note", "Sweep.", "--bundle", tiny.folder]
    more = ["--count", 11, "--warmup", 0, "--threads", 1]
    assert command([str(w) for w in ("roofline", out, *words, *more)]) == 0
    report = valid_report(out / "report.json")
    assert [row.id for row in report.table("roofline").rows] == ["vision", "look", "note"]
    assert 0 < (report.table("roofline").rows[1].cells["attained"].value or 0) < 1
    assert report.workload.frames == 1
