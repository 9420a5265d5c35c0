"""The pairs of pictures and notes that a teacher observes."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yochi_runtime.errors import NoteError, UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.record import RiskSpan


class Pair(BaseModel):
    """One line of PAIRS. A records file is one too: keys that are not named here are left aside.

    `image` is relative to the pictures' folder. `slots` (1 holds, 0 does not hold) and `spans` (as in a
    Record) are read by the ground-truth teacher only.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    image: str = Field(min_length=1)
    note: str
    slots: dict[str, Literal[0, 1]] = {}
    spans: tuple[RiskSpan, ...] = ()


def read_pairs(file: Path, pictures: Path) -> list[Pair]:
    """Every pair of `file`; UsageError names the line of the first that cannot be used.

    Everything is checked before the first question: JSON, ids, notes, and that the pictures are there.
    """
    if not file.is_file():
        raise UsageError(
            f'expected pairs (JSONL of {{"id": ..., "image": ..., "note": ...}}) at {file}, found none; '
            "write them, or give a records file"
        )
    pairs: dict[str, Pair] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            pair = _pair(line, pictures)
        except (ValidationError, NoteError, UsageError) as e:
            raise UsageError(f"{file}:{number}: {_first(e)}") from e
        if pair.id in pairs:
            raise UsageError(f"{file}:{number}: expected a new id, {pair.id!r} came before; rename it")
        pairs[pair.id] = pair
    if not pairs:
        raise UsageError(f"expected at least one pair in {file}, found none")
    return list(pairs.values())


def _pair(line: bytes, pictures: Path) -> Pair:
    pair = Pair.model_validate_json(line)
    Note(pair.note)  # raises where it is empty or too long
    if not (pictures / pair.image).is_file():
        raise UsageError(f"expected a picture at {pictures / pair.image}, found none; name their folder")
    return pair


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
