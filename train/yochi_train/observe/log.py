"""Every answer of a teacher, verbatim, one line each; the only thing a killed run needs to go on."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Frozen


class LoggedAnswer(Frozen):
    """One line of observations.jsonl. `ask` is the question's name, `attempt` counts from 0."""

    pair: str
    ask: str
    attempt: int
    text: str  # as it came
    model: str
    prompt_version: str
    started: str  # UTC, ISO 8601
    seconds: float  # with waiting and tries again
    prompt_tokens: int | None
    completion_tokens: int | None

    @property
    def key(self) -> tuple[str, str, int]:
        return self.pair, self.ask, self.attempt


class AnswerLog:
    """Append-only, by several threads at once. What was added is on the disk when `add` returns."""

    def __init__(self, file: BinaryIO, rows: dict[tuple[str, str, int], LoggedAnswer]) -> None:
        self._file, self.rows = file, rows
        self._writing = threading.Lock()

    def get(self, pair: str, ask: str, attempt: int) -> LoggedAnswer | None:
        return self.rows.get((pair, ask, attempt))

    def add(self, row: LoggedAnswer) -> None:
        line = row.model_dump_json().encode("utf-8") + b"\n"
        with self._writing:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
            self.rows[row.key] = row

    def close(self) -> None:
        """After the line that is being written; what comes later is a ValueError."""
        with self._writing:
            self._file.close()


@contextmanager
def open_log(path: Path) -> Iterator[AnswerLog]:
    """The log in `path`, made where there is none, held by one run at a time.

    A last line without its end was being written when a run was killed: it is cut off and asked again.
    UsageError where another run holds it, or a line is no answer.
    """
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise UsageError(f"expected {path} for this run alone, another run writes it; wait for it") from e
        file.seek(0)
        data = file.read()
        whole = data.rfind(b"\n") + 1
        file.truncate(whole)
        log = AnswerLog(file, _rows(data[:whole], path))
        try:
            yield log
        finally:
            log.close()


def _rows(data: bytes, path: Path) -> dict[tuple[str, str, int], LoggedAnswer]:
    rows: dict[tuple[str, str, int], LoggedAnswer] = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            row = LoggedAnswer.model_validate_json(line)
        except ValidationError as e:
            raise UsageError(
                f"{path}:{number}: expected an answer, got: {e.errors()[0]['msg']}; delete the line, "
                "it is asked again"
            ) from e
        if row.key in rows:
            raise UsageError(f"{path}:{number}: expected each answer once, {row.key} came before; delete it")
        rows[row.key] = row
    return rows
