"""Passwords and keys: from the environment or from a file for its owner only, nowhere else."""

import os
import stat
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from .signal import SettingsError


class Secret(BaseModel):
    """`{ env = "NAME" }` or `{ file = "PATH" }`: where it stands, never what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_plain_text(cls, given: object) -> object:
        if isinstance(given, str):
            raise ValueError('expected { env = "NAME" } or { file = "PATH" }, got the secret itself')
        return given

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('expected { env = "NAME" } or { file = "PATH" }, got none or both')
        return self

    def read(self) -> str:
        """Its text, a line's end cut off. SettingsError where there is none."""
        if self.env is not None:
            found = os.environ.get(self.env, "")
            if not found:
                raise SettingsError(f"expected a secret in the variable {self.env}, it is not set; set it")
            return found
        assert self.file is not None
        return _of_file(self.file)


def _of_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"expected {path} for its owner only, got mode {stat.S_IMODE(mode):03o}; chmod 600 {path}"
            )
        found = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as e:
        raise SettingsError(f"expected to read a secret in {path}, got: {e.strerror or e}; check it") from e
    except UnicodeDecodeError:
        raise SettingsError(f"expected a secret as UTF-8 text in {path}, got other bytes; mend it") from None
    if not found:
        raise SettingsError(f"expected a secret in {path}, it is empty; write it")
    return found
