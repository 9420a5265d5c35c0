"""Replaces a log's key, killed (SIGKILL) before the first statement that changes the log, the second ...

    python killed_rotation.py BOX WORK

BOX holds `audit.db` and the keys `old` and `new`. Each attempt has a copy, WORK/1, WORK/2 ...; the last was
not killed. SQLite writes behind Python's back, so here it is asked for its statements, not Python for files.
"""

import os
import shutil
import signal
import sqlite3
import sys
from itertools import count
from pathlib import Path

from yochi_runtime.audit import rotation
from yochi_runtime.audit.signing import read_key
from yochi_runtime.audit.store import connect


def once(box: Path, at: int) -> None:
    seen = 0

    def before(statement: str) -> None:
        nonlocal seen
        seen += not statement.startswith(("SELECT", "--"))  # "-- " comes before what a trigger does
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(path: Path) -> sqlite3.Connection:
        db = connect(path)
        db.set_trace_callback(before)
        return db

    rotation.connect = traced  # type: ignore[attr-defined]
    rotation.rotate(box / "audit.db", read_key(box / "old"), read_key(box / "new"))


def main() -> None:
    box, work = map(Path, sys.argv[1:])
    read_key(box / "old")  # so that no attempt has to import anything
    for attempt in count(1):
        own = Path(shutil.copytree(box, work / str(attempt)))
        child = os.fork()
        if child == 0:
            once(own, attempt)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            sys.exit(status)


if __name__ == "__main__":
    main()
