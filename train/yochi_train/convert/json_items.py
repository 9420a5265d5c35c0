"""The items of a JSON array one by one, however large the file is, with the line each begins on.

Braces are counted outside of strings, so that one broken item costs only itself: published sets have them.
A raw line feed ends a string, which JSON forbids inside of one; so an unclosed quote costs one item too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from yochi_runtime.errors import UsageError

CHUNK = 1 << 20  # bytes
LARGEST = 16 << 20  # bytes of one item: a brace that is never closed must not fill the memory
_MARK = re.compile(rb'\\.|["{}\[\]\n]', re.DOTALL)
_BETWEEN = b" \t\r\n,[]"
_BOM = b"\xef\xbb\xbf"


class Item(NamedTuple):
    """The bytes of one item, which may be broken, and its line (from 1)."""

    line: int
    text: bytes


def read_items(file: Path, chunk: int = CHUNK) -> Iterator[Item]:
    """Every item of the array in `file`. What stands between items, or is cut off, comes as one too."""
    with file.open("rb") as data:
        first = data.read(len(_BOM))
        if first != _BOM:
            data.seek(0)
        scan = _Scan(file)
        for part in _parts(data, chunk):
            yield from scan.feed(part)
        yield from scan.end()


def _parts(data: IO[bytes], chunk: int) -> Iterator[bytes]:
    """Pieces of about `chunk` bytes that never end in the middle of an escape."""
    while part := data.read(chunk):
        while part.endswith(b"\\") and (more := data.read(1)):
            part += more
        yield part


class _Scan:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._line = self._begun = 1
        self._depth = 0
        self._quoted = self._started = False
        self._piece = bytearray()  # of the item at hand, or of what stands before the next one

    def feed(self, part: bytes) -> Iterator[Item]:
        if not self._started and part.strip():
            self._started = True
            if not part.lstrip().startswith(b"["):
                raise UsageError(f"expected a JSON array in {self._file}, got {part.lstrip()[:20]!r}")
        done = 0  # bytes of this part that were handed on
        for mark in _MARK.finditer(part):
            change = self._read(mark[0])
            if change == 1 and self._depth == 2:
                yield from self._between(part[done : mark.start()])
                done, self._begun = mark.start(), self._line
            elif change == -1 and self._depth == 1:
                yield self._take(part[done : mark.end()])
                done = mark.end()
        self._piece += part[done:]
        if len(self._piece) > LARGEST:
            raise UsageError(
                f"{self._file}:{self._begun}: expected an item of at most {LARGEST >> 20} MiB, got more; "
                "close its braces"
            )

    def _read(self, mark: bytes) -> int:
        """1 where something is opened, -1 where it is closed, 0 otherwise."""
        if mark.endswith(b"\n"):
            self._line += 1
            self._quoted = False
        elif mark == b'"':
            self._quoted = not self._quoted
        elif not self._quoted and len(mark) == 1:
            change = 1 if mark in b"{[" else -1
            self._depth = max(0, self._depth + change)
            return change
        return 0

    def _take(self, rest: bytes) -> Item:
        item = Item(self._begun, bytes(self._piece) + rest)
        self._piece.clear()
        self._begun = self._line
        return item

    def _between(self, rest: bytes) -> Iterator[Item]:
        """What stands before an item, where that is more than a comma."""
        line, text = self._take(rest)
        if text.strip(_BETWEEN):
            blank = len(text) - len(text.lstrip(_BETWEEN))
            yield Item(line + text[:blank].count(b"\n"), text.strip(_BETWEEN))

    def end(self) -> Iterator[Item]:
        """What is cut off: an item, or only the closing bracket (an item without bytes)."""
        if self._depth > 1:
            yield Item(self._begun, bytes(self._piece))
            return
        yield from self._between(b"")
        if self._depth:
            yield Item(self._line, b"")
        if not self._started:
            raise UsageError(f"expected a JSON array in {self._file}, got an empty file")
