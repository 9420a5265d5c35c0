"""What was changed while a service ran, and counts again when it starts: mode, rulebooks and what was chosen
at the first run, one small file.

It lies beside the audit log and is replaced by one rename: killed anywhere, it holds the old or the new.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ..audit.pictures import sync_folder
from ..errors import UsageError
from ..mode import Mode
from ..rules_in_force import KeptRules
from ..taxonomy import Frozen


class Kept(Frozen):
    """None where nothing was changed, no rulebook was in force, or nothing was chosen.

    `note` is what `camera` is judged with at first; both count where the options name no camera. `language`
    is what the pages begin in.
    """

    mode: Mode | None = None
    rules: KeptRules | None = None
    camera: str | None = None
    note: str | None = None
    language: Literal["en", "ja"] | None = None


class KeptFile:
    """Of the audit log at `log`. UsageError where it cannot be read or, by the others, be written."""

    def __init__(self, log: Path) -> None:
        self._path = log.with_name(f"{log.name}-kept.json")
        self._next, self._back = (self._path.with_suffix(suffix) for suffix in (".next", ".back"))
        self.kept = self._read()
        self._before = self._staged = self.kept

    def stage(self, kept: Kept) -> None:
        """Everything that needs room: `kept` and what was before it lie on the disk, and do not count yet."""
        self._write(self._back, self.kept)
        self._write(self._next, kept)
        self._before, self._staged = self.kept, kept

    def put(self) -> None:
        """What was staged counts."""
        self._move(self._next)
        self.kept = self._staged

    def put_back(self) -> None:
        """What was before `put` counts again."""
        self._move(self._back)
        self.kept = self._before

    def _read(self) -> Kept:
        try:
            return Kept.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValidationError) as e:
            said = e.strerror if isinstance(e, OSError) else "something else"
            raise UsageError(
                f"expected what a service kept of its changes in {self._path}, got: {said}; remove it, then "
                "options and files count"
            ) from e

    def _write(self, path: Path, kept: Kept) -> None:
        try:
            with path.open("w", encoding="utf-8") as file:
                file.write(kept.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
        except OSError as e:
            raise self._not_written(e) from e

    def _move(self, path: Path) -> None:
        try:
            path.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as e:
            raise self._not_written(e) from e

    def _not_written(self, error: OSError) -> UsageError:
        return UsageError(
            f"expected to write {self._path}, got: {error.strerror or error}; make room there, or mend rights"
        )
