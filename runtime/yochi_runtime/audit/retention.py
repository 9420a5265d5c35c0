"""Deletes pictures that are older than they may become. Their rows stay, and a signed tombstone says so.

First the tombstone, then the pictures: after a crash in between, the next run deletes what is left. What is
missing already gets no tombstone. A picture that was judged again later lives as long as its last judgement.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import AuditError, UsageError
from .chain import GENESIS, Row, canonical, following, rows
from .log import draft, insert
from .pictures import PictureLedger, PictureStore, tombstone_text
from .signing import SigningKey
from .store import connect

BATCH = 500  # pictures of one tombstone, and deleted at once while no judgement can be recorded


class Deleted(NamedTuple):
    """What a run did."""

    pictures: int
    bytes: int
    missing: int  # old ones that were not there, which no tombstone excuses


def retain(log: Path, before: str, key: SigningKey) -> Deleted:
    """Delete the pictures of `log` whose last use is before that time (UTC, ISO 8601).

    Broken where the log is, UsageError where nothing can be written.
    """
    store, reader = PictureStore(log), _Reader()
    for row in rows(log):  # the long part, while others may write
        reader.see(row)
    with _writable(log), closing(connect(log)) as db:
        missing = _bury(db, reader, store, before, key)
        pictures = size = 0
        gone = [sha256 for sha256 in reader.ledger.gone() if store.path(sha256).is_file()]
        for batch in _batches(gone):
            with _alone(db):
                reader.catch_up(db)
                for sha256 in batch:
                    if reader.ledger.tombstone(sha256):  # not judged again meanwhile
                        size += store.path(sha256).stat().st_size
                        pictures += 1
                        store.delete(sha256)
        _tidy(db, reader, store)
        return Deleted(pictures, size, missing)


def _bury(
    db: sqlite3.Connection, reader: "_Reader", store: PictureStore, before: str, key: SigningKey
) -> int:
    """Write the tombstones; how many pictures are due and missing."""
    with _alone(db):
        reader.catch_up(db)
        due = list(reader.ledger.due(before))
        there = [sha256 for sha256 in due if store.path(sha256).is_file()]
        for batch in _batches(there):
            row = draft(db)
            insert(db, row._replace(judgement=canonical(tombstone_text(batch, before, row.previous, key))))
        reader.catch_up(db)
        db.execute("COMMIT")
    return len(due) - len(there)


def _tidy(db: sqlite3.Connection, reader: "_Reader", store: PictureStore) -> None:
    """Delete what no row names: left by a crash before its row was written, it would stay for ever."""
    with _alone(db):  # a picture is written only together with its row, so none of these is on its way
        reader.catch_up(db)
        for path in store.folder.glob("*/*"):
            if path.name not in reader.ledger.used:
                path.unlink()


class _Reader:
    """The ledger, and how far it has read."""

    def __init__(self) -> None:
        self.ledger, self._last = PictureLedger(), (0, GENESIS)

    def see(self, row: Row) -> None:
        self.ledger.see(row)
        self._last = row.sequence, row.hash

    def catch_up(self, db: sqlite3.Connection) -> None:
        sequence, head = self._last
        for row in following(db, sequence + 1, head):
            self.see(row)


@contextmanager
def _alone(db: sqlite3.Connection) -> Iterator[None]:
    """Nobody else appends; what was not committed is undone."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))


@contextmanager
def _writable(log: Path) -> Iterator[None]:
    try:
        yield
    except (AuditError, OSError, sqlite3.OperationalError) as e:
        raise UsageError(f"expected to change {log} and its pictures, got: {e}; check rights and room") from e
