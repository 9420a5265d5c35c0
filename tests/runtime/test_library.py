"""`from yochi_runtime import Judge`, as the README says."""

import subprocess
import sys
from pathlib import Path

import pytest
import yochi_runtime
from yochi_runtime import Inspection, Judge, Note, read_frame
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle


def test_five_lines_judge_a_picture(shipped: TinyBundle, picture: Path) -> None:
    assert shipped.folder.is_dir()
    with Judge.open(threads=1) as judge:
        found = judge.judge(Inspection(read_frame(picture), Note("Sweep the floor.")))
    assert found.verdict is Verdict.PROCEED


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, yochi_runtime; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    for name in yochi_runtime.__all__:
        assert getattr(yochi_runtime, name).__module__.startswith("yochi_runtime.")
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = yochi_runtime.Nothing
