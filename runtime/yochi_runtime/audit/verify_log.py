"""Checks a Yochi audit log on any machine: python -I verify_log.py DB [--checkpoint FILE] [--public-key FILE]

Shares no code with the program that writes logs, so that neither has to be believed. Needs Python 3.11, and
for --public-key the package `cryptography`. What must hold:

1. The table `judgements` of the SQLite file DB has rows 1, 2, 3 ... without gaps.
2. A row's `hash` is the sha256 of its other columns as one JSON object: UTF-8, keys sorted, no blanks.
3. Its `previous` is the hash of the row before; of the first row, 64 zeros.
4. The row that a checkpoint names is there, with the checkpoint's hash. This alone shows a cut end.
5. The checkpoint's signature is Ed25519 by the given key, over the line "yochi audit checkpoint 1", a line
   feed, and its other fields as JSON in the form of 2.

Exit 0: all of it holds. 1: not; the first thing that is wrong. 2: called wrongly.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

COLUMNS = ("sequence", "time", "missed", "note", "frame", "bundle", "judgement", "previous", "hash")
Row = dict[str, Any]


class Wrong(Exception):
    """The log does not hold."""


def as_json(fields: Row, without: str) -> bytes:
    """ValueError for an infinity, which SQLite stores and JSON cannot say."""
    kept = {name: value for name, value in fields.items() if name != without}
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def connect(log: Path) -> sqlite3.Connection:
    """Read-only. Where SQLite may not even make its shared memory: as a file that nobody changes."""
    db = sqlite3.connect(f"{log.resolve().as_uri()}?mode=ro", uri=True)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchall()
        return db
    except sqlite3.OperationalError:
        db.close()
        wal = log.with_name(log.name + "-wal")
        if wal.exists() and wal.stat().st_size:  # then DB alone is not the whole log
            raise
        return sqlite3.connect(f"{log.resolve().as_uri()}?immutable=1", uri=True)


def stored(log: Path) -> Iterator[tuple[int, Row]]:
    """Each row with the number that it should have; Wrong where SQLite cannot read the next one."""
    number = 1
    try:
        with closing(connect(log)) as db:
            for values in db.execute(f"SELECT {', '.join(COLUMNS)} FROM judgements ORDER BY sequence"):
                yield number, dict(zip(COLUMNS, values, strict=True))
                number += 1
    except sqlite3.Error as e:
        raise Wrong(f"row {number} cannot be read: {str(e).partition(' with text ')[0]}") from e


def check_rows(log: Path, checkpoint: Row | None) -> str:
    number, previous, seen = 0, "0" * 64, None
    for number, row in stored(log):
        if row["sequence"] != number:
            raise Wrong(f"row {number} is missing, the next one found is row {row['sequence']}")
        try:
            found = hashlib.sha256(as_json(row, without="hash")).hexdigest()
        except (TypeError, ValueError):  # bytes instead of text, an infinity
            found = None
        if found is None or found != row["hash"]:
            raise Wrong(f"row {number} was changed: its content does not give its hash")
        if row["previous"] != previous:
            raise Wrong(f"row {number} does not follow row {number - 1}: one of them was replaced")
        previous = row["hash"]
        if checkpoint and number == checkpoint["sequence"]:
            seen = previous
    if checkpoint and seen is None:
        raise Wrong(f"row {number + 1} is missing, the checkpoint counts {checkpoint['sequence']}: cut")
    if checkpoint and seen != checkpoint["hash"]:
        raise Wrong(f"row {checkpoint['sequence']} is not the one of the checkpoint: the log was rewritten")
    return f"{number} rows, none changed or missing; head {previous}"


def read_checkpoint(path: Path) -> Row:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not {"sequence", "hash", "time"} <= set(found):
        raise ValueError(f"expected a checkpoint in {path}")
    return found


def public_key(path: Path) -> Any:
    """The Ed25519 key in a PEM file; ValueError for another."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"expected an Ed25519 public key in {path}")
    return key


def check_signature(key: Any, purpose: str, fields: Row, what: str) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        signature = bytes.fromhex(fields.get("signature", ""))
        key.verify(signature, purpose.encode() + b"\n" + as_json(fields, without="signature"))
    except (InvalidSignature, ValueError, TypeError) as e:
        raise Wrong(f"{what} is not signed by the given key") from e


def main() -> None:
    parser = argparse.ArgumentParser(description="Check a Yochi audit log.")
    parser.add_argument("log", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a file of `yochi audit checkpoint`")
    parser.add_argument("--public-key", type=Path, help="the .pub file of `yochi audit keygen`")
    given = parser.parse_args()
    if not given.log.is_file():
        parser.error(f"expected an audit log at {given.log}, found none")
    try:
        checkpoint = read_checkpoint(given.checkpoint) if given.checkpoint else None
        key = public_key(given.public_key) if given.public_key else None
    except (OSError, ValueError, ImportError, RecursionError) as e:
        parser.error(str(e))
    try:
        if checkpoint and key:
            check_signature(key, "yochi audit checkpoint 1", checkpoint, "the checkpoint")
        print(f"{given.log}: {check_rows(given.log, checkpoint)}")
    except Wrong as e:
        sys.exit(f"{given.log}: {e}")


if __name__ == "__main__":
    main()
