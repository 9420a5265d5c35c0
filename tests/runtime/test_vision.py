"""The ONNX Runtime engine on a tiny graph: shapes, ranges, and files that are something else."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.image import prepare
from yochi_runtime.vision import Vision

from tests.fixtures.tiny_bundle import WIDTH, write_vision

from .conftest import noise

CUES = 3


def test_it_sees_49_cells_row_by_row(tmp_path: Path) -> None:
    write_vision(tmp_path / "vision.onnx", CUES)
    frame = noise()
    with Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1) as vision:
        sight = vision.see(prepare(frame))
        again = vision.see(prepare(frame))
    assert sight.embeds.shape == (49, WIDTH)
    assert sight.cells.shape == (49, CUES)
    assert sight.embeds.dtype == sight.cells.dtype == np.dtype(np.float32)
    assert sight.embeds.tobytes() == again.embeds.tobytes()
    assert 0 <= sight.cells.min() < sight.cells.max() <= 1


def test_a_bright_corner_shows_in_the_cell_of_that_corner(tmp_path: Path) -> None:
    write_vision(tmp_path / "vision.onnx", CUES)
    pixels = np.zeros((1, 3, 448, 448), dtype=np.float32)
    pixels[:, :, :64, 384:] = 1.0  # top right: row 0, column 6
    with Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1) as vision:
        embeds = vision.see(pixels).embeds
    assert np.flatnonzero(np.abs(embeds - embeds[48]).max(axis=1)).tolist() == [6]


@pytest.mark.parametrize("bias", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(tmp_path: Path, bias: float) -> None:
    write_vision(tmp_path / "vision.onnx", CUES, bias=bias)
    with (
        Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1) as vision,
        pytest.raises(EngineError, match="NaN or infinity") as e,
    ):
        vision.see(prepare(noise()))
    assert e.value.reason is Reason.ENGINE_OUTPUT


def test_scores_outside_0_to_1_are_refused(tmp_path: Path) -> None:
    write_vision(tmp_path / "vision.onnx", CUES, bias=100.0, sigmoid=False)
    with (
        Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1) as vision,
        pytest.raises(EngineError, match=r"in 0\.\.1"),
    ):
        vision.see(prepare(noise()))


@pytest.mark.parametrize(("width", "cues"), [(WIDTH + 1, CUES), (WIDTH, CUES + 1)])
def test_outputs_for_another_model_are_refused(tmp_path: Path, width: int, cues: int) -> None:
    write_vision(tmp_path / "vision.onnx", CUES)
    with (
        Vision(tmp_path / "vision.onnx", width, cues, threads=1) as vision,
        pytest.raises(EngineError, match="float32"),
    ):
        vision.see(prepare(noise()))


@pytest.mark.parametrize("pixels", [np.zeros((1, 3, 4, 4)), np.zeros(7)])
def test_foreign_pixels_are_an_engine_error(tmp_path: Path, pixels: np.ndarray) -> None:
    write_vision(tmp_path / "vision.onnx", CUES)
    with (
        Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1) as vision,
        pytest.raises(EngineError, match="vision model to run"),
    ):
        vision.see(pixels.astype(np.float32))


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vision.onnx").write_bytes(b"no protobuf")
    with pytest.raises(EngineError, match=r"load vision\.onnx"):
        Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1)


def test_a_graph_with_other_names_is_refused(tmp_path: Path) -> None:
    write_vision(tmp_path / "vision.onnx", CUES)
    model = onnx.load(str(tmp_path / "vision.onnx"))
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"
    onnx.save(model, str(tmp_path / "vision.onnx"))
    with pytest.raises(EngineError, match="to map pixels"):
        Vision(tmp_path / "vision.onnx", WIDTH, CUES, threads=1)
