"""A checkpoint: which row was the last one at some time. Kept off the box it shows a cut or rewritten log.

A signed one also proves which box said so, wherever it was kept. The file is one JSON object; `signature` is
over the others (see `signing`).
"""

import json
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from .chain import Broken, Row, canonical
from .reading import Reader
from .signing import CHECKPOINT, PublicKey, SigningKey


class Checkpoint(NamedTuple):
    """What the last row was at `time` (UTC); `key` and `signature` are hexadecimal, None where not signed."""

    sequence: int
    hash: str
    time: str
    key: str | None = None
    signature: str | None = None

    def fields(self) -> dict[str, object]:
        """What the file holds."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def check_signature(self, key: PublicKey) -> None:
        """Broken where it is not signed with the private half of `key`."""
        signed = self._replace(signature=None).fields()
        key.check(f"the checkpoint of {self.time}", CHECKPOINT, signed, self.signature)

    def check_row(self, row: Row) -> None:
        """Broken where `row` has its number and another hash."""
        if row.sequence == self.sequence and row.hash != self.hash:
            raise Broken(
                f"row {row.sequence} is not the one of the checkpoint of {self.time}: the log was rewritten"
            )

    def check_end(self, count: int) -> None:
        """Broken where a log of `count` rows is shorter than it was."""
        if count < self.sequence:
            raise Broken(
                f"row {count + 1} is missing, the checkpoint of {self.time} counts {self.sequence}: "
                "the end was cut"
            )


def take_checkpoint(log: Path, time: str, key: SigningKey | None) -> Checkpoint:
    """Of the whole log, checked; Broken where it is, UsageError where it is empty or `key` not in force."""
    reader = Reader(log)
    sequence, head = reader.last
    if not sequence:
        raise UsageError(f"expected at least one row in {log}, found none; judge something first")
    taken = Checkpoint(sequence, head, time)
    if key is None:
        return taken
    reader.ledger.keys.check_signer(key.public)
    taken = taken._replace(key=key.public)
    return taken._replace(signature=key.sign(CHECKPOINT, taken.fields()))


def checkpoint_text(checkpoint: Checkpoint) -> str:
    return canonical(checkpoint.fields()) + "\n"


def read_checkpoint(path: Path) -> Checkpoint:
    """UsageError for anything else."""
    try:
        found = Checkpoint(**json.loads(path.read_text(encoding="utf-8")))
        texts = [value for value in found[1:] if value is not None]
        if type(found.sequence) is int and found.sequence >= 1 and all(isinstance(t, str) for t in texts):
            return found
        raise ValueError(f"row {found.sequence}")
    except (OSError, TypeError, ValueError, RecursionError) as e:
        raise UsageError(f"expected a checkpoint in {path}, got: {e}; give one of `audit checkpoint`") from e
