"""`yochi-train`: exit codes, one line for what goes wrong, help for everything."""

from pathlib import Path

import pytest
from yochi_runtime.errors import BundleError, Reason
from yochi_train import photo_records
from yochi_train.pictures import read_photos

from .made import command, fake_cache

COMMANDS = (
    ["records"],
    ["records", "photos"],
    ["records", "join"],
    ["records", "observe"],
    ["records", "validate"],
    ["records", "stats"],
    ["records", "from-llava"],
    ["records", "to-llava"],
    ["records", "from-coco"],
    ["records", "to-hf"],
    ["records", "split"],
    ["records", "sample"],
    ["packs", "check"],
    ["sft"],
    ["rlaif"],
    ["evaluate"],
)


def failed(capsys: pytest.CaptureFixture[str], code: int, expected: int) -> str:
    """The one line on stderr."""
    out, err = capsys.readouterr()
    assert (code, out) == (expected, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("yochi-train: ")
    return err.removeprefix("yochi-train: ").strip()


@pytest.mark.parametrize("words", [[], *COMMANDS], ids=lambda words: " ".join(words) or "yochi-train")
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: yochi-train {' '.join(words)}".strip() in out
    assert "--help" in out


@pytest.mark.parametrize(
    "words", [["sing"], ["sft", "--loud"], ["records", "photos"], ["evaluate", *"abc", "--per-set", "2"]]
)
def test_a_wrong_call_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "See: yochi-train --help" in failed(capsys, command(words), 2)


def test_missing_settings_are_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = command(["sft", str(tmp_path / "none.toml"), str(tmp_path / "run")])
    assert failed(capsys, code, 2).startswith("expected a settings file (TOML) at ")
    assert not (tmp_path / "run").exists()


def test_records_are_made(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = fake_cache(tmp_path / "cache", [p.image for p in read_photos(drawn)])
    words = ["records", "photos", str(drawn), str(tmp_path / "out"), "--features", str(cache)]
    assert command([*words, "--count", "56"]) == 0
    assert capsys.readouterr().out.startswith("104 records on 128 pictures: ")
    assert (tmp_path / "out" / "card.json").is_file()


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (BundleError(Reason.BASE_MISSING, "expected the base; bring it"), 3, "bring it (base_missing)"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            RuntimeError("two\nlines"),
            1,
            "unexpected RuntimeError: two lines; report it with the output of --debug",
        ),
    ],
)
def test_faults_have_their_exit_codes(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise raised

    monkeypatch.setattr(photo_records, "make_records", fail)
    assert failed(capsys, command(["records", "photos", "a", "b"]), code).endswith(said)


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object, **__: object) -> str:
        raise RuntimeError("here")

    monkeypatch.setattr(photo_records, "make_records", fail)
    assert command(["--debug", "records", "photos", "a", "b"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
