"""Messages as rows of a CSV file, each on the disk before the next.

The file is opened for every row, so that it may be moved away (logrotate). A row that was cut off by a power
cut was never acknowledged: it is cut away and written again.
"""

import csv
import io
import json
import os

from .settings import CsvSettings
from .signal import Message, SignalError

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets would run such a cell


class CsvFile:
    """A sink. `columns` are keys of the payload; lists and objects are written as JSON."""

    def __init__(self, settings: CsvSettings, columns: tuple[str, ...]) -> None:
        self.name, self._path = settings.name, settings.path
        self._columns = ("id", "sequence", "missed", *columns)

    def send(self, message: Message) -> None:
        try:
            self._append(json.loads(message.text()))
        except OSError as e:
            raise SignalError(f"{self._path}: {e.strerror or e}; check folder, rights and disk") from e

    def _append(self, said: dict[str, object]) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            end = _whole(file)
            rows = [[_cell(said.get(column)) for column in self._columns]]
            if end == 0:
                rows.insert(0, list(self._columns))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            data = text.getvalue().encode()
            if os.pwrite(file, data, end) != len(data):
                os.ftruncate(file, end)
                raise OSError(f"expected to write {len(data)} bytes, the disk took fewer")
            os.fsync(file)
        finally:
            os.close(file)

    def close(self) -> None:
        """Nothing stays open."""


def _whole(file: int) -> int:
    """Where the last whole row ends, in bytes; what stands behind it is cut away."""
    end = size = os.fstat(file).st_size
    while end and os.pread(file, 1, end - 1) != b"\n":
        end -= 1
    if end != size:
        os.ftruncate(file, end)
    return end


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.splitlines())  # a row is a line, for whoever reads by lines and for `_whole`
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
