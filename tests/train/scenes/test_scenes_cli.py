"""`yochi-train scenes`: help, one line for what goes wrong, and a whole run without Blender."""

import json
import sys
from pathlib import Path

import pytest
from yochi_train.scenes import environment

from ..made import command

FAKE = Path(__file__).with_name("fake_renderer.py")


@pytest.fixture(autouse=True)
def nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("YOCHI_BPY", raising=False)


@pytest.mark.parametrize("words", [["scenes"], ["scenes", "setup"], ["scenes", "render"]])
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command([*words, "--help"]) == 0
    assert f"Usage: yochi-train {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "1"], "Invalid value for '--count'"),
        (["--size", "7"], "expected --size from 32 to 2048 pixels, got 7"),
        (["--seed-file", "none.txt"], "expected a seed file at none.txt, found none"),
        ([], "run: yochi-train scenes setup"),
    ],
)
def test_a_wrong_call_is_one_line_and_makes_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert command(["scenes", "render", str(tmp_path / "out"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_scenes_are_made_again_from_their_seed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setattr(environment, "renderer_command", lambda: [sys.executable, str(FAKE), str(state)])
    first, again = tmp_path / "first", tmp_path / "again"
    small = ["--size", "48", "--samples", "1"]
    assert command(["scenes", "render", str(first), "--count", "3", "--seed", "100", *small]) == 0
    assert capsys.readouterr().out.startswith("4 scenes in 2 minimal pairs, ")
    assert command(["scenes", "render", str(again), "--seed-file", str(first / "seeds.txt"), *small]) == 0
    for name in ("seeds.txt", "photos.jsonl", "index.html", "contact.png"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    rows = [json.loads(line) for line in (first / "photos.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        assert (first / row["image"]).read_bytes() == (again / row["image"]).read_bytes()
    part = tmp_path / "part"
    words = ["--seed-file", str(first / "seeds.txt"), "--count", "2", *small]
    assert command(["scenes", "render", str(part), *words]) == 0
    assert len(list((part / "scenes").iterdir())) == 2
