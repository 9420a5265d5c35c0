"""Three ONNX files of a tiny random Idefics3, against torch: slots, cache, batches, and what is refused."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoImageProcessor, AutoTokenizer
from yochi_export.cli import command
from yochi_export.three_files.graph import write_graph
from yochi_export.three_files.language import embeddings_graph, refuse_what_is_not_static
from yochi_export.three_files.layout import HALF, Graph, bytes_of, graph_file, weights_file
from yochi_export.three_files.reading import NOTES, OnnxReader, difference, made_picture
from yochi_export.three_files.sessions import ThreeFiles, repeat
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import pack_text
from yochi_train.vlm.hub import Hub, open_vlm
from yochi_train.vlm.slots import VlmSlots

from tests.fixtures.tiny_vlms import SIDE, write_family

from .tiny_run import TinyRun

IDS = [[5, 90, 17, 200, 33, 8, 41, 120]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family("idefics3", tmp_path_factory.mktemp("three") / "hub")


@pytest.fixture(scope="module")
def folder(model: Path) -> Path:
    out = model.with_name("out")
    assert command(["onnx", str(model), str(out), "--half"]) == 0
    return out


@pytest.fixture(scope="module")
def hub(model: Path) -> Hub:
    return open_vlm(str(model))


@pytest.fixture(scope="module")
def slots(hub: Hub) -> VlmSlots:
    return VlmSlots(hub, pack_text())


@pytest.fixture(scope="module")
def files(folder: Path) -> ThreeFiles:
    return ThreeFiles(folder)


def whole_pass(hub: Hub, ids: list[list[int]], **inputs: torch.Tensor) -> NDArray[np.float32]:
    """(B, T, V) by the model's own code, without a cache."""
    row = torch.tensor(ids)
    with torch.inference_mode():
        out: NDArray[np.float32] = hub.vlm(
            input_ids=row, attention_mask=torch.ones_like(row), **inputs
        ).logits.numpy()
    return out


def positions(start: int, count: int, batch: int = 1) -> Any:
    return np.broadcast_to(np.arange(start, start + count, dtype=np.int64), (batch, count))


def test_the_folder_is_what_transformers_js_looks_for(folder: Path, slots: VlmSlots, hub: Hub) -> None:
    settings = {f.name: json.loads(f.read_text(encoding="utf-8")) for f in folder.glob("*.json")}
    assert settings["config.json"]["model_type"] == "idefics3"
    assert settings["tokenizer_config.json"]["chat_template"] == hub.template
    pictures = settings["preprocessor_config.json"]
    assert (
        pictures["processor_class"]
        == settings["processor_config.json"]["processor_class"]
        == "Idefics3Processor"
    )
    assert (pictures["do_image_splitting"], pictures["size"]) == (False, {"longest_edge": SIDE})
    assert settings["processor_config.json"]["image_seq_len"] == (SIDE // 16 // 2) ** 2
    decoder = onnx.load(graph_file(folder, Graph.DECODER)).graph
    axes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in decoder.input}
    assert axes["past_key_values.1.value"] == ["batch_size", 1, "past_sequence_length", 16]
    assert axes["attention_mask"] == ["batch_size", "total_sequence_length"]
    assert [v.name for v in decoder.output][:2] == ["logits", "present.0.key"]
    frame = made_picture()
    again = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=[frame.rgb], return_tensors="pt")  # type: ignore[no-untyped-call]
    assert torch.equal(again["pixel_values"], slots.inputs(frame)["pixel_values"])
    assert AutoTokenizer.from_pretrained(folder).chat_template == hub.template


def test_no_graph_tells_of_the_machine(folder: Path) -> None:
    for graph in Graph:
        data = graph_file(folder, graph).read_bytes()
        assert not [trace for trace in (b"site-packages", b".py", b"Traceback") if trace in data]


def test_no_layer_of_the_eyes_looks_for_nan(folder: Path) -> None:
    """With a mask of bools it does, and a sixth of the time goes there (`three_files.vision`)."""
    graph = onnx.load(graph_file(folder, Graph.VISION)).graph
    assert {"MatMul", "Softmax"} <= {node.op_type for node in graph.node}
    assert "IsNaN" not in {node.op_type for node in graph.node}


def test_slots_are_torchs_and_a_prefix_is_used_again(
    files: ThreeFiles, hub: Hub, slots: VlmSlots, folder: Path
) -> None:
    far = difference(files, hub, slots)
    assert far <= 1e-3
    report = json.loads((folder / "export.json").read_text(encoding="utf-8"))["storage"]
    assert report["fp32"]["max_logit_difference"] == pytest.approx(far, abs=1e-5)
    reader = OnnxReader(files, hub, slots)
    shown = reader.show(made_picture())
    both = reader.answer(shown, NOTES)
    for i, note in enumerate(NOTES):
        for together, alone in zip(both, reader.answer(shown, [note]), strict=True):
            assert np.abs(together[i] - alone[0]).max() <= 1e-4
    assert np.abs(both[1][0] - both[1][1]).max() > 0.01, "another note, another verdict"


def test_token_by_token_through_the_cache(files: ThreeFiles, hub: Hub) -> None:
    wanted, cache = whole_pass(hub, IDS), files.empty(1)
    ids = np.array(IDS)
    for start, end in ((0, 5), (5, 6), (6, 7), (7, 8)):
        passed = files.decode(files.embed(ids[:, start:end]), positions(start, end - start), cache)
        assert np.abs(passed.logits - wanted[:, start:end]).max() <= 1e-3
        cache = passed.cache
    assert next(iter(cache.values())).shape[2] == len(IDS[0])


