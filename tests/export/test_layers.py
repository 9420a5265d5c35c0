"""Six exports that are broken on purpose: parity catches each, and names its stage and no other."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from PIL import Image
from yochi_export import trained as trained_module
from yochi_export.cli import command
from yochi_export.layers import (
    CELLS,
    EMBEDS,
    IDS,
    LOGITS,
    PIXELS,
    RECORDS,
    Layers,
    Stage,
    divergence,
    layer_parity,
)
from yochi_export.lora import write_lora
from yochi_export.pack import Parts, write_bundle
from yochi_export.storage import Storage, storage_of
from yochi_export.trained import RunFolder, Trained
from yochi_runtime.bundle import VISION, Bundle, file_sha256
from yochi_runtime.engines import SIDE
from yochi_runtime.errors import EngineError
from yochi_runtime.reader import Reader
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import load_pack
from yochi_train.calibrate import draft

from . import drawn
from .tiny_run import TinyRun, tiny_nano, write_base

Graph = onnx.GraphProto


@dataclass(frozen=True)
class Whole:
    """An export with nothing wrong, and what it is compared with."""

    trained: Trained
    parts: Parts
    run: TinyRun
    records: Sequence[Record]
    photos: Path


@pytest.fixture(scope="module")
def whole(
    tiny_run: TinyRun, float_graph: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    folder, run = tmp_path_factory.mktemp("layers"), RunFolder(tiny_run.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained_module, "assemble", lambda *_: tiny_nano())
        model = run.load()
    write_lora(run.adapter, tiny_run.base, folder / "lora.gguf")
    parts = Parts(
        vision=float_graph,
        lora=folder / "lora.gguf",
        tokenizer=run.tokenizer,
        glossary=run.glossary,
        pack=run.pack,
        base=tiny_run.entry,
        positives=run.positives(),
        calibration=draft(load_pack()),
        version="1",
    )
    return Whole(model, parts, tiny_run, drawn.records(load_pack(), 2), photos)


@pytest.fixture(autouse=True)
def base(tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOCHI_BASE", str(tiny_run.base))


def asked(whole: Whole, parts: Parts, out: Path) -> Layers:
    return layer_parity(whole.trained, write_bundle(parts, out), whole.records, whole.photos, threads=1)


def differing(found: Layers) -> list[str]:
    return [stage.name for stage in found.stages if not stage.passed]


def test_a_sound_export_differs_nowhere(whole: Whole, tmp_path: Path) -> None:
    found = asked(whole, whole.parts, tmp_path / "bundle")
    assert [stage.name for stage in found.stages] == [IDS, PIXELS, EMBEDS, CELLS, LOGITS]
    assert (differing(found), found.address, found.records) == ([], None, 2)
    worst = {stage.name: stage.worst for stage in found.stages}
    assert worst[IDS] == 0.0
    assert worst[EMBEDS] < 1e-4
    assert worst[LOGITS] < 1e-6


def spoiled_graph(source: Path, out: Path, spoil: Callable[[Graph], None]) -> Path:
    model = onnx.load(source)
    spoil(model.graph)
    onnx.save(model, out)
    return out


def swap_channels(graph: Graph) -> None:
    """The first convolution takes blue for red."""
    stem = next(w for w in graph.initializer if len(w.dims) == 4 and w.dims[1] == 3)
    turned = np.ascontiguousarray(numpy_helper.to_array(stem)[:, ::-1])
    stem.CopyFrom(numpy_helper.from_array(turned, stem.name))


def resize_wrongly(graph: Graph) -> None:
    """A graph that was made for half the side: every other pixel, doubled again."""
    first = next(node for node in graph.node if "pixels" in node.input)
    nodes = []
    for name, source, target, scale in (("half", "pixels", "small", 0.5), ("full", "small", "resized", 2.0)):
        scales = np.array([1, 1, scale, scale], np.float32)
        graph.initializer.append(numpy_helper.from_array(scales, name))
        nodes.append(helper.make_node("Resize", [source, "", name], [target], mode="nearest"))
    first.input[:] = ["resized" if name == "pixels" else name for name in first.input]
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *kept])


def add_a_token(graph: Graph) -> None:
    """The first image token comes twice: 50 where the prompt has 49."""
    output = next(o for o in graph.output if o.name == "image_embeds")
    rows = np.array([0, *range(49)], np.int64)
    graph.initializer.append(numpy_helper.from_array(rows, "rows"))
    last = next(node for node in graph.node if "image_embeds" in node.output)
    last.output[:] = ["embeds49" if name == "image_embeds" else name for name in last.output]
    graph.node.append(helper.make_node("Gather", ["embeds49", "rows"], ["image_embeds"], axis=1))
    output.type.tensor_type.shape.dim[1].dim_value = 50


def other_base(whole: Whole, folder: Path, monkeypatch: pytest.MonkeyPatch, **spoiled: Any) -> Parts:
    path = folder / "base.gguf"
    write_base(tiny_nano()[0], path, **spoiled)
    monkeypatch.setenv("YOCHI_BASE", str(path))
    described = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
    return replace(whole.parts, base=whole.run.entry.model_copy(update=described))


def wrong_rope(whole: Whole, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    return other_base(whole, folder, monkeypatch, rope=100_000.0)


def zeroed_layer(whole: Whole, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    return other_base(whole, folder, monkeypatch, zeroed=1)


def other_prompt(whole: Whole, folder: Path, _: pytest.MonkeyPatch) -> Parts:
    """The same slots under another word, and a manifest that fits it."""
    text = whole.parts.pack.read_text(encoding="utf-8")
    cue = load_pack().cue[0]
    changed = text.replace(f'word = "{cue.word}"', 'word = "thing"', 1)
    assert changed != text
    (folder / "pack.toml").write_text(changed, encoding="utf-8")
    return replace(whole.parts, pack=folder / "pack.toml")


def graph_of(spoil: Callable[[Graph], None]) -> Callable[[Whole, Path, pytest.MonkeyPatch], Parts]:
    def broken(whole: Whole, folder: Path, _: pytest.MonkeyPatch) -> Parts:
        return replace(whole.parts, vision=spoiled_graph(whole.parts.vision, folder / VISION, spoil))

    return broken


BROKEN = {
    "wrong RoPE base": (wrong_rope, [LOGITS]),
    "swapped channels": (graph_of(swap_channels), [EMBEDS, CELLS]),
    "wrong resize": (graph_of(resize_wrongly), [EMBEDS, CELLS]),
    "off-by-one image token": (graph_of(add_a_token), [EMBEDS, CELLS]),
    "other prompt": (other_prompt, [IDS]),
    "zeroed layer": (zeroed_layer, [LOGITS]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_export_is_caught_and_has_an_address(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    broken, stages = BROKEN[how]
    found = asked(whole, broken(whole, tmp_path, monkeypatch), tmp_path / "bundle")
    assert differing(found) == stages
    assert found.address == stages[0]


def nearest(frame: Any) -> NDArray[np.float32]:
    square = Image.fromarray(frame.rgb).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    normal = (np.asarray(square, dtype=np.float32) - 127.0) / 128.0
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def test_a_box_that_resizes_in_another_way(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yochi_runtime.scene.prepare", nearest)
    assert differing(asked(whole, whole.parts, tmp_path / "bundle")) == [PIXELS]


def test_a_box_that_leaves_an_image_token_out(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Reader.look

    def one_less(self: Reader, show: "partial[None]") -> Any:
        return look(self, partial(show.func, show.args[0][1:]))

    monkeypatch.setattr(Reader, "look", one_less)
    assert differing(asked(whole, whole.parts, tmp_path / "bundle")) == [IDS, LOGITS]


def test_the_command_names_the_stage_and_judges_no_records(
    whole: Whole,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle: Bundle = write_bundle(other_prompt(whole, tmp_path, monkeypatch), tmp_path / "bundle")
    monkeypatch.setattr(trained_module, "assemble", lambda *_: tiny_nano())
    lines = [record.model_dump_json() + "\n" for record in whole.records]
    (tmp_path / "val.jsonl").write_text("".join(lines), encoding="utf-8")
    arguments = ["parity", whole.run.folder, bundle.path, tmp_path, "--photos", whole.photos]
    assert command([str(a) for a in (*arguments, "--out", tmp_path / "out")]) == 4
    shown = capsys.readouterr()
    assert "the bundle differs from torch at: prompt ids" in shown.err
    report = json.loads((tmp_path / "out" / "parity.json").read_text(encoding="utf-8"))
    assert (report["status"], report["passed"], report["layers"]["address"]) == ("failed", False, IDS)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["parity.json"]
    card = write_bundle(replace(whole.parts, parity=report), tmp_path / "failed").path / "MODEL_CARD.md"
    assert "| prompt ids | ids, places and answers that differ |" in card.read_text(encoding="utf-8")


def test_a_report_is_read_as_it_was_written() -> None:
    sound, broken = Stage("a", "m", 0.5, 1.0), Stage("b", "m", float("nan"), 1.0, "expected x; y")
    written = json.loads(json.dumps(Layers(RECORDS, (sound, broken)).as_json(), allow_nan=False))
    again = Layers.from_json(written)
    assert (again.stages[0], again.address, again.passed) == (sound, "b", False)
    assert again.as_json() == written
    assert not Stage("c", "m", float("nan"), 1.0).passed


def test_divergence_by_hand() -> None:
    """P = (3/4, 1/4), Q = (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2."""
    p, q = np.log([[0.75, 0.25]]), np.zeros((1, 2))
    wanted = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert divergence(p, q) == pytest.approx([wanted])
    assert divergence(p, p + 7.0) == pytest.approx([0.0])


def test_what_is_no_graph_has_no_storage(float_graph: Path, tmp_path: Path) -> None:
    assert storage_of(float_graph) is Storage.FLOAT
    shutil.copy(__file__, tmp_path / "no.onnx")
    with pytest.raises(EngineError, match="export it again"):
        storage_of(tmp_path / "no.onnx")
