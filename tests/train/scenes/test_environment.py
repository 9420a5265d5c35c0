"""Setting up Blender's environment, with scripts in place of Python and pip."""

import sys
from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_train.scenes import environment
from yochi_train.scenes.environment import BPY, environment_folder, find_python, renderer_command, set_up

# A Python that makes a folder with itself as its interpreter, and whose pip and bpy do as they are told.
SCRIPT = """#!/bin/sh
here="$(dirname "$0")"
case "$*" in
  *version_info*) echo {version};;
  *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;
  *"pip install"*) echo "$*" >> {log}; {pip};;
  *"import bpy"*) {bpy};;
esac
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("YOCHI_BPY", raising=False)
    return tmp_path / "cache"


def fake_python(tmp_path: Path, version: str = "3.11", pip: str = "true", bpy: str = f"echo {BPY}") -> Path:
    file = tmp_path / "python3.11"
    file.write_text(SCRIPT.format(version=version, pip=pip, bpy=bpy, log=tmp_path / "pip.log"))
    file.chmod(0o755)
    return file


def test_it_is_made_once_and_then_found(tmp_path: Path, cache: Path) -> None:
    python = fake_python(tmp_path)
    said = f"Blender {BPY} is ready in {environment_folder()}"
    assert environment_folder().is_relative_to(cache)
    assert set_up(python) == set_up(python) == said
    (line,) = (tmp_path / "pip.log").read_text().splitlines()
    assert f"bpy=={BPY}" in line
    assert "--only-binary=:all:" in line
    assert "--no-index" not in line
    interpreter, *rest = renderer_command()
    assert Path(interpreter).is_relative_to(environment_folder())
    assert rest[0] == "-I"
    assert (Path(rest[-1]) / "yochi_train" / "scenes" / "build.py").is_file()


def test_wheels_are_used_without_network(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    set_up(fake_python(tmp_path), wheels)
    assert f"--no-index --find-links {wheels}" in (tmp_path / "pip.log").read_text()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"version": "3.13"}, rf"expected Python 3\.11 for bpy {BPY}, got 3\.13 at .*; check --python"),
        (
            {"pip": "echo 'no route to host' >&2; exit 1"},
            rf"expected pip to install bpy=={BPY}, got: no route to host; offline, run: .* --wheels FOLDER",
        ),
        (
            {"bpy": "echo 'libXi.so.6: cannot open' >&2; exit 1"},
            r"expected bpy to load, got: libXi\.so\.6: cannot open; a missing library .* libxi6",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing_ready(
    tmp_path: Path, how: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        set_up(fake_python(tmp_path, **how))
    with pytest.raises(UsageError, match="run: yochi-train scenes setup"):
        renderer_command()
    assert set_up(fake_python(tmp_path)).startswith("Blender")  # a second try is not in the way of the first


def test_a_missing_python_and_missing_wheels_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected Python 3\.11 .*found none at .*/none; .*--python PATH"):
        set_up(tmp_path / "none")
    with pytest.raises(UsageError, match="check --wheels"):
        set_up(fake_python(tmp_path), tmp_path / "none")


def test_another_python_looks_for_a_fitting_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PYTHON", (3, 99))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"expected Python 3\.99 .*found none at python3\.99"):
        find_python()
    monkeypatch.setattr(environment, "PYTHON", sys.version_info[:2])
    assert find_python() == Path(sys.executable)


def test_another_interpreter_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOCHI_BPY", str(tmp_path / "blender-python"))
    with pytest.raises(UsageError, match="blender-python, found none"):
        renderer_command()
    (tmp_path / "blender-python").touch()
    assert renderer_command()[0] == str(tmp_path / "blender-python")
