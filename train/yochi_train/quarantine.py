"""Takes bad rows out of a shard so that, killed at any moment and run again, no row is lost or doubled.

`train.jsonl` -> `quarantine/train.jsonl`, the bad rows byte by byte, and `quarantine/train.jsonl.reasons`, a
line for each and the shard's sha256. The three files are written beside, then moved into place in this order:
bad rows, reasons, good rows. Reasons that stand close the pair: a later run over another shard of that name
takes `train.2.jsonl`, and one over the same bytes (after a kill before the last move) writes the same pair.
"""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

FOLDER = "quarantine"


class Quarantine:
    """Sorts the rows of one shard. Nothing is moved before `finish`, and nothing at all without a bad row."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = file.parent / FOLDER
        self._folder.mkdir(exist_ok=True)
        self._sha256 = hashlib.sha256()
        self._partials = (
            self._folder / f"{file.name}.partial",
            self._folder / f"{file.name}.reasons.partial",
            file.with_name(f"{file.name}.partial"),
        )
        self._rows, self._reasons, self._good = (partial.open("wb") for partial in self._partials)
        self.bad = 0

    def keep(self, line: bytes) -> None:
        self._sha256.update(line)
        self._good.write(line)

    def take(self, line: bytes, reason: str) -> None:
        self._sha256.update(line)
        self._rows.write(line)
        self._reasons.write(f"{reason}\n".encode(errors="backslashreplace"))
        self.bad += 1

    def finish(self) -> Path | None:
        """Move what was sorted into place; where the bad rows are now, None where there are none."""
        if not self.bad:
            return None
        source = f"{self.bad} rows of {self._file.name} with sha256 {self._sha256.hexdigest()}"
        self._reasons.write(f"{source}\n".encode())
        for out in (self._rows, self._reasons, self._good):
            _durable(out)
        target, reasons = self._free(source)
        rows_partial, reasons_partial, good_partial = self._partials
        rows_partial.replace(target)
        reasons_partial.replace(reasons)
        good_partial.replace(self._file)
        return target

    def _free(self, source: str) -> tuple[Path, Path]:
        """The first pair that is not closed, or that was closed over these very bytes."""
        number = 1
        while True:
            name = self._file.name if number == 1 else f"{self._file.stem}.{number}{self._file.suffix}"
            target, reasons = self._folder / name, self._folder / f"{name}.reasons"
            if not reasons.exists() or reasons.read_text("utf-8").splitlines()[-1] == source:
                return target, reasons
            number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for out in (self._rows, self._reasons, self._good):
            out.close()
        for partial in self._partials:
            partial.unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()


def _durable(out: BinaryIO) -> None:
    """On the disk before it gets its name: a power cut leaves no empty file in place of a full one."""
    out.flush()
    os.fsync(out.fileno())
    out.close()
