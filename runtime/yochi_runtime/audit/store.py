"""The SQLite file of an audit log: its schema, and how two processes may open it at once."""

import sqlite3
import time
from pathlib import Path

from ..errors import AuditError, Reason
from .chain import GENESIS

DEADLINE = 5.0  # seconds to wait for another process that writes to the same log
APPLICATION_ID = 0x596F6368  # "Yoch"; what `file` and we know an audit log by
# INSERT OR REPLACE deletes without asking a DELETE trigger, hence the trigger on INSERT.
SCHEMA = (
    """CREATE TABLE judgements (
    sequence INTEGER PRIMARY KEY, time TEXT NOT NULL, missed INTEGER NOT NULL, note TEXT, frame TEXT,
    bundle TEXT, judgement TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)""",
    """CREATE TRIGGER no_update BEFORE UPDATE ON judgements
BEGIN SELECT RAISE(ABORT, 'a row of the audit log cannot be changed'); END""",
    """CREATE TRIGGER no_delete BEFORE DELETE ON judgements
BEGIN SELECT RAISE(ABORT, 'a row of the audit log cannot be deleted'); END""",
    f"""CREATE TRIGGER only_append BEFORE INSERT ON judgements
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM judgements)
  OR NEW.previous IS NOT coalesce((SELECT hash FROM judgements ORDER BY sequence DESC LIMIT 1), '{GENESIS}')
BEGIN SELECT RAISE(ABORT, 'a row of the audit log must follow the last one'); END""",
)


def connect(path: Path) -> sqlite3.Connection:
    """The log at `path`, made where there is none. sqlite3.Error; AuditError where it is something else."""
    db = sqlite3.connect(path, timeout=DEADLINE, isolation_level=None)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make a new file a log, or see that it is one."""
    db.execute("PRAGMA synchronous=FULL")
    if not _schema(db):
        _switch_to_wal(db)
        db.execute("BEGIN IMMEDIATE")
        if not _schema(db):  # another process may have been faster
            for statement in SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("COMMIT")
    _check_log(db, path)


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """SQLite does not wait here for another process that does the same, whatever the time-out."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _schema(db: sqlite3.Connection) -> set[str]:
    return {sql for (sql,) in db.execute("SELECT sql FROM sqlite_master")}


def _check_log(db: sqlite3.Connection, path: Path) -> None:
    ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours or _schema(db) != set(SCHEMA):
        found = "one whose table or triggers were changed" if ours else "another database"
        raise AuditError(
            Reason.AUDIT_DAMAGED, f"expected an audit log at {path}, got {found}; give another with --audit"
        )
