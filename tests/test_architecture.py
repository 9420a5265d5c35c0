"""The rules of the house that a tool can check: layers, sizes, names."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("*/yochi_*/__init__.py"))
SOURCES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
STAGES = ["benchmarks", "devices", "export", "runtime", "train"]
TRAINERS = ("torch", "transformers", "trl", "peft", "datasets")


def test_the_five_packages_are_found_and_shipped() -> None:
    names = [str(package.relative_to(ROOT)) for package in PACKAGES]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert [name.split("/")[0] for name in names] == STAGES
    assert sorted(settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == names
    assert sorted(settings["tool"]["importlinter"]["root_packages"]) == sorted(p.name for p in PACKAGES)
    assert len(SOURCES) > len(PACKAGES)


def test_import_linter_keeps_every_contract() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]
    paths = [str(package.parent) for package in PACKAGES]
    done = subprocess.run(
        [*command, "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(paths), "PATH": "", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_box_loads_no_trainer() -> None:
    """What import-linter reads from the source, seen once more in a running interpreter."""
    code = f"""
import sys
import yochi_devices.cameras, yochi_runtime.cli
print(*[name for name in {TRAINERS!r} if name in sys.modules])
"""
    paths = ":".join(str(package.parent) for package in PACKAGES)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": paths, "PATH": "", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_small_and_named_for_what_it_holds(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert path.stem not in NO_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_fits_on_a_page_and_a_module_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "expected a docstring at the top"
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {
        f.name: lines
        for f in functions
        if (lines := (f.end_lineno or f.lineno) - f.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}, f"expected at most {MAX_FUNCTION_LINES} lines"
