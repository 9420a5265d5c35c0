"""Logs to be checked and spoiled."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.judgement import GO_ON, Identities, Judgement
from yochi_runtime.verdict import Verdict

PROCEED = Judgement(
    verdict=Verdict.PROCEED, advice=GO_ON, identities=Identities(frame="f" * 64, bundle="b" * 64)
)
ROWS = 5
# Appends argv[2] rows to argv[1], telling of each once it is acknowledged; argv[3]: limit of a file, bytes.
WRITER = """
import resource, sys
from pathlib import Path
from tests.runtime.audit.conftest import PROCEED
from yochi_runtime.audit.log import AuditLog
if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
with AuditLog(Path(sys.argv[1])) as log:
    for i in range(int(sys.argv[2])):
        found = log.record(PROCEED, f"note {i}")
        print(found.verdict, *found.reasons, flush=True)
"""


def writer(path: Path, count: int, limit: int = 0) -> "subprocess.Popen[str]":
    """Another process that writes to the same log."""
    root = str(Path(__file__).parents[3])
    inherited = os.environ.get("PYTHONPATH", "")
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count), str(limit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{inherited}"},
    )


def fill(path: Path, count: int) -> Path:
    with AuditLog(path) as log:
        for number in range(1, count + 1):
            assert log.record(PROCEED, f"note {number}") is PROCEED
    return path


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """A whole log of five rows that nobody has open."""
    return fill(tmp_path / "audit.db", ROWS)


def forge(path: Path, statement: str, *values: object) -> None:
    """Change the log as somebody would who has the file: without its triggers."""
    with closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement, values)
        for _, sql in triggers:  # and nothing of it is to be seen afterwards
            db.execute(sql)
        db.commit()


@pytest.fixture
def read_only() -> Iterator[Callable[..., Path]]:
    """Moves files into a folder where the test may only read, folder and files alike; the folder."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as after:
        folder = Path(name)

        def move(*paths: Path) -> Path:
            for path in paths:
                Path(shutil.move(path, folder)).chmod(0o444)
            folder.chmod(0o555)
            after.callback(folder.chmod, 0o755)
            if os.geteuid() == 0:  # root writes wherever it likes; nobody does not
                os.seteuid(65534)
                after.callback(os.seteuid, 0)
            return folder

        yield move