def test_a_batch_is_its_rows_and_padding_on_the_left_says_nothing(files: ThreeFiles, hub: Hub) -> None:
    short, pad = [IDS[0][3:]], 3
    ids = np.array([IDS[0], [0] * pad + short[0]])
    seen = np.array([[1] * 8, [0] * pad + [1] * 5])
    place = np.maximum(seen.cumsum(axis=1) - 1, 0)
    passed = files.decode(files.embed(ids), place, files.empty(2), seen)
    assert np.isfinite(passed.logits).all()
    assert np.abs(passed.logits[:1] - whole_pass(hub, IDS)).max() <= 1e-3
    assert np.abs(passed.logits[1:, pad:] - whole_pass(hub, short)).max() <= 1e-3
    after = files.decode(
        files.embed(np.array([[7], [7]])),
        np.array([[8], [5]]),
        passed.cache,
        np.pad(seen, ((0, 0), (0, 1)), constant_values=1),
    )
    assert np.abs(after.logits[1, 0] - whole_pass(hub, [[*short[0], 7]])[0, -1]).max() <= 1e-3
    again = files.decode(files.embed(np.array([[7]])), np.array([[8]]), repeat(passed.cache, [0]))
    assert np.abs(after.logits[0] - again.logits[0]).max() <= 1e-4


def test_several_pictures_of_which_one_is_not_there(files: ThreeFiles, hub: Hub) -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, SIDE, SIDE)).astype(np.float32)
    pixels[1, 1] = 0
    mask = np.ones((2, 2, SIDE, SIDE), bool)
    mask[0, 0, :, 40:] = False  # a picture that does not fill its square
    mask[1, 1] = False
    with torch.inference_mode():
        wanted = hub.vlm.model.get_image_features(
            torch.from_numpy(pixels), torch.from_numpy(mask)
        ).pooler_output
    features = files.see({"pixel_values": pixels, "pixel_attention_mask": mask})
    assert features.shape == (3 * 4, 32)
    assert np.abs(features - torch.cat(list(wanted)).numpy()).max() <= 1e-3


def test_float16_storage_is_half_and_near(folder: Path, hub: Hub, slots: VlmSlots) -> None:
    half = ThreeFiles(folder, dict.fromkeys(Graph, HALF))
    assert 1e-6 < difference(half, hub, slots) <= 0.05
    for graph in (Graph.EMBED, Graph.DECODER):
        assert bytes_of(graph_file(folder, graph, HALF)) < 0.75 * bytes_of(graph_file(folder, graph))


def test_a_killed_export_goes_on_and_another_model_is_refused(
    folder: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = graph_file(folder, Graph.EMBED)
    made = file.read_bytes()
    file.unlink()
    assert command(["onnx", str(model), str(folder)]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("onnx: ")]
    assert said == ["onnx: embed_tokens: a graph", "onnx: fp32: slots against torch"]
    assert file.read_bytes() == made, "the same bytes for the same weights"
    config = folder / "export.json"
    mine = config.read_text(encoding="utf-8")
    config.write_text(mine.replace("hub@", "other@"), encoding="utf-8")
    assert command(["onnx", str(model), str(folder)]) == 2
    assert "it holds other@" in capsys.readouterr().err
    config.write_text(mine, encoding="utf-8")
    assert command(["onnx", str(model), str(model)]) == 2
    assert "new or empty" in capsys.readouterr().err


def test_files_that_read_unlike_torch_are_refused(
    folder: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Embeddings a little too large: nothing but the comparison would see it."""
    out = shutil.copytree(folder, tmp_path / "out")
    file = graph_file(out, Graph.EMBED)
    graph = onnx.load(file)
    weights = graph.graph.initializer[0]
    table = onnx.numpy_helper.to_array(weights) * np.float32(1.01)
    weights.CopyFrom(onnx.numpy_helper.from_array(table, weights.name))
    onnx.save(graph, file)
    report = json.loads((out / "export.json").read_text(encoding="utf-8"))
    (out / "export.json").write_text(json.dumps(report | {"storage": {}}), encoding="utf-8")
    for _ in range(2):  # a second run does not take it for done
        assert command(["onnx", str(model), str(out)]) == 2
        assert "expected slot logits within 0.001 of torch" in capsys.readouterr().err


def test_weights_of_a_large_graph_lie_beside_it(files: ThreeFiles, hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "embed_tokens.onnx"
    write_graph(embeddings_graph(hub.vlm), file, large=1000)
    assert file.stat().st_size < 2000 < weights_file(file).stat().st_size
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, {"input_ids": np.array(IDS)})[0], files.embed(np.array(IDS)))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ({"rope_parameters": {"rope_type": "dynamic"}}, "rope dynamic"),
        (
            {"rope_parameters": {}, "layer_types": ["full_attention", "sliding_attention"]},
            "sliding_attention",
        ),
    ],
)
def test_a_decoder_that_changes_with_the_length_is_refused(text: dict[str, Any], named: str) -> None:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(**text))
    with pytest.raises(UsageError, match=named):
        refuse_what_is_not_static(SimpleNamespace(config=config))


def test_half_of_a_run_of_nano_is_made_elsewhere(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["onnx", str(tiny_run.folder), str(tmp_path / "out"), "--half"]) == 2
    assert "yochi-export quantize" in capsys.readouterr().err
