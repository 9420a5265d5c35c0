"""The rows of an audit log, how they are chained, and reading them without believing them.

The log is a SQLite file with one row a judgement. A row's hash is the sha256 of its other fields as one JSON
object in canonical form (RFC 8785: UTF-8, keys sorted, no blanks); one field is the hash of the row before
(Haber and Stornetta, How to time-stamp a digital document, 1991). A changed, added or removed row breaks that
chain. A cut end, or a log written anew, shows only against a checkpoint kept where the box cannot write.
`verify_log.py` says the same once more and shares no code with this module.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError

GENESIS = "0" * 64  # stands for the row before the first


class Row(NamedTuple):
    """The columns, in their order. None: not known when the row was written."""

    sequence: int  # from 1, without gaps
    time: str  # UTC, ISO 8601
    missed: int  # judgements just before this one whose row could not be written
    note: str | None  # as it was given
    frame: str | None  # sha256 of the decoded picture
    bundle: str | None  # sha256 of the bundle's manifest
    judgement: str  # canonical JSON: a Judgement, or what `pictures`, `feedback`, `updates`, `keys` say
    previous: str  # hash of the row before
    hash: str


COLUMNS = ", ".join(Row._fields)


class Broken(Exception):
    """The log is not as it was written; the message names the first row that is wrong."""


def canonical(value: object) -> str:
    """JSON with sorted keys and without blanks; ValueError for what JSON cannot say (NaN)."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def row_hash(row: Row) -> str:
    """Over every field but the hash itself."""
    fields = {name: value for name, value in row._asdict().items() if name != "hash"}
    return hashlib.sha256(canonical(fields).encode()).hexdigest()


def rows(path: Path, last: int | None = None) -> Iterator[Row]:
    """All rows, or the `last` ones, each checked as it comes; Broken at the first that is wrong."""
    try:
        with closing(open_read_only(path)) as db:
            count = db.execute("SELECT coalesce(max(sequence), 0) FROM judgements").fetchone()[0]
            skipped = 0 if last is None else max(0, count - last)
            yield from following(db, skipped + 1, None if skipped else GENESIS)
    except sqlite3.Error as e:
        raise _unreadable(1, e) from e


def following(db: sqlite3.Connection, number: int, previous: str | None) -> Iterator[Row]:
    """The rows from `number` on; `previous` is the hash of the one before them, None where not known."""
    after = number - 1 or -(2**63)  # a row 0 or -1 would be one that nobody wrote
    query = f"SELECT {COLUMNS} FROM judgements WHERE sequence > ? ORDER BY sequence"
    try:
        for row in map(Row._make, db.execute(query, (after,))):
            check(row, number, previous)
            yield row
            number, previous = number + 1, row.hash
    except sqlite3.Error as e:
        raise _unreadable(number, e) from e


def row_at(path: Path, number: int) -> Row:
    """Row `number`, checked by itself; Broken where it is, UsageError where the log has not so many."""
    try:
        with closing(open_read_only(path)) as db:
            for row in following(db, number, None):
                return row
            count = db.execute("SELECT coalesce(max(sequence), 0) FROM judgements").fetchone()[0]
    except sqlite3.Error as e:
        raise _unreadable(number, e) from e
    raise UsageError(f"expected a row from 1 to {count} of {path}, got {number}; see `yochi audit show`")


def _unreadable(number: int, error: sqlite3.Error) -> Broken:
    # After " with text " SQLite repeats what it could not read, which may be anything.
    return Broken(f"row {number} cannot be read: {str(error).partition(' with text ')[0]}")


def check(row: Row, number: int, previous: str | None) -> None:
    """Broken where `row` is not row `number` as it was written, or its predecessor's hash not `previous`."""
    if row.sequence != number:
        raise Broken(f"row {number} is missing, the next one found is row {row.sequence}")
    if not _gives_its_hash(row):
        raise Broken(f"row {number} was changed: its content does not give its hash")
    if previous is not None and row.previous != previous:
        raise Broken(f"row {number} does not follow row {number - 1}: one of them was replaced")


def _gives_its_hash(row: Row) -> bool:
    try:
        return not any(isinstance(value, bytes) for value in row) and row_hash(row) == row.hash
    except ValueError:  # an infinity, which SQLite stores and JSON cannot say
        return False


def open_read_only(path: Path) -> sqlite3.Connection:
    """The log, also while it is written to, and also where nothing may be written."""
    uri, wal = path.resolve().as_uri(), path.with_name(f"{path.name}-wal")
    db = sqlite3.connect(f"{uri}?mode=ro", uri=True)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return db
    except sqlite3.Error as e:
        db.close()
        # With `immutable` SQLite would not see rows that still stand in the -wal file.
        if not isinstance(e, sqlite3.OperationalError) or (wal.exists() and wal.stat().st_size):
            raise
    return sqlite3.connect(f"{uri}?immutable=1", uri=True)
