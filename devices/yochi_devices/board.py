"""Profiles of boards: how many threads the engines get, how much memory is not theirs, and what measures it.

`boards.toml` holds those that Yochi knows. YOCHI_BOARD names another than the detected one by its id, or the
file of one's own, with the same keys.
"""

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from .machine import Machine

OVERRIDE = "YOCHI_BOARD"
Text = Annotated[str, StringConstraints(min_length=1)]
Source = Annotated[str, StringConstraints(pattern=r"^(zone:[^/]+|rapl:[^/]+|hwmon:[^/]+/[^/]+)$")]


class BoardError(ValueError):
    """A profile that cannot be used; the message is one line."""


class Board(BaseModel):
    """One profile. A board matches where `arch`, and whichever of the other three are given, do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    name: Text
    arch: Literal["x86_64", "aarch64"]
    compatible: Text | None = None  # one of the device tree's strings
    cpu: Text | None = None  # part of the processor's name
    nvidia: Literal[True] | None = None  # NVIDIA's driver is loaded
    threads: int = Field(ge=1, le=64)  # of each engine, at most the cores there are
    reserve_mib: int = Field(ge=0)  # of memory for everything that is not Yochi
    memory_mib: int | None = Field(default=None, ge=1)  # of the usual one, for choosing a bundle elsewhere
    power: tuple[Source, ...]  # the first that can be read: see `sensors`
    temperature: tuple[Source, ...]
    no_power: Text  # why there is no power where none can be read, and what mends it

    def matches(self, machine: Machine) -> bool:
        return (
            self.arch == machine.arch
            and (self.compatible is None or self.compatible in machine.compatible)
            and (self.cpu is None or self.cpu in (machine.cpu or "").split())
            and (self.nvidia is None or machine.nvidia)
        )

    def threads_on(self, machine: Machine) -> int:
        """For each engine."""
        return min(self.threads, machine.cores)

    def budget(self, machine: Machine) -> int:
        """Bytes that Yochi may use."""
        return max(0, machine.memory - self.reserve_mib * 2**20)


def known_boards() -> tuple[Board, ...]:
    """Of `boards.toml`, in order."""
    text = files(__package__).joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(Board.model_validate(board) for board in tomllib.loads(text)["board"])


def find_board(machine: Machine) -> tuple[Board, str]:
    """The board, and how it was found: "detected" or the override. BoardError where there is none."""
    chosen = os.environ.get(OVERRIDE)
    if chosen:
        return chosen_board(chosen), f"{OVERRIDE}={chosen}"
    for board in known_boards():
        if board.matches(machine):
            return board, "detected"
    raise BoardError(
        f"expected a board with x86_64 or aarch64, got {machine.arch}; name a profile: {OVERRIDE}=FILE"
    )


def chosen_board(chosen: str) -> Board:
    """By id, or out of a file."""
    boards = {board.id: board for board in known_boards()}
    if chosen in boards:
        return boards[chosen]
    path = Path(chosen)
    if not path.is_file():
        raise BoardError(
            f"expected {OVERRIDE} to be a profile's file or one of {', '.join(boards)}, got {chosen!r:.80}"
        )
    try:
        return Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BoardError(f"{path}: {where}: {first['msg']}; see boards.toml for the form") from e
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise BoardError(f"{path}: expected a board's profile (TOML), got: {e}; mend it") from e
