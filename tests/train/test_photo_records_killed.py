"""`records photos`, killed without warning at ten moments, ends as a run that nobody disturbed."""

import os
import subprocess
import sys
from pathlib import Path

from yochi_train.drawn import draw_photos

from .test_convert_killed import contents

PHOTOS, COUNT, KILLS, SEED = 40, 400, 10, 3


def test_kill_9_at_ten_moments(tmp_path: Path) -> None:
    """No card ever stands beside half of the records, which the child process checks after each kill."""
    draw_photos(tmp_path / "photos", PHOTOS)
    words = [sys.executable, "-m", "tests.train.killed_records", str(tmp_path), str(tmp_path / "photos")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*words, *map(str, (COUNT, KILLS, SEED))],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{KILLS}\n"
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
