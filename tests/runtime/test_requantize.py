"""Q4_1 to Q8_0: parity with gguf-py's reference, and arithmetic by hand."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize
from yochi_runtime.requantize import dequantize_q4_1, quantize_q8_0, requantize

Q4_1, Q8_0 = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0


def a_model(path: Path) -> None:
    """Two Q4_1 tensors, one of them odd in size, and a float one between; metadata of every shape."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(3)
    writer.add_array("tokenizer.ggml.tokens", ["a", "", "語"])
    writer.add_array("numbers", [1.5, 2.5])
    writer.add_bool("flag", True)
    for name, rows in (("first", 3), ("last", 5)):
        weights = rng.normal(size=(rows, 64)).astype(np.float32)
        writer.add_tensor(name, quantize(weights, Q4_1), raw_dtype=Q4_1)
        writer.add_tensor(f"{name}.norm", rng.normal(size=7).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_every_tensor_is_what_gguf_py_makes_of_it(tmp_path: Path) -> None:
    a_model(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").write_bytes(requantize((tmp_path / "a.gguf").read_bytes()))
    before, after = gguf.GGUFReader(tmp_path / "a.gguf"), gguf.GGUFReader(tmp_path / "b.gguf")
    assert [t.name for t in after.tensors] == ["first", "first.norm", "last", "last.norm"]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        if old.tensor_type == Q4_1:
            assert new.tensor_type == Q8_0
            assert new.data.tobytes() == quantize(dequantize(old.data, Q4_1), Q8_0).tobytes()
        else:
            assert (new.tensor_type, new.data.tobytes()) == (old.tensor_type, old.data.tobytes())


def test_metadata_stays_but_for_the_file_type(tmp_path: Path) -> None:
    a_model(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").write_bytes(requantize((tmp_path / "a.gguf").read_bytes()))
    before, after = gguf.GGUFReader(tmp_path / "a.gguf"), gguf.GGUFReader(tmp_path / "b.gguf")
    assert after.fields["general.file_type"].contents() == 7
    for key in ("tokenizer.ggml.tokens", "numbers", "flag", "general.architecture"):
        assert after.fields[key].contents() == before.fields[key].contents()


def test_by_hand() -> None:
    """scale 0.5, minimum -1: q = 0 gives -1, q = 15 gives 6.5; Q8_0's scale is then 6.5 / 127."""
    raw = np.array([0.5, -1.0], np.float16).tobytes() + bytes([0xF0]) * 16
    weights = dequantize_q4_1(raw)
    assert weights[0, :16].tolist() == [-1.0] * 16
    assert weights[0, 16:].tolist() == [6.5] * 16
    block = quantize_q8_0(weights)
    assert np.frombuffer(block[:2], np.float16)[0] == np.float16(6.5 / 127)
    assert np.frombuffer(block[2:], np.int8).tolist() == [-20] * 16 + [127] * 16  # -1 * 127 / 6.5 = -19.5


def test_a_block_of_zeros_stays_zero() -> None:
    assert quantize_q8_0(np.zeros((1, 32), np.float32)) == bytes(34)


@pytest.mark.parametrize("data", [b"GGUF\x02\x00\x00\x00" + bytes(16), b"no such file at all"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="GGUF file of version 3"):
        requantize(data)
