"""What a bundle has to compute and move for one judgement, counted from its own files, not guessed.

Operations: a multiplication and an addition are two; matrix products and convolutions only, everything else
is below a hundredth of them. Bytes: what has to be read or written at least once: every weight for each pass,
and what goes in and out of each product of the picture's model (its activations fit into no small cache).
"""

import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from yochi_runtime.engines import IMAGE_TOKENS
from yochi_runtime.errors import UsageError
from yochi_runtime.prompt import Prompt
from yochi_runtime.requantize import tensor_shapes
from yochi_runtime.vision import session_options

KV_BYTES = 4  # the cache is float32 (`yochi_runtime.language`)
_WIDTHS = {"float": 4, "float16": 2, "bfloat16": 2, "int8": 1, "uint8": 1, "int32": 4, "int64": 8}
_WEIGHTS_AT = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}  # which input of a convolution they are
_PRODUCTS = {"MatMul", "MatMulInteger", "QLinearMatMul", "Gemm"}


@dataclass(frozen=True)
class Work:
    operations: float
    bytes: float

    def __add__(self, other: "Work") -> "Work":
        return Work(self.operations + other.operations, self.bytes + other.bytes)


def vision_work(model: Path) -> Work:
    """One picture, by ONNX Runtime's own profile of the graph as it is written.

    UsageError where `model` is no graph that runs on `picture_of` it.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    # Weights that are packed for the processor have no shape in the profile.
    options.add_session_config_entry("session.disable_prepacking", "1")
    with tempfile.TemporaryDirectory(prefix="yochi-profile-") as folder:
        options.profile_file_prefix = str(Path(folder) / "vision")
        session = open_graph(model, options)
        session.run(None, picture_of(session))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = [e["args"] for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    total = Work(0.0, 0.0)
    for node in nodes:
        total += node_work(node)
    return total


def open_graph(model: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """On the CPU. UsageError where `model` is no graph."""
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as e:
        raise UsageError(f"expected an ONNX graph in {model}, got: {e}; give another file") from e


def picture_of(session: onnxruntime.InferenceSession) -> dict[str, NDArray[Any]]:
    """One picture for a graph that takes some: noise where it takes float32, all true where it takes bool.

    An axis without a fixed length is 1 long. UsageError for inputs of another kind.
    """
    random, made = np.random.default_rng(0), {}
    for given in session.get_inputs():
        shape = [axis if isinstance(axis, int) else 1 for axis in given.shape]
        if given.type == "tensor(float)":
            made[given.name] = random.uniform(-1.0, 1.0, shape).astype(np.float32)
        elif given.type == "tensor(bool)":
            made[given.name] = np.ones(shape, dtype=np.bool_)
        else:
            raise UsageError(f"expected a graph of pictures, got the input {given.name} of {given.type}")
    return made


def graph_timer(model: Path, threads: int) -> Callable[[int], list[float]]:
    """Gives the milliseconds of so many passes over one picture, run as the box runs its own graph."""
    session = open_graph(model, session_options(threads))
    picture = picture_of(session)

    def times(count: int) -> list[float]:
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            session.run(None, picture)
            taken.append((time.perf_counter() - start) * 1e3)
        return taken

    return times


def node_work(node: dict[str, Any]) -> Work:
    """Of one node of a profile: `op_name`, `input_type_shape` and `output_type_shape`."""
    name = node["op_name"]
    if name not in _WEIGHTS_AT and name not in _PRODUCTS:
        return Work(0.0, 0.0)
    inputs, outputs = _shapes(node["input_type_shape"]), _shapes(node["output_type_shape"])
    out = outputs[0][1]
    if name in _WEIGHTS_AT:
        summed = math.prod(inputs[_WEIGHTS_AT[name]][1][1:])  # (out, in / groups, height, width)
    elif name == "Gemm":
        summed = math.prod(inputs[0][1]) // out[0]  # transposed or not
    else:
        summed = inputs[0][1][-1]
    moved = sum(_WIDTHS[kind] * math.prod(shape) for kind, shape in (*inputs, *outputs))
    return Work(2.0 * math.prod(out) * summed, float(moved))


def _shapes(said: Sequence[dict[str, list[int]]]) -> list[tuple[str, list[int]]]:
    return [(kind, shape) for one in said for kind, shape in one.items()]


@dataclass(frozen=True)
class LanguageModel:
    """What the shapes in its GGUF files say. Bytes are of the files; `head` multiplies with every word."""

    layers: int
    per_token: float  # operations of all layers' weights, LoRA included
    head: float  # operations of one position's answers
    query: int  # width of all heads
    cache: int  # numbers that one position leaves in the cache, keys and values, all layers
    layer_bytes: float
    head_bytes: float

    @classmethod
    def of(cls, base: Path, lora: Path) -> "LanguageModel":
        """ValueError where the base is no llama."""
        shapes = _tensor_shapes(base)
        adapters = _tensor_shapes(lora)
        head = shapes.get("output.weight", shapes.get("token_embd.weight"))
        layers = {name: shape for name, shape in shapes.items() if name.startswith("blk.")}
        queries = [shape for name, shape in layers.items() if name.endswith("attn_q.weight")]
        if head is None or not queries:
            raise ValueError(f"expected a llama in {base.name}, got tensors like {next(iter(shapes), None)}")
        kept = sum(s[1] for n, s in layers.items() if n.endswith(("attn_k.weight", "attn_v.weight")))
        weights = sum(math.prod(s) for s in layers.values() if len(s) == 2)
        every = sum(math.prod(s) for s in shapes.values())
        size = base.stat().st_size / every  # bytes a weight
        return cls(
            layers=len(queries),
            per_token=2.0 * (weights + sum(math.prod(s) for s in adapters.values())),
            head=2.0 * math.prod(head),
            query=queries[0][1],
            cache=kept,
            layer_bytes=size * weights + lora.stat().st_size,
            head_bytes=size * math.prod(head),
        )

    def passed(self, tokens: int, before: int, asked: int) -> Work:
        """One pass over `tokens` after `before` that are in the cache, with answers at `asked` positions."""
        seen = sum(range(before + 1, before + tokens + 1))  # positions that each token looks at
        attention = 4.0 * self.query * self.layers * seen  # scores, and the sum of values
        cache = KV_BYTES * self.cache * (before + 2 * tokens)  # read once, the new ones written as well
        moved = self.layer_bytes + cache + (self.head_bytes if asked else 0.0)
        return Work(self.per_token * tokens + attention + self.head * asked, moved)


def _tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        return tensor_shapes(data)


def stage_work(model: LanguageModel, prompt: Prompt, note: Sequence[int]) -> dict[str, Work]:
    """`look` and `note` of a new frame, as `reader.Reader` asks them."""
    prefix, look = len(prompt.prefix), len(prompt.look)
    after_image = prefix + IMAGE_TOKENS
    written = len(prompt.sign()) + len(note) + len(prompt.slots)
    return {
        "look": model.passed(IMAGE_TOKENS, prefix, 0) + model.passed(look, after_image, len(prompt.look_at)),
        "note": model.passed(written, after_image + look, len(prompt.slots_at)),
    }
