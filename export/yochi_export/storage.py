"""How a graph's weights are stored: what its outputs may differ by from torch depends on that."""

from enum import StrEnum
from pathlib import Path

import onnx
from yochi_runtime.errors import EngineError, Reason, one_line


class Storage(StrEnum):
    """Ordered by how near a graph is to the float one."""

    FLOAT = "float32"
    HALF = "float16"
    INT8 = "int8"


def storage_of(graph: Path) -> Storage:
    """The coarsest storage of any weight matrix; EngineError where `graph` is no ONNX file."""
    try:
        weights = onnx.load(graph).graph.initializer
    except Exception as e:
        raise EngineError(
            Reason.ENGINE_FAILED, f"expected a graph in {graph.name}, got: {one_line(e)}; export it again"
        ) from e
    kinds = {tensor.data_type for tensor in weights if len(tensor.dims) > 1}
    if kinds & {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}:
        return Storage.INT8
    return Storage.HALF if onnx.TensorProto.FLOAT16 in kinds else Storage.FLOAT
