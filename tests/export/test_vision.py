"""The ONNX graph against the torch tower, and what must not be inside the file."""

from pathlib import Path

import numpy as np
import onnx
import torch
from yochi_export.forms import output_sizes
from yochi_export.vision import OPSET, clean, export_vision, fold_norms
from yochi_runtime.image import prepare, read_frame
from yochi_runtime.taxonomy import load_pack
from yochi_runtime.vision import CELLS, EMBEDS, PIXELS, Vision
from yochi_train.nano.vision import VisionTower

from .tiny_run import WIDTH


def test_folded_norms_change_nothing(tower: VisionTower, photos: Path) -> None:
    pixels = torch.from_numpy(prepare(read_frame(photos / "images" / "0.png")))
    with torch.inference_mode():
        for ours, theirs in zip(fold_norms(tower)(pixels), tower(pixels), strict=True):
            assert float((ours - theirs).abs().max()) <= 1e-4
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in tower.modules()), "the original keeps its norms"


def test_onnx_gives_what_torch_gives(tower: VisionTower, float_graph: Path, photos: Path) -> None:
    assert output_sizes(float_graph) == (WIDTH, len(load_pack().cue))
    with Vision(float_graph, *output_sizes(float_graph), threads=1) as engine:
        for number in range(2):
            pixels = prepare(read_frame(photos / "images" / f"{number}.png"))
            sight = engine.see(pixels)
            with torch.inference_mode():
                embeds, cells = tower(torch.from_numpy(pixels))
            assert np.abs(sight.embeds - embeds[0].numpy()).max() <= 1e-3
            assert np.abs(sight.cells - cells[0].numpy()).max() <= 1e-3
            assert np.ptp(sight.embeds) > 0.1


def test_graph_is_one_file_without_norms(float_graph: Path) -> None:
    model = onnx.load(float_graph)
    assert [i.name for i in model.graph.input] == [PIXELS]
    assert [o.name for o in model.graph.output] == [EMBEDS, CELLS]
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert [path.name for path in float_graph.parent.iterdir()] == [float_graph.name]


def test_file_tells_nothing_of_the_machine_that_made_it(float_graph: Path) -> None:
    data = float_graph.read_bytes()
    model = onnx.load(float_graph)
    home = str(Path(__file__).resolve().parents[2])
    for trace in (home, "site-packages", ".py", "Traceback", "pkg.torch"):
        assert trace.encode() not in data
    assert not model.metadata_props
    assert not model.doc_string
    assert all(not node.doc_string and not node.metadata_props for node in model.graph.node)


def test_the_same_weights_give_the_same_bytes(tower: VisionTower, float_graph: Path, tmp_path: Path) -> None:
    export_vision(tower, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == float_graph.read_bytes()
    model = onnx.load(float_graph)
    assert clean(model).SerializeToString(deterministic=True) == float_graph.read_bytes()
