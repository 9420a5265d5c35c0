"""Checks a Yochi audit log on any machine: python -I verify_log.py DB [--checkpoint FILE] [--public-key FILE]

Shares no code with the program that writes logs, so that neither has to be believed. Needs Python 3.11, and
for --public-key the package `cryptography`. What must hold:

1. The table `judgements` of the SQLite file DB has rows 1, 2, 3 ... without gaps.
2. A row's `hash` is the sha256 of its other columns as one JSON object: UTF-8, keys sorted, no blanks.
3. Its `previous` is the hash of the row before; of the first row, 64 zeros.
4. The row that a checkpoint names is there, with the checkpoint's hash. This alone shows a cut end.
5. Its signature is Ed25519 by the given key, over the line "yochi audit checkpoint 1", a line feed, and its
   other fields as JSON in the form of 2. So is a tombstone's, over "yochi audit tombstone 1" and its other
   fields, to which its row's `previous` is added.
6. A picture that a row names is in the folder DB-pictures, unchanged, or a later row's tombstone names it.

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
Fields = dict[str, Any]
BAD = (AttributeError, KeyError, TypeError, ValueError, RecursionError)  # what wrong JSON comes to


class Wrong(Exception):
    """The log does not hold."""


def as_json(fields: Fields, without: str) -> bytes:
    kept = {name: value for name, value in fields.items() if name != without}
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def stored(log: Path) -> Iterator[tuple[int, Fields]]:
    """Each row with the number that it should have; Wrong where SQLite cannot read the next one."""
    number, wal = 1, log.with_name(log.name + "-wal")
    # Without rows that wait in a -wal file it also works where nothing may be written beside DB.
    how = "mode=ro" if wal.exists() and wal.stat().st_size else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?{how}", uri=True)) as db:
            for values in db.execute(f"SELECT {', '.join(COLUMNS)} FROM judgements ORDER BY sequence"):
                yield number, dict(zip(COLUMNS, values, strict=True))
                number += 1
    except sqlite3.Error as e:
        raise Wrong(f"row {number} cannot be read: {str(e).partition(' with text ')[0]}") from e


def check_log(log: Path, checkpoint: Fields | None = None, key: Any = None) -> str:
    number, previous = 0, "0" * 64
    used: dict[str, int] = {}  # picture -> the last row that names it
    gone: dict[str, int] = {}  # picture -> the last tombstone that names it
    for number, row in stored(log):
        if row["sequence"] != number:
            raise Wrong(f"row {number} is missing, the next one found is row {row['sequence']}")
        try:
            found = hashlib.sha256(as_json(row, without="hash")).hexdigest()
        except BAD:  # bytes instead of text, an infinity
            found = None
        if found is None or found != row["hash"]:
            raise Wrong(f"row {number} was changed: its content does not give its hash")
        if row["previous"] != previous:
            raise Wrong(f"row {number} does not follow row {number - 1}: one of them was replaced")
        previous = row["hash"]
        try:
            see_pictures(row, used, gone, key)
        except BAD as e:
            raise Wrong(f"row {number} holds no judgement") from e
        if checkpoint and number == checkpoint["sequence"] and previous != checkpoint["hash"]:
            raise Wrong(f"row {number} is not the one of the checkpoint: the log was rewritten")
    if checkpoint and number < checkpoint["sequence"]:
        raise Wrong(f"row {number + 1} is missing, the checkpoint counts {checkpoint['sequence']}: cut")
    return f"{number} rows, none changed or missing; head {previous}{check_pictures(log, used, gone)}"


def see_pictures(row: Fields, used: dict[str, int], gone: dict[str, int], key: Any) -> None:
    number, held = row["sequence"], json.loads(row["judgement"])
    if tombstone := held.get("tombstone"):
        if key:
            signed = tombstone | {"previous": row["previous"]}
            check_signature(key, "yochi audit tombstone 1", signed, f"the tombstone in row {number}")
        gone.update(dict.fromkeys(tombstone["pictures"], number))
    elif not held.keys() & {"feedback", "update"} and (picture := held["identities"].get("picture")):
        bytes.fromhex(picture)  # it becomes a path
        used[picture] = number


def check_pictures(log: Path, used: dict[str, int], gone: dict[str, int]) -> str:
    left = {picture: number for picture, number in used.items() if number > gone.get(picture, 0)}
    missing = []
    for picture, number in left.items():
        path = log.with_name(log.name + "-pictures") / picture[:2] / picture
        if not path.is_file():
            missing.append(number)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != picture:
            raise Wrong(f"picture {picture} was changed: its bytes do not give its name")
    said = f"{len(left) - len(missing)} pictures kept, {len(used) - len(left)} gone by tombstone"
    if missing:
        raise Wrong(f"{said}, {len(missing)} missing without one, the first of row {min(missing)}")
    return f"; {said}, 0 missing without one" if used else ""


def check_signature(key: Any, purpose: str, fields: Fields, what: str) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        signature = bytes.fromhex(fields["signature"])
        key.verify(signature, purpose.encode() + b"\n" + as_json(fields, without="signature"))
    except (InvalidSignature, *BAD) as e:
        raise Wrong(f"{what} is not signed by the given key") from e


def main() -> None:
    parser = argparse.ArgumentParser(description="Check a Yochi audit log.")
    parser.add_argument("log", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a file of `yochi audit checkpoint`")
    parser.add_argument("--public-key", type=Path, help="the .pub file of `yochi audit keygen`")
    given = parser.parse_args()
    checkpoint = key = None
    try:
        if given.checkpoint:
            checkpoint = json.loads(given.checkpoint.read_text(encoding="utf-8"))
            if type(checkpoint["sequence"]) is not int or type(checkpoint["hash"]) is not str:
                raise ValueError("no checkpoint")
        if given.public_key:
            from cryptography.hazmat.primitives.serialization import load_pem_public_key

            key = load_pem_public_key(given.public_key.read_bytes())
        given.log.open("rb").close()
    except (OSError, ImportError, *BAD) as e:
        parser.error(f"cannot read what was given: {e}")
    try:
        if checkpoint and key:
            check_signature(key, "yochi audit checkpoint 1", checkpoint, "the checkpoint")
        print(f"{given.log}: {check_log(given.log, checkpoint, key)}")
    except (Wrong, OSError) as e:
        sys.exit(f"{given.log}: {e}")


if __name__ == "__main__":
    main()
