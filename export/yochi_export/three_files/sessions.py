"""The three files in ONNX Runtime: what Transformers.js does with them, in numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from yochi_runtime.errors import UsageError, one_line

from .layout import FLOAT, Graph, graph_file
from .vision import FEATURES

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Cache = dict[str, Floats]  # by the decoder's names: "past_key_values.0.key" (B, heads, P, D) ...


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass of the decoder gives: logits (B, T, V), and the cache with these T tokens in it."""

    logits: Floats
    cache: Cache


class ThreeFiles:
    """The graphs of a folder in one storage each."""

    def __init__(self, folder: Path, dtypes: Mapping[Graph, str] | None = None, threads: int = 2) -> None:
        """`dtypes`: float32 for a graph that is not in it. UsageError where ONNX Runtime cannot load one."""
        chosen = dtypes or {}
        self._vision, self._embed, self._decoder = (
            _session(graph_file(folder, graph, chosen.get(graph, FLOAT)), threads) for graph in Graph
        )
        self._past = {i.name: i.shape for i in self._decoder.get_inputs() if i.name.startswith("past_")}
        self._asked = {i.name: i.type for i in self._vision.get_inputs()}

    def see(self, inputs: Mapping[str, NDArray[Any]]) -> Floats:
        """What an image processor makes of pictures -> one row for every image token."""
        kinds: dict[str, Any] = {
            "tensor(float)": np.float32,
            "tensor(bool)": np.bool_,
            "tensor(int64)": np.int64,
        }
        given: dict[str, NDArray[Any]] = {
            name: inputs[name].astype(kinds[kind]) for name, kind in self._asked.items()
        }
        features = np.asarray(self._vision.run([FEATURES], given)[0], np.float32)
        return features.reshape(-1, features.shape[-1])

    def embed(self, ids: Ids) -> Floats:
        """(B, T) -> (B, T, H)."""
        return np.asarray(self._embed.run(None, {"input_ids": ids})[0], np.float32)

    def embed_picture(self, ids: Ids, image: int, features: Floats) -> Floats:
        """As `embed`, with `features` where `ids` are `image`; ValueError where their numbers differ."""
        embeds = self.embed(ids).copy()
        embeds[ids == image] = features
        return embeds

    def empty(self, batch: int) -> Cache:
        """The cache before a first pass."""
        sized = {name: (batch, shape[1], 0, shape[3]) for name, shape in self._past.items()}
        return {name: np.zeros(shape, np.float32) for name, shape in sized.items()}

    def decode(self, embeds: Floats, positions: Ids, cache: Cache, seen: Ids | None = None) -> Passed:
        """One pass. `positions` (B, T) or (3, B, T); `seen` (B, P + T), 0 for padding (default: none is)."""
        batch, length = embeds.shape[:2]
        total = next(iter(cache.values())).shape[2] + length
        given: dict[str, NDArray[Any]] = {
            "inputs_embeds": embeds,
            "position_ids": positions,
            "attention_mask": np.ones((batch, total), np.int64) if seen is None else seen,
            **cache,
        }
        logits, *present = self._decoder.run(None, given)
        names = [
            output.name.replace("present.", "past_key_values.") for output in self._decoder.get_outputs()
        ]
        return Passed(logits, dict(zip(names[1:], present, strict=True)))


def repeat(cache: Cache, rows: Sequence[int]) -> Cache:
    """A cache whose row n is row `rows[n]` of this one."""
    return {name: value[list(rows)] for name, value in cache.items()}


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as e:
        raise UsageError(
            f"expected a graph that ONNX Runtime loads in {file}, got: {one_line(e)}; export it again"
        ) from e
