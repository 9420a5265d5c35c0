"""Q4_1 and Q8_0 to F16: parity with gguf-py's reference, and arithmetic by hand."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize, quantize
from yochi_runtime.requantize import dequantize_q4_1, dequantize_q8_0, requantize

F16, Q4_1, Q8_0 = (gguf.GGMLQuantizationType[name] for name in ("F16", "Q4_1", "Q8_0"))


def a_model(path: Path) -> None:
    """A Q8_0 and a Q4_1 tensor of odd size, and float ones between; metadata of every shape."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(3)
    writer.add_array("tokenizer.ggml.tokens", ["a", "", "語"])
    writer.add_array("numbers", [1.5, 2.5])
    writer.add_bool("flag", True)
    for name, rows, kind in (("first", 3, Q8_0), ("last", 5, Q4_1)):
        weights = rng.normal(size=(rows, 64)).astype(np.float32)
        writer.add_tensor(name, quantize(weights, kind), raw_dtype=kind)
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
        if old.tensor_type in (Q4_1, Q8_0):
            assert new.tensor_type == F16
            wanted = dequantize(old.data, old.tensor_type).astype(np.float16)
            assert new.data.tobytes() == wanted.tobytes()
        else:
            assert (new.tensor_type, new.data.tobytes()) == (old.tensor_type, old.data.tobytes())


def test_metadata_stays_but_for_the_file_type(tmp_path: Path) -> None:
    a_model(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").write_bytes(requantize((tmp_path / "a.gguf").read_bytes()))
    before, after = gguf.GGUFReader(tmp_path / "a.gguf"), gguf.GGUFReader(tmp_path / "b.gguf")
    assert after.fields["general.file_type"].contents() == 1
    for key in ("tokenizer.ggml.tokens", "numbers", "flag", "general.architecture"):
        assert after.fields[key].contents() == before.fields[key].contents()


def test_by_hand() -> None:
    """Q4_1, scale 0.5, minimum -1: q = 0 gives -1, q = 15 gives 6.5. Q8_0, scale 0.25: q = -3 gives -0.75."""
    weights = dequantize_q4_1(np.array([0.5, -1.0], np.float16).tobytes() + bytes([0xF0]) * 16)
    assert weights[0, :16].tolist() == [-1.0] * 16
    assert weights[0, 16:].tolist() == [6.5] * 16
    block = np.array([0.25], np.float16).tobytes() + np.array([-3] * 31 + [127], np.int8).tobytes()
    assert dequantize_q8_0(block)[0].tolist() == [-0.75] * 31 + [31.75]


@pytest.mark.parametrize("data", [b"GGUF\x02\x00\x00\x00" + bytes(16), b"no such file at all"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="GGUF file of version 3"):
        requantize(data)
