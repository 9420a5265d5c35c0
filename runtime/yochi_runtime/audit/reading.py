"""Reading a log before something is appended that its rows decide: the long part while others may write."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import AuditError, UsageError
from .chain import GENESIS, Row, following, rows
from .pictures import PictureLedger


class Reader:
    """What a log's rows say of pictures and keys, and how far that was read; Broken where the log is."""

    def __init__(self, log: Path) -> None:
        self.ledger, self.last = PictureLedger(), (0, GENESIS)  # its number and hash
        for row in rows(log):
            self._see(row)

    def catch_up(self, db: sqlite3.Connection) -> None:
        """Read on; call it where nobody else appends."""
        sequence, head = self.last
        for row in following(db, sequence + 1, head):
            self._see(row)

    def _see(self, row: Row) -> None:
        self.ledger.see(row)
        self.last = row.sequence, row.hash


@contextmanager
def alone(db: sqlite3.Connection) -> Iterator[None]:
    """Nobody else appends; what was not committed is undone."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def writable(log: Path) -> Iterator[None]:
    """UsageError where log or pictures cannot be changed."""
    try:
        yield
    except (AuditError, OSError, sqlite3.OperationalError) as e:
        raise UsageError(f"expected to change {log} and its pictures, got: {e}; check rights and room") from e
