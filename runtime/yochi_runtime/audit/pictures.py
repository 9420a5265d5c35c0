"""The judged pictures, kept beside the log under the sha256 of their bytes, and what its rows say of them.

A judgement's `identities.picture` names its picture. Retention deletes old ones and leaves tombstones: rows
whose `judgement` is {"tombstone": {...}} instead, signed, naming the pictures that went. So a picture is
there, or gone with a tombstone after its last use, or missing, which nothing excuses.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from .chain import Broken, Row
from .feedback import FEEDBACK
from .keys import ROTATION, KeyLedger
from .signing import TOMBSTONE, SigningKey
from .updates import UPDATE

_SHA256 = re.compile("[0-9a-f]{64}")


class PictureStore:
    """The folder of a log's pictures: `audit.db-pictures/ab/abcd...`, readable by their owner only."""

    def __init__(self, log: Path) -> None:
        self.folder = log.with_name(f"{log.name}-pictures")

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def keep(self, data: bytes) -> str:
        """Its sha256, once `data` is on the disk; OSError otherwise."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if path.is_file() and path.read_bytes() == data:
            return sha256
        for folder in (self.folder, path.parent):  # one by one: `parents` would not give the mode to both
            folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            part = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        for folder in (path.parent, self.folder, self.folder.parent):
            sync_folder(folder)  # the names must outlive a power cut, too
        return sha256

    def read(self, sha256: str) -> bytes:
        """Broken where it is not what was kept; OSError where it is not there."""
        data = self.path(sha256).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Broken(f"picture {sha256} was changed: its bytes do not give its name")
        return data

    def delete(self, sha256: str) -> None:
        self.path(sha256).unlink()


def sync_folder(folder: Path) -> None:
    """Once it returns, the names in `folder` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Use(NamedTuple):
    """The last row that shows a picture."""

    sequence: int
    time: str


class PictureLedger:
    """What the rows seen so far, in their order, say of pictures; every tombstone is the key's in force."""

    def __init__(self, keys: KeyLedger | None = None) -> None:
        self.keys = keys or KeyLedger()
        self.used: dict[str, Use] = {}
        self._buried: dict[str, int] = {}  # the last tombstone's sequence

    def see(self, row: Row) -> None:
        """Broken where the row is none of those that a log holds, or not signed by the key in force."""
        try:
            found = json.loads(row.judgement)
            if ROTATION in found:
                self.keys.rotate(row, found[ROTATION])
                return
            tombstone = found.get("tombstone")
            if not tombstone and (FEEDBACK in found or UPDATE in found):
                return
            names = tombstone["pictures"] if tombstone else [found["identities"].get("picture")]
            if not all(name is None or _SHA256.fullmatch(name) for name in names):  # it becomes a path
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
            raise Broken(f"row {row.sequence} holds no judgement") from e
        if tombstone:
            self._check(row, tombstone)
            self._buried |= dict.fromkeys(names, row.sequence)
        elif names[0]:
            self.used[names[0]] = Use(row.sequence, row.time)

    def _check(self, row: Row, tombstone: dict[str, Any]) -> None:
        fields = {name: value for name, value in tombstone.items() if name != "signature"}
        what = f"the tombstone in row {row.sequence}"
        self.keys.check(what, TOMBSTONE, fields | {"previous": row.previous}, tombstone.get("signature"))
        self.keys.named = str(tombstone.get("key"))

    def tombstone(self, sha256: str) -> int | None:
        """The row that says it was deleted; None where it has been used since, or never was deleted."""
        row = self._buried.get(sha256, 0)
        return row if row > self.used[sha256].sequence else None

    def gone(self) -> Iterator[str]:
        """What should not be there any more."""
        return (sha256 for sha256 in self.used if self.tombstone(sha256))

    def due(self, before: str) -> Iterator[str]:
        """Last used before that time (UTC, ISO 8601), and not yet deleted."""
        return (
            sha256 for sha256, use in self.used.items() if use.time < before and not self.tombstone(sha256)
        )

    def compare(self, store: PictureStore) -> str:
        """What is kept and gone, in words, "" where no row names a picture.

        Broken where one was changed or is missing, UsageError where they cannot be read.
        """
        buried = set(self.gone())
        left = {sha256: use for sha256, use in self.used.items() if sha256 not in buried}
        try:
            there = {sha256 for sha256 in self.used if store.path(sha256).is_file()}
            for sha256 in there & left.keys():
                store.read(sha256)
        except OSError as e:
            raise UsageError(
                f"expected to read the pictures in {store.folder}, got: {e.strerror or e}; check its rights, "
                "or give --rows-only"
            ) from e
        missing = [use.sequence for sha256, use in left.items() if sha256 not in there]
        said = f"{len(left) - len(missing)} pictures kept, {len(buried)} gone by tombstone"
        if missing:
            raise Broken(f"{said}, {len(missing)} missing without one, the first of row {min(missing)}")
        lingering = len(buried & there)
        again = f" ({lingering} not deleted yet: run `yochi audit retain` again)" if lingering else ""
        return f"{said}, 0 missing without one{again}" if self.used else ""


def tombstone_text(
    pictures: Sequence[str], before: str, previous: str, key: SigningKey
) -> dict[str, dict[str, object]]:
    """What a tombstone's row holds. Its signature is over `previous`, too: it counts at its place only."""
    fields: dict[str, object] = {"pictures": list(pictures), "before": before, "key": key.public}
    signature = key.sign(TOMBSTONE, fields | {"previous": previous})
    return {"tombstone": fields | {"signature": signature}}
