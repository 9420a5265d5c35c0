"""`yochi-export quantize` on a GGUF and on a graph: llama.cpp's and ONNX Runtime's own quantizers."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from yochi_export.cli import command
from yochi_export.gguf_rungs import quantize_gguf
from yochi_export.layers import divergence
from yochi_export.rungs import LanguageRung
from yochi_runtime.errors import UsageError
from yochi_runtime.language import Language

from .tiny_run import TinyRun

IDS, ANSWERS = [1, 5, 9, 14, 3], [2, 4, 6, 8]


def answers(model: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with Language(model, threads=1) as language:
        return language.tokens(IDS, list(range(len(IDS))), ANSWERS)


def test_each_language_rung_is_smaller_and_reads_nearly_alike(tiny_run: TinyRun, tmp_path: Path) -> None:
    wanted, sizes = answers(tiny_run.base), []
    for rung, kl in ((LanguageRung.F16, 1e-4), (LanguageRung.Q8_0, 1e-2), (LanguageRung.Q4_0, 0.5)):
        made = tmp_path / f"{rung}.gguf"
        quantize_gguf(tiny_run.base, made, rung, threads=1)
        assert divergence(wanted, answers(made)).mean() <= kl
        kinds = {t.tensor_type.name for t in gguf.GGUFReader(made).tensors if len(t.shape) > 1}
        assert str(rung) in kinds
        sizes.append(made.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    with pytest.raises(UsageError, match=r"expected F16 weights in Q4_0\.gguf, got Q4_0"):
        quantize_gguf(tmp_path / "Q4_0.gguf", tmp_path / "twice.gguf", LanguageRung.F16, threads=1)
    assert not (tmp_path / "twice.gguf").exists()


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF and then nothing of the kind")
    with pytest.raises(UsageError, match="expected a GGUF file at") as raised:
        quantize_gguf(tmp_path / "a.gguf", tmp_path / "b.gguf", LanguageRung.Q8_0, threads=1)
    assert "\n" not in str(raised.value)


def test_the_command_on_a_gguf_goes_on_where_it_was(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["quantize", str(tiny_run.base), str(tmp_path), "--threads", "1"]
    assert command([*call, "--rung", "Q8_0"]) == 0
    first = (tmp_path / "Q8_0.gguf").stat().st_mtime_ns
    assert command([*call, "--rung", "Q8_0", "--rung", "Q4_0"]) == 0
    assert (tmp_path / "Q8_0.gguf").stat().st_mtime_ns == first
    found = json.loads((tmp_path / "quantize.json").read_text(encoding="utf-8"))
    assert found["Q4_0"]["bytes"] == (tmp_path / "Q4_0.gguf").stat().st_size
    capsys.readouterr()
    assert command([*call, "--rung", "Q3_K"]) == 2
    assert "expected rungs of F16, Q8_0" in capsys.readouterr().err
    assert command(["quantize", str(tiny_run.base), str(tmp_path / "t"), "--target", "n100"]) == 0
    assert [path.name for path in (tmp_path / "t").glob("*.gguf")] == ["Q8_0.gguf"]
    assert "target n100" in capsys.readouterr().out


def test_the_command_on_a_graph(
    float_graph: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["quantize", str(float_graph.parent), str(tmp_path)]
    assert command([*call, "--rung", "int8-static"]) == 2
    assert "--frames" in capsys.readouterr().err
    assert command([*call, "--rung", "fp16", "--rung", "nbits-8", "--frames", str(photos)]) == 0
    found = json.loads((tmp_path / "quantize.json").read_text(encoding="utf-8"))
    assert found["fp32"]["embeds_error"] == 0.0
    assert found["nbits-8"]["bytes"] < found["fp16"]["bytes"] < found["fp32"]["bytes"]
