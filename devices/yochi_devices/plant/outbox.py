"""The outbox: messages in SQLite until their sink has acknowledged them.

What `put` accepted survives a kill and a power cut (WAL, `synchronous=FULL`), and goes out in order. That it
went out is written without waiting for the disk: after a power cut a message may go out again, under the id
and number it had. Every sink has a queue of its own, with a bound: where it is full, `put` refuses, counts,
and the next message that fits says how many are missing before it. The audit log has them all.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .signal import Message, SettingsError

APPLICATION_ID = 0x596F4F75  # "YoOu"
WAIT = 5.0  # seconds for the other connection's transaction
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    sink TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL, missed INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (sink, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sinks (
    sink TEXT PRIMARY KEY, last INTEGER NOT NULL, missed INTEGER NOT NULL) WITHOUT ROWID;
"""


class Waiting(NamedTuple):
    """Of one sink: messages that wait, and signals that found no room since the last one that did."""

    messages: int
    missed: int


class Outbox:
    """The file at `path`, of this process alone, for several threads. SettingsError where it is none."""

    def __init__(self, path: Path, sinks: Sequence[str], limit: int) -> None:
        self.path, self._sinks, self._limit = path, tuple(sinks), limit
        self._guard = threading.Lock()
        self._lock = _locked(path)
        try:
            self._in, self._out = _connect(path, "FULL"), _connect(path, "NORMAL")
            with self._in:
                self._in.executemany(
                    "INSERT OR IGNORE INTO sinks VALUES (?, 0, 0)", [(sink,) for sink in self._sinks]
                )
        except sqlite3.Error as e:
            os.close(self._lock)
            raise SettingsError(f"expected an outbox at {path}, got: {e}; give another or mend it") from e
        except BaseException:
            os.close(self._lock)
            raise

    def put(self, id: str, body: str) -> tuple[str, ...]:
        """Keep a message for every sink; the sinks that had no room for it. Durable when it returns.

        sqlite3.Error where nothing was kept (full disk); that counts as missed, too, if it can be written.
        """
        with self._guard:
            try:
                return self._put(id, body)
            except sqlite3.Error:
                with suppress(sqlite3.Error):
                    self._in.rollback()
                with suppress(sqlite3.Error), self._in:
                    self._in.execute("UPDATE sinks SET missed = missed + 1")
                raise

    def _put(self, id: str, body: str) -> tuple[str, ...]:
        refused = []
        with self._in:
            self._in.execute("BEGIN IMMEDIATE")
            for sink in self._sinks:
                last, missed = self._in.execute(
                    "SELECT last, missed FROM sinks WHERE sink = ?", (sink,)
                ).fetchone()
                if self._count(self._in, sink) >= self._limit:
                    refused.append(sink)
                    self._in.execute("UPDATE sinks SET missed = missed + 1 WHERE sink = ?", (sink,))
                    continue
                self._in.execute(
                    "INSERT INTO queue VALUES (?, ?, ?, ?, ?)", (sink, last + 1, id, missed, body)
                )
                self._in.execute("UPDATE sinks SET last = ?, missed = 0 WHERE sink = ?", (last + 1, sink))
        return tuple(refused)

    def first(self, sink: str) -> Message | None:
        """The oldest that waits for `sink`."""
        with self._guard:
            row = self._out.execute(
                "SELECT id, sequence, missed, body FROM queue WHERE sink = ? ORDER BY sequence LIMIT 1",
                (sink,),
            ).fetchone()
        return None if row is None else Message(*row)

    def done(self, sink: str, sequence: int) -> None:
        """`sink` has acknowledged it."""
        with self._guard, self._out:
            self._out.execute("DELETE FROM queue WHERE sink = ? AND sequence = ?", (sink, sequence))

    def waiting(self) -> dict[str, Waiting]:
        """By sink; those that the settings do not name any more, too, while messages wait for them."""
        with self._guard:
            found = {
                sink: Waiting(self._count(self._out, sink), missed)
                for sink, missed in self._out.execute(
                    "SELECT sink, missed FROM sinks ORDER BY sink"
                ).fetchall()
            }
        return {sink: w for sink, w in found.items() if w.messages or sink in self._sinks}

    def _count(self, db: sqlite3.Connection, sink: str) -> int:
        (count,) = db.execute("SELECT count(*) FROM queue WHERE sink = ?", (sink,)).fetchone()
        return int(count)

    def close(self) -> None:
        """May be repeated; what waits is sent by the next process."""
        with self._guard:
            self._in.close()
            self._out.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


def _locked(path: Path) -> int:
    """Two processes would send everything twice and out of order."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise SettingsError(
            f"expected to write the outbox {path}, got: {e.strerror or e}; check path and rights"
        ) from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SettingsError(
            f"expected the outbox {path} for one Yochi, another one uses it; stop it or name another outbox"
        ) from None
    return lock


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        (found,) = db.execute("PRAGMA application_id").fetchone()
        if found != APPLICATION_ID:
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise SettingsError(f"expected an outbox at {path}, got another database; name another file")
            db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
