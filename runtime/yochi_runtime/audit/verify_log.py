"""Checks a Yochi audit log on any machine: python -I verify_log.py DB [--checkpoint FILE] [--public-key FILE]

Shares no code with the program that writes logs, so that neither has to be believed. Needs Python 3.11, and
for --public-key the package `cryptography`. What must hold:
1. The table `judgements` of the SQLite file DB has rows 1, 2, 3 ... without gaps.
2. A row's `hash` is the sha256 of its other columns as one JSON object: UTF-8, keys sorted, no blanks.
3. Its `previous` is the hash of the row before; of the first row, 64 zeros.
4. The row that a checkpoint names is there, with the checkpoint's hash. This alone shows a cut end.
5. Its `signature` is Ed25519 by the key in force after its row, over "yochi audit checkpoint 1", a line feed,
   and its other fields as in 2. So is a tombstone's or rotation's, with that name and its row's `previous`.
6. The first key given is in force until a rotation to a `new` one. Its `signatures` are by both, or, the old
   one `lost`, by the new one alone: a break of trust, unless that is given, too.
7. A picture that a row names is in the folder DB-pictures, unchanged, or a later row's tombstone names it.
Exit 0: all of it holds. 1: not; the first thing that is wrong. 2: called wrongly.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
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
    number, wal = 0, log.with_name(log.name + "-wal")
    # Without rows that wait in a -wal file it also works where nothing may be written beside DB.
    how = "mode=ro" if wal.exists() and wal.stat().st_size else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{log.resolve().as_uri()}?{how}", uri=True)) as db:
            found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM judgements ORDER BY sequence")
            for number, values in enumerate(found, 1):
                yield number, dict(zip(COLUMNS, values, strict=True))
    except sqlite3.Error as e:
        raise Wrong(f"row {number + 1} cannot be read: {str(e).partition(' with text ')[0]}") from e


def check_log(log: Path, checkpoint: Fields | None = None, given: Sequence[bytes] = ()) -> str:
    number, previous, said, keys = 0, "0" * 64, "", [*given]  # the first one is in force
    used, gone = dict[str, int](), dict[str, int]()  # picture -> the last row, the last tombstone with it
    for number, row in stored(log):
        if row["sequence"] != number:
            raise Wrong(f"row {number} is missing, the next one found is row {row['sequence']}")
        try:
            changed = hashlib.sha256(as_json(row, without="hash")).hexdigest() != row["hash"]
        except BAD:  # bytes instead of text, an infinity
            changed = True
        if changed:
            raise Wrong(f"row {number} was changed: its content does not give its hash")
        if row["previous"] != previous:
            raise Wrong(f"row {number} does not follow row {number - 1}: one of them was replaced")
        try:
            held, place = json.loads(row["judgement"]), {"previous": previous}
            if "rotation" in held:
                said += rotate(held["rotation"] | place, number, keys)
            elif gone_now := held.get("tombstone"):
                check_signature(keys, "tombstone", gone_now | place, f"the tombstone in row {number}")
                gone.update(dict.fromkeys(gone_now["pictures"], number))
            elif not held.keys() & {"feedback", "update"} and (picture := held["identities"].get("picture")):
                bytes.fromhex(picture)  # it becomes a path
                used[picture] = number
        except BAD as e:
            raise Wrong(f"row {number} holds no judgement") from e
        previous = row["hash"]
        if checkpoint and number == checkpoint["sequence"]:
            check_signature(keys, "checkpoint", checkpoint, "the checkpoint")
            if previous != checkpoint["hash"]:
                raise Wrong(f"row {number} is not the one of the checkpoint: the log was rewritten")
    if checkpoint and number < checkpoint["sequence"]:
        raise Wrong(f"row {number + 1} is missing, the checkpoint counts {checkpoint['sequence']}: cut")
    return f"{number} rows, none changed or missing{said}; head {previous}{check_pictures(log, used, gone)}"


def rotate(signed: Fields, number: int, keys: list[bytes]) -> str:
    what, signatures, lost = f"the rotation in row {number}", signed.pop("signatures"), signed["lost"]
    for old in keys[:1]:
        keys[0] = new = bytes.fromhex(signed["new"])
        for key, signature in zip([new] if lost else [old, new], signatures, strict=True):
            check_signature([key], "rotation", signed | {"signature": signature}, what)
        if lost and new not in keys[1:]:
            raise Wrong(f"{what} is a break of trust: the old key was lost, and the new one is not given too")
    return f", row {number} names the key {signed['new'][:16]}{', a break of trust' if lost else ''}"


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


def check_signature(keys: list[bytes], purpose: str, fields: Fields, what: str) -> None:
    for key in keys[:1]:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            signed = f"yochi audit {purpose} 1\n".encode() + as_json(fields, without="signature")
            Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(fields["signature"]), signed)
        except (InvalidSignature, *BAD) as e:
            raise Wrong(f"{what} is not signed by the key in force") from e


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("log", type=Path, metavar="DB")
    parser.add_argument("--checkpoint", type=Path, help="a file of `yochi audit checkpoint`")
    parser.add_argument("--public-key", type=Path, action="append", default=[], help="a .pub file, as in 6")
    given = parser.parse_args()
    try:
        checkpoint: Any = json.loads(given.checkpoint.read_bytes()) if given.checkpoint else None
        if given.checkpoint and not (checkpoint["hash"] and checkpoint["sequence"] in range(1, 2**63)):
            raise ValueError("no checkpoint")
        if given.public_key:
            from cryptography.hazmat.primitives.serialization import load_pem_public_key
        loaded: list[Any] = [load_pem_public_key(file.read_bytes()) for file in given.public_key]
        keys = [key.public_bytes_raw() for key in loaded]
        given.log.open("rb").close()
        print(f"{given.log}: {check_log(given.log, checkpoint, keys)}")
    except Wrong as e:
        sys.exit(f"{given.log}: {e}")
    except (OSError, ImportError, *BAD) as e:
        parser.error(f"cannot read what was given: {e}")
