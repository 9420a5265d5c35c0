"""The doctor: what a checkpoint is, what can be made of it, and why the rest cannot."""

import json
import shutil
from pathlib import Path

import pytest
from yochi_export.cli import command
from yochi_export.doctor import examine, require
from yochi_export.families import MODEL_TYPES, TABLE, Family, Form
from yochi_runtime.errors import UsageError

from tests.fixtures.tiny_vlm import write_tiny_vlm

from .tiny_run import TinyRun


def checkpoint(folder: Path, kind: str) -> Path:
    """Config, one shard and a tokenizer, as far as the doctor looks."""
    folder.mkdir(exist_ok=True)
    text = {"num_hidden_layers": 4, "hidden_size": 64, "vocab_size": 1000, "model_type": "llama"}
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "text_config": text}))
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def no_converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream's converter is not asked about these tokenizers, whether this machine has it or not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Family) == set(MODEL_TYPES.values())
    assert all(set(cells) == set(Form) for cells in TABLE.values())
    assert all(cell.why for cells in TABLE.values() for cell in cells.values())


def test_what_is_said_to_be_made_is_a_command() -> None:
    for cells in TABLE.values():
        for cell in cells.values():
            if cell.made_by:
                program, *words = cell.made_by.split()
                assert (program, command([*words, "--help"])) == ("yochi-export", 0)


def test_a_run_of_nano(tiny_run: TinyRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["doctor", str(tiny_run.folder)]) == 0
    shown = capsys.readouterr().out
    assert "family:      yochi-nano" in shown
    assert "complete:    yes" in shown
    assert "bundle           yes  yochi-export all" in shown
    assert "gguf             no   an assembled model of our own" in shown
    assert command(["doctor", str(tiny_run.folder), "--form", "gguf"]) == 2
    err = capsys.readouterr().err
    assert (len(err.splitlines()), "an assembled model of our own" in err) == (1, True)


@pytest.mark.parametrize("kind", MODEL_TYPES)
def test_other_families_get_their_row_and_the_reason(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, family = checkpoint(tmp_path / "m", kind), MODEL_TYPES[kind]
    made = any(cell.made_by for cell in TABLE[family].values())
    assert command(["doctor", str(folder)]) == (0 if made else 2)
    shown = capsys.readouterr()
    assert f"family:      {family}" in shown.out
    assert "4 layers, 64 wide, 1000 tokens" in shown.out
    for form, cell in TABLE[family].items():
        assert f"{form:<16} {'yes' if cell.made_by else 'no':<4} " in shown.out
        if cell.made_by is None:
            with pytest.raises(UsageError) as raised:
                require(folder, form)
            assert cell.why in str(raised.value)


def test_m_rope_is_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="M-RoPE"):
        require(checkpoint(tmp_path / "m", "qwen3_vl"), Form.BUNDLE)


def test_a_real_folder_of_smolvlm(tmp_path: Path) -> None:
    found = examine(write_tiny_vlm(tmp_path / "vlm"))
    assert (found.family, found.lacks) == (Family.SMOLVLM, ())
    assert found.facts["language"].startswith("2 layers, 32 wide, ")


def test_the_long_commands_refuse_before_they_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = checkpoint(tmp_path / "m", "qwen3_vl"), tmp_path / "out"
    rest = ["--records", str(tmp_path), "--photos", str(tmp_path)]
    for line, why in (
        (["all", str(folder), str(out), *rest], "M-RoPE"),
        (["onnx", str(folder), str(out)], "DeepStack"),
    ):
        assert command(line) == 2
        assert why in capsys.readouterr().err
    assert not out.exists()


def test_a_lora_on_another_model_is_merged_first(tiny_run: TinyRun, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    (run / "model" / "base.json").write_text('{"model": "org/vlm@0"}')
    with pytest.raises(UsageError, match=r"LoRA on org/vlm@0 .* yochi-train merge"):
        examine(run)


def test_what_is_not_whole_or_no_checkpoint(tiny_run: TinyRun, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", "smolvlm")
    (folder / "tokenizer.json").unlink()
    (folder / "model.safetensors").unlink()
    assert examine(folder).lacks == ("weights (*.safetensors)", "tokenizer.json")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "one.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match=r"lacks two\.safetensors, tokenizer\.json"):
        require(folder, None)
    half = tmp_path / "half"
    shutil.copytree(tiny_run.folder, half)
    (half / "model" / "positives.json").unlink()
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    broken = checkpoint(tmp_path / "broken", "llava")
    (broken / "config.json").write_text("[")
    for path, reason in (
        (half, "positives.json is missing"),
        (adapter, "an adapter alone"),
        (checkpoint(tmp_path / "other", "bert"), "'bert'"),
        (broken, "expected JSON"),
        (tmp_path / "none", "found none"),
    ):
        with pytest.raises(UsageError, match=reason):
            examine(path)
