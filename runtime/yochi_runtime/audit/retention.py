"""Deletes pictures that are older than they may become. Their rows stay, and a signed tombstone says so.

First the tombstone, then the pictures: after a crash in between, the next run deletes what is left. What is
missing already gets no tombstone. A picture that was judged again later lives as long as its last judgement.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from .chain import canonical
from .log import draft, insert
from .pictures import PictureStore, tombstone_text
from .reading import Reader, alone, writable
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

    Broken where the log is, UsageError where `key` is not in force, or nothing can be written.
    """
    store, reader = PictureStore(log), Reader(log)
    with writable(log), closing(connect(log)) as db:
        missing = _bury(db, reader, store, before, key)
        pictures = size = 0
        gone = [sha256 for sha256 in reader.ledger.gone() if store.path(sha256).is_file()]
        for batch in _batches(gone):
            with alone(db):
                reader.catch_up(db)
                for sha256 in batch:
                    if reader.ledger.tombstone(sha256):  # not judged again meanwhile
                        size += store.path(sha256).stat().st_size
                        pictures += 1
                        store.delete(sha256)
        _tidy(db, reader, store)
        return Deleted(pictures, size, missing)


def _bury(db: sqlite3.Connection, reader: Reader, store: PictureStore, before: str, key: SigningKey) -> int:
    """Write the tombstones; how many pictures are due and missing."""
    with alone(db):
        reader.catch_up(db)
        reader.ledger.keys.check_signer(key.public)
        due = list(reader.ledger.due(before))
        there = [sha256 for sha256 in due if store.path(sha256).is_file()]
        for batch in _batches(there):
            row = draft(db)
            insert(db, row._replace(judgement=canonical(tombstone_text(batch, before, row.previous, key))))
        reader.catch_up(db)
        db.execute("COMMIT")
    return len(due) - len(there)


def _tidy(db: sqlite3.Connection, reader: Reader, store: PictureStore) -> None:
    """Delete what no row names: left by a crash before its row was written, it would stay for ever."""
    with alone(db):  # a picture is written only together with its row, so none of these is on its way
        reader.catch_up(db)
        for path in store.folder.glob("*/*"):
            if path.name not in reader.ledger.used:
                path.unlink()


def _batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))
