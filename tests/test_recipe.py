"""The whole road, tiny: records, training, export, evaluation, bundle. Nobody may believe what it makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAME = ROOT / "docs" / "sample" / "frame.jpg"


def run(*command: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command as a user gives it, with this interpreter's commands first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(1200)
def test_the_smoke_recipe_ends_in_a_bundle_that_judges_nothing(tmp_path: Path) -> None:
    done = run("bash", "train/recipes/nano.sh", "--smoke", YOCHI_RUN=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    bundle = tmp_path / "bundle"

    verified = run("yochi", "bundle", "verify", bundle)
    assert verified.returncode == 0, verified.stderr
    assert "not signed; " in verified.stdout

    report = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    rows = {table["title"]: table["rows"] for table in report["tables"]}
    assert len(rows["Verdicts"]) == 4  # the model, and three that never look
    assert len(rows["Combinations"]) == 4
    assert report["bars"]
    assert "--per-set" in report["command"]  # nobody takes it for evidence

    judged = run("yochi", "judge", FRAME, "--note", "Sweep the floor.", "--bundle", bundle, "--json")
    assert judged.returncode == 3, judged.stderr
    judgement = json.loads(judged.stdout)
    assert (judgement["verdict"], judgement["reasons"]) == ("cannot_judge", ["unproved"])
