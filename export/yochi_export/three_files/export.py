"""`yochi-export onnx` on a vision-language model: graphs, settings, and a comparison with torch.

    onnx/{vision_encoder,embed_tokens,decoder_model_merged}.onnx    float32; with --half *_fp16.onnx beside
    config.json, preprocessor_config.json, tokenizer.json ...       as Transformers.js looks for them
    export.json                                                     what it was made of, and how near it is

A graph that is there is not made again, so a killed export goes on; another model needs another folder.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import pack_text
from yochi_train.vlm.hub import Hub, open_vlm, pinned
from yochi_train.vlm.slots import VlmSlots

from ..quantize import to_half
from .folder import write_settings
from .graph import Traced, write_graph
from .language import decoder_graph, embeddings_graph, refuse_what_is_not_static
from .layout import FLOAT, HALF, Graph, bytes_of, graph_file, weights_file
from .reading import difference
from .sessions import ThreeFiles
from .vision import VISION_GRAPHS

EXPORT = "export.json"
MAX_DIFFERENCE = 1e-3  # of a slot's logit, float32 against torch
Report = dict[str, Any]


def export_three_files(checkpoint: Path, out: Path, say: Callable[[str], None], half: bool = False) -> Report:
    """What export.json says. UsageError where `out` holds another model, or the files read unlike torch."""
    hub = open_vlm(str(checkpoint))
    refuse_what_is_not_static(hub.vlm)
    report = _begun(out, pinned(str(checkpoint), hub.vlm))
    graphs: dict[Graph, Callable[[Any], Traced]] = {
        Graph.VISION: VISION_GRAPHS[hub.family.model_type],
        Graph.EMBED: embeddings_graph,
        Graph.DECODER: decoder_graph,
    }
    for graph, traced in graphs.items():
        file = graph_file(out, graph)
        if not file.exists():
            say(f"{graph}: a graph")
            write_graph(traced(hub.vlm), file)
            graph_file(out, graph, HALF).unlink(missing_ok=True)
            report["storage"] = {}  # what was compared is no longer what is there
            _write(out, report)
        if half and not graph_file(out, graph, HALF).exists():
            say(f"{graph}: float16 storage")
            _halve(out, graph)
    write_settings(hub, checkpoint, out)
    pack = pack_text(checkpoint / PACK if (checkpoint / PACK).is_file() else None)
    for dtype in [FLOAT, HALF] if half else [FLOAT]:
        if dtype not in report["storage"]:
            say(f"{dtype}: slots against torch")
            report["storage"][dtype] = compared(out, hub, pack, dict.fromkeys(Graph, dtype))
            _write(out, report)
    found = report["storage"][FLOAT]["max_logit_difference"]
    if found > MAX_DIFFERENCE:
        raise UsageError(f"expected slot logits within {MAX_DIFFERENCE} of torch, got {found:g}; report it")
    return report


def compared(folder: Path, hub: Hub, pack: str, dtypes: dict[Graph, str], threads: int = 2) -> Report:
    """Bytes, and the largest difference of a slot's logit from `hub` in torch; `pack`: text of a pack.toml.

    `dtypes`: the storage of each graph, by the names in `layout.SUFFIXES`.
    """
    slots = VlmSlots(hub, pack)
    hub.vlm.cpu()  # where the inputs are; a GPU would round otherwise
    files = ThreeFiles(folder, dtypes, threads)
    return {
        "bytes": sum(bytes_of(graph_file(folder, graph, dtype)) for graph, dtype in dtypes.items()),
        "max_logit_difference": difference(files, hub, slots),
    }


def _halve(out: Path, graph: Graph) -> None:
    source, made = graph_file(out, graph), graph_file(out, graph, HALF)
    if weights_file(source).exists():
        raise UsageError(
            f"expected {source.name} in one file for float16, its weights are beside it; leave out --half"
        )
    partial = made.with_name(f".partial-{made.name}")
    to_half(source, partial)
    partial.replace(made)


def _begun(out: Path, model: str) -> Report:
    """export.json as it is, or a new one. UsageError where it is of another model."""
    file = out / EXPORT
    made_of = {"model": model, "torch": torch.__version__, "transformers": transformers.__version__}
    if file.exists():
        report: Report = json.loads(file.read_text(encoding="utf-8"))
        if report["made_of"] != made_of:
            raise UsageError(
                f"expected {out} to be new or of {_line(made_of)}, it holds {_line(report['made_of'])}; "
                "choose another folder"
            )
        return report
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"expected {out} to be new or empty, it is not; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    report = {"made_of": made_of, "storage": {}}
    _write(out, report)
    return report


def _line(made_of: dict[str, str]) -> str:
    return "{model} by torch {torch}, transformers {transformers}".format(**made_of)


def _write(out: Path, report: Report) -> None:
    (out / EXPORT).write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
