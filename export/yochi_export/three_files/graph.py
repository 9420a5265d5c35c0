"""One torch module as one ONNX file: which axes may vary, and what they are called.

Transformers.js makes the empty cache of a first pass from the names of the decoder's axes: one that is not
called `batch_size` has the length 0 there. The exporter's own names would give it an empty batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import torch
from onnx import ModelProto, ValueInfoProto
from torch import nn
from torch.export import Dim

from ..vision import clean, quiet
from .layout import weights_file

OPSET = 20
LARGE = 1_800_000_000  # bytes of weights; a protobuf ends at 2 GiB
Axes = Sequence[str | None]  # a name for each axis that may vary


@dataclass(frozen=True, eq=False)
class Traced:
    """A module and an example of its inputs; no axis that may vary has the length 0 or 1 in it.

    `inputs` and `outputs`: the axes by name, in the order of the arguments with lists flattened.
    """

    module: nn.Module
    example: tuple[Any, ...]
    inputs: Mapping[str, Axes]
    outputs: Mapping[str, Axes]


def write_graph(traced: Traced, out: Path, large: int = LARGE) -> None:
    """Float32, checked by ONNX's own checker, the same bytes for the same weights and versions.

    `large`: bytes of weights from which they go into a file of their own.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    shapes = iter(traced.inputs.values())
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            traced.module.eval(),
            traced.example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(traced.inputs),
            output_names=list(traced.outputs),
            dynamic_shapes=tuple(_dynamic(argument, shapes) for argument in traced.example),
            external_data=False,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    model = program.model
    weights = weights_file(out)
    weights.unlink(missing_ok=True)
    if (
        sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
        > large
    ):
        onnx_ir.external_data.unload_from_model(model, out.parent, weights.name)
    proto = clean(onnx_ir.to_proto(model), out.stem)
    _name_axes(proto, traced)
    partial = out.with_name(f".partial-{out.name}")
    partial.write_bytes(proto.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(partial))
    partial.replace(out)


def _dynamic(argument: Any, shapes: Any) -> Any:
    if isinstance(argument, list | tuple):
        return type(argument)(_dynamic(part, shapes) for part in argument)
    return {axis: Dim.DYNAMIC for axis, name in enumerate(next(shapes)) if name}


def _name_axes(model: ModelProto, traced: Traced) -> None:
    for values, named in ((model.graph.input, traced.inputs), (model.graph.output, traced.outputs)):
        for value in values:
            _name(value, named[value.name])


def _name(value: ValueInfoProto, axes: Axes) -> None:
    dims = value.type.tensor_type.shape.dim
    for dim, name in zip(dims, axes, strict=True):
        if name:
            dim.dim_param = name  # in place of a number, where it was one
