"""The two tokens that a box made for itself at its first run: one small file beside the log, mode 0600.

It is replaced by one rename: killed anywhere, there are both or none. Without the file, and without a second
token in the options, the box can be set up anew from itself.
"""

import os
import secrets
import stat
from pathlib import Path

from pydantic import ValidationError

from ..audit.pictures import sync_folder
from ..errors import UsageError
from ..taxonomy import Frozen

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that a person takes for another
GROUPS, GROUP = 5, 5  # as people type them; 25 of 31 letters are 123 bits


class MadeTokens(Frozen):
    """`reading` counts beyond localhost, `admin` is the second token, for changes."""

    reading: str
    admin: str


def make_tokens() -> MadeTokens:
    """New ones, from the system's randomness."""
    return MadeTokens(reading=_token(), admin=_token())


def _token() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))


class TokensFile:
    """Of the audit log at `log`. UsageError where it cannot be read, or by the others be written."""

    def __init__(self, log: Path) -> None:
        self.path = log.with_name(f"{log.name}-tokens.json")
        self._next = self.path.with_suffix(".next")

    def read(self) -> MadeTokens | None:
        """None where the box has made none."""
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(
                    f"expected tokens that others cannot read, got mode {mode:04o} of {self.path}; chmod 600"
                )
            return MadeTokens.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as e:
            said = e.strerror if isinstance(e, OSError) else "something else"
            raise UsageError(
                f"expected the tokens of this box in {self.path}, got: {said}; mend its rights, or remove it "
                "and set the box up again"
            ) from e

    def write(self, made: MadeTokens) -> None:
        try:
            self._next.unlink(missing_ok=True)  # of a try that was cut off, with whatever mode
            handle = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(made.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            self._next.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as e:
            raise self._not_written(e) from e

    def remove(self) -> None:
        """As it was before `write`."""
        try:
            self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        except OSError as e:
            raise self._not_written(e) from e

    def _not_written(self, error: OSError) -> UsageError:
        said = error.strerror or error
        return UsageError(f"expected to write {self.path}, got: {said}; make room there, or mend rights")
