"""GGUF Q4_1 and Q8_0 to F16: the same weights, in a form that llama.cpp multiplies fast and without loss.

llama.cpp has matrix kernels for F16 and none for Q4_1, whose prompt pass is a dot product at a time; where
weights are Q8_0 it rounds the activations to 8 bits too, which moved verdicts (docs/decisions.md). Written in
float32 steps that every machine rounds alike, so that the result's sha256 can be pinned: the same file from
the same file. Block layouts as in ggml-common.h: Q4_1 is (scale f16, minimum f16, 32 x 4 bit), Q8_0 (scale
f16, 32 x int8).
"""

import struct
from dataclasses import dataclass
from mmap import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # weights
F16, Q4_1, Q8_0 = 1, 3, 8  # ggml_type
Q4_1_BYTES, Q8_0_BYTES = 20, 34  # a block
FILE_TYPE_F16 = 1  # llama_ftype
ALIGNMENT = 32
_SIZES: Final = {
    0: 1,
    1: 1,
    2: 2,
    3: 2,
    4: 4,
    5: 4,
    6: 4,
    7: 1,
    10: 8,
    11: 8,
    12: 8,
}  # bytes of scalar values
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class _Tensor:
    name: bytes
    shape: tuple[int, ...]  # fastest dimension first
    type: int
    offset: int  # from the start of the data


class _Reader:
    """A cursor over the header's bytes."""

    def __init__(self, data: bytes | mmap) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += size
        return int(value)

    def string(self) -> bytes:
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length : self.at]

    def skip(self, kind: int) -> None:
        """One metadata value of a kind; ValueError for kinds that GGUF 3 does not have."""
        if kind == _STRING:
            self.string()
        elif kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner in _SIZES:
                self.at += _SIZES[inner] * count
            else:
                for _ in range(count):
                    self.skip(inner)
        elif kind in _SIZES:
            self.at += _SIZES[kind]
        else:
            raise ValueError(f"expected a GGUF value kind, got {kind}")


def requantize(data: bytes) -> bytes:
    """A GGUF 3 file's bytes with every Q4_1 and Q8_0 tensor as F16; all else as it was.

    ValueError or struct.error where `data` is no such file.
    """
    reader = _Reader(data)
    count = _start(reader)
    file_type = _skip_metadata(reader, reader.number("Q"))
    head = bytearray(data[: reader.at])
    if file_type is not None:
        struct.pack_into("<I", head, file_type, FILE_TYPE_F16)
    tensors = [_tensor(reader) for _ in range(count)]
    start = _aligned(reader.at)
    infos, parts, offset = [], [], 0
    for tensor, end in zip(tensors, _ends(tensors, len(data) - start), strict=True):
        raw = data[start + tensor.offset : start + end]
        kind = F16 if tensor.type in _DEQUANTIZE else tensor.type
        body = _f16(raw, tensor) if tensor.type in _DEQUANTIZE else raw
        infos.append(_info(tensor, kind, offset))
        body += bytes(_aligned(len(body)) - len(body))
        parts.append(body)
        offset += len(body)
    header = bytes(head) + b"".join(infos)
    return header + bytes(_aligned(len(header)) - len(header)) + b"".join(parts)


def tensor_shapes(data: bytes | mmap) -> dict[str, tuple[int, ...]]:
    """Name and shape, fastest dimension first, of every tensor of a GGUF 3 file; only its head is read.

    ValueError or struct.error where `data` is no such file.
    """
    reader = _Reader(data)
    count = _start(reader)
    _skip_metadata(reader, reader.number("Q"))
    return {tensor.name.decode(): tensor.shape for tensor in (_tensor(reader) for _ in range(count))}


def _start(reader: _Reader) -> int:
    """The number of tensors."""
    if reader.number("I") != 0x46554747 or reader.number("I") != 3:
        raise ValueError("expected a GGUF file of version 3")
    return reader.number("Q")


def _skip_metadata(reader: _Reader, keys: int) -> int | None:
    """Passes over all of it; where the value of general.file_type stands."""
    file_type = None
    for _ in range(keys):
        name, kind = reader.string(), reader.number("I")
        if name == b"general.file_type" and kind == 4:
            file_type = reader.at
        reader.skip(kind)
    return file_type


def _tensor(reader: _Reader) -> _Tensor:
    name, dimensions = reader.string(), reader.number("I")
    shape = tuple(reader.number("Q") for _ in range(dimensions))
    return _Tensor(name, shape, reader.number("I"), reader.number("Q"))


def _ends(tensors: list[_Tensor], size: int) -> list[int]:
    """Each tensor's end is the next one's start, in file order; padding in between goes along."""
    starts = sorted(t.offset for t in tensors)
    after = dict(zip(starts, [*starts[1:], size], strict=True))
    return [after[t.offset] for t in tensors]


def _info(tensor: _Tensor, kind: int, offset: int) -> bytes:
    head = struct.pack("<Q", len(tensor.name)) + tensor.name + struct.pack("<I", len(tensor.shape))
    return head + struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape) + struct.pack("<IQ", kind, offset)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _f16(raw: bytes, tensor: _Tensor) -> bytes:
    blocks = int(np.prod(tensor.shape, dtype=np.int64)) // BLOCK
    dequantize, size = _DEQUANTIZE[tensor.type]
    return dequantize(raw[: blocks * size]).astype("<f2").tobytes()


def dequantize_q4_1(raw: bytes) -> NDArray[np.float32]:
    """(blocks, 32) float32 weights: scale * q + minimum, q in 0..15."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, Q4_1_BYTES)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    minimum = blocks[:, 2:4].copy().view(np.float16).astype(np.float32)
    packed = blocks[:, 4:]
    q = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
    weights: NDArray[np.float32] = scale * q + minimum
    return weights


def dequantize_q8_0(raw: bytes) -> NDArray[np.float32]:
    """(blocks, 32) float32 weights: scale * q, q in -127..127."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, Q8_0_BYTES)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    weights: NDArray[np.float32] = scale * blocks[:, 2:].view(np.int8).astype(np.float32)
    return weights


_DEQUANTIZE: Final = {Q4_1: (dequantize_q4_1, Q4_1_BYTES), Q8_0: (dequantize_q8_0, Q8_0_BYTES)}
