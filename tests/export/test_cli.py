"""The command line: helps, exit codes, one line for a person."""

from pathlib import Path

import pytest
import typer
from yochi_export.cli import app, command

COMMANDS = sorted(c.name or c.callback.__name__ for c in app.registered_commands if c.callback is not None)


def test_every_step_has_a_command() -> None:
    assert [
        *("all", "calibrate", "compare", "doctor", "gguf", "keygen", "lora", "onnx", "pack", "parity"),
        *("quantize", "ship", "sign", "sweep", "unpack"),
    ] == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command([name, "--help"]) == 0
    assert "Usage: yochi-export" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["onnx"],
        ["onnx", "no-run", "out", "--colour"],
        ["onnx", "no-run", "out"],
        ["lora", "no-run", "out"],
        ["quantize", "no-folder", "out", "--frames", "no-frames"],
        ["quantize", "no-file.gguf", "out", "--target", "n100"],
        ["quantize", "no-file.gguf", "out", "--target", "toaster"],
        ["sweep", "no-run", "out", "--records", "r", "--photos", "p"],
        ["sweep", "no-run", "out", "--records", "r", "--photos", "p", "--target", "toaster"],
        ["calibrate", "no-bundle", "no-records", "--photos", "p", "--out", "o", "--miss", "1"],
        ["ship", "no-bundle"],
        ["keygen", "no-folder/key"],
        ["sign", "no-bundle", "--key", "no-key"],
        ["sign", "no-bundle"],
        ["doctor", "no-folder"],
        ["doctor", "no-folder", "--form", "safetensors"],
        ["compare", "no-bundle", "no-bundle", "no-records", "--photos", "p", "--out", "o"],
        ["pack", "no-bundle", "out"],
        ["pack", "no-bundle", "out", "--languages", "de"],
        ["calibrate", "no-bundle", "no-records", "--photos", "p", "--out", "o"],
        ["parity", "no-run", "no-bundle", "no-records", "--photos", "p", "--out", "o"],
        ["all", "no-run", "out", "--records", "r", "--photos", "p"],
        ["all", "no-run", "out", "--records", "r", "--photos", "p", "--fit", ""],
        ["all", "no-run", "out", "--records", "r", "--photos", "p", "--fit", "de"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_one_line_and_two(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("yochi-export: ")
    assert len(shown.err.splitlines()) == 1


def test_a_bundle_without_manifest_is_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["ship", str(tmp_path)]) == 3
    assert "bundle_missing" in capsys.readouterr().err


def test_a_fault_is_a_line_and_a_traceback_only_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("yochi_runtime.bundle.open_bundle", fail)
    assert command(["ship", "anything"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert command(["--debug", "ship", "anything"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise typer.Abort

    monkeypatch.setattr("yochi_runtime.bundle.open_bundle", interrupt)
    assert command(["ship", "anything"]) == 130
    assert capsys.readouterr().err == "yochi-export: interrupted\n"
