"""What README and guide say can be typed, exists: make targets, commands with their options, links."""

import importlib
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "your-factors.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROGRAMS = {
    "yochi": "yochi_runtime.cli",
    "yochi-train": "yochi_train.cli",
    "yochi-export": "yochi_export.cli",
    "yochi-bench": "yochi_bench.cli",
}


def code() -> list[str]:
    """Lines of fenced blocks and spans between backticks; a shell prompt is cut off."""
    text = f"{README}\n{GUIDE}"
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`]+)`", prose)
    return [line.removeprefix("$ ").strip() for line in lines]


def make_targets() -> list[str]:
    return sorted({m[1] for line in code() if (m := re.match(r"make ([a-z-]+)", line))})


def commands() -> list[tuple[str, ...]]:
    """Program, subcommands and options of each command line, arguments left out."""
    found = set()
    for line in code():
        program, *words = shlex.split(line) if line.startswith("yochi") else [""]
        if program in PROGRAMS and words:
            name = re.compile(r"[a-z]+(-[a-z]+)*")
            count = next((i for i, word in enumerate(words) if not name.fullmatch(word)), len(words))
            found.add((program, *words[:count], *(word for word in words if word.startswith("--"))))
    return sorted(found)


def app_of(program: str) -> typer.Typer:
    module = importlib.import_module(PROGRAMS[program])
    app = module.app
    assert isinstance(app, typer.Typer)
    return app


def test_the_readme_names_what_it_should() -> None:
    assert {"demo", "test", "check"} <= set(make_targets())
    assert ("yochi", "judge", "--note") in commands()
    assert ("yochi", "bundle", "base", "--wheel") in commands()
    assert ("yochi-train", "records", "photos", "--pack", "--count") in commands()


@pytest.mark.parametrize("target", make_targets())
def test_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_every_task_of_the_makefile_is_in_its_help_and_in_the_readme() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    tasks = set(phony[1].split()) - {"help", "base"}
    helped = set(re.findall(r'@echo "make ([a-z-]+)', MAKEFILE))
    assert tasks == helped == set(make_targets())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_command_and_its_options_exist(command: tuple[str, ...]) -> None:
    program, *words = command
    path = [word for word in words if not word.startswith("--")]
    options = [word for word in words if word.startswith("--")]
    wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200", "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(app_of(program), [*path, "--help"], env=wide)
    assert result.exit_code == 0, result.output
    for option in options:
        assert re.search(rf"{option}\b(?!-)", result.output), f"{option} is not in the help of {command}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).is_file()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert script[-1] == "exec make test"
    assert "test" in make_targets()


FAKE = """#!{python}
import os, sys
with open({seen!r}, "a", encoding="utf-8") as file:
    print(repr(sys.argv[1:]), file=file)
if sys.argv[1:] == ["bundle", "verify"] and os.environ["FAKE_FAULT"]:
    sys.exit("yochi: expected a whole bundle; get it again (" + os.environ["FAKE_FAULT"] + ")")
sys.exit(int(os.environ["FAKE_STATUS"]) if sys.argv[1] == "judge" else 0)
"""


def demo(folder: Path, *variables: str, status: int = 0, fault: str = "") -> tuple[int, str]:
    """Run `make demo` with a program that only notes how it was called; its exit code and the last `judge`.

    `fault` is the reason for which `bundle verify` fails.
    """
    venv, seen = folder / "venv", folder / "seen.txt"
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    program = venv / "bin" / "yochi"
    program.write_text(FAKE.format(python=sys.executable, seen=str(seen)), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for stamp in (".made", ".edge", ".project"):
        (venv / stamp).touch()
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "NOTE", "IMAGE", "BASE_WHEEL")
    env = {key: value for key, value in os.environ.items() if key not in outer}
    done = subprocess.run(
        ["make", "demo", f"VENV={venv}", *variables],
        cwd=ROOT,
        env=env | {"FAKE_STATUS": str(status), "FAKE_FAULT": fault},
        capture_output=True,
        check=False,
    )
    calls = seen.read_text(encoding="utf-8").splitlines()
    return done.returncode, [call for call in calls if call.startswith("['judge'")][-1]


NOTES = [
    'I\'ll say "go"; $5 $HOME $(shell id) `id` 100% # \\n',
    "フォークの横に立って誘導します。",
    "-5 °C",
    "",
    "a\nb",
]


@pytest.mark.parametrize("note", NOTES)
def test_a_note_reaches_the_program_as_it_was_typed(tmp_path: Path, note: str) -> None:
    assert demo(tmp_path, f"NOTE={note}", "IMAGE=my $1 photo.jpg") == (
        0,
        repr(["judge", "--note", note, "--audit", f"{tmp_path}/venv/audit.db", "--", "my $1 photo.jpg"]),
    )


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 0), (2, 2), (1, 2), (130, 2)])
def test_demo_succeeds_when_a_judgement_was_printed(tmp_path: Path, status: int, expected: int) -> None:
    log = f"{tmp_path}/venv/audit.db"
    sample = ["judge", "--note-file", "docs/sample/note.txt", "--audit", log, "--", "docs/sample/frame.jpg"]
    assert demo(tmp_path, status=status) == (expected, repr(sample))


FAULTS = [
    "bundle_missing",
    "bundle_changed",
    "bundle_invalid",
    "bundle_newer",
    "bundle_unsigned",
    "bundle_signature",
    "trust_damaged",
    "base_missing",
    "base_changed",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_demo_fails_when_what_it_set_up_is_not_whole(tmp_path: Path, fault: str) -> None:
    assert demo(tmp_path, status=3, fault=fault)[0] == 2
