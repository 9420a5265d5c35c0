"""Looking for rows of the audit log, the newest first, and only so far back in one go."""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import one_line
from .chain import COLUMNS, Broken, Row, check, open_read_only
from .feedback import FEEDBACK
from .table import TOMBSTONE

SCAN = 5_000  # rows that one search reads; a day at one judgement a second has 86,400
PAGE = 50  # rows that one search gives
Held = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a judgement must have; None asks for nothing. `since` and `until` are aware."""

    verdict: str | None = None
    camera: str | None = None  # its name, or a part of it
    zone: str | None = None
    factor: str | None = None  # slot id of a risk above its threshold
    text: str | None = None  # in the note; widths and capitals do not count
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, row: Row, held: Held) -> bool:
        ruling = held.get("rules") or {}
        return (
            self.verdict in (None, held["verdict"])
            and (self.camera is None or self.camera in (held.get("camera") or ""))
            and self.zone in (None, ruling.get("zone"))
            and (self.factor is None or any(f["slot"] == self.factor for f in held["factors"]))
            and (self.text is None or _folded(self.text) in _folded(row.note or ""))
            and self._in_time(row)
        )

    def _in_time(self, row: Row) -> bool:
        if self.since is None and self.until is None:
            return True
        time = datetime.fromisoformat(row.time)
        return (self.since is None or self.since <= time) and (self.until is None or time < self.until)


class Hit(NamedTuple):
    """A judgement's row, and what a person last said of it in the rows that were read."""

    row: Row
    held: Held
    said: Held | None


class Hits(NamedTuple):
    """`before` goes on with the next search; None at the log's beginning."""

    hits: tuple[Hit, ...]
    before: int | None
    read: int  # rows


def search(path: Path, wanted: Wanted, before: int | None = None) -> Hits:
    """The newest PAGE judgements that fit, of the SCAN rows before row `before` or of the newest.

    Broken where one of the rows read is not as it was written, or two do not follow each other.
    """
    hits, said, read, number = list[Hit](), dict[int, Held](), 0, before
    for row in newest_first(path, before):
        read, number = read + 1, row.sequence
        held = parsed(row)
        if FEEDBACK in held:
            said.setdefault(held[FEEDBACK]["row"], held[FEEDBACK])  # the last one counts, and comes first
        elif "verdict" in held and wanted.fits(row, held):
            hits.append(Hit(row, held, said.get(row.sequence)))
        if len(hits) == PAGE or read == SCAN:
            break
    return Hits(tuple(hits), number if number is not None and number > 1 else None, read)


def newest_first(path: Path, before: int | None = None) -> Iterator[Row]:
    """The rows before row `before`, or all, each checked and bound to the one that follows it."""
    query = f"SELECT {COLUMNS} FROM judgements WHERE sequence < ? ORDER BY sequence DESC"
    with closing(open_read_only(path)) as db:
        following: Row | None = None
        for row in map(Row._make, db.execute(query, (2**63 - 1 if before is None else before,))):
            number = row.sequence if following is None else following.sequence - 1
            check(row, number, None)
            if following is not None:
                check(following, following.sequence, row.hash)
            yield row
            following = row


def said_of(path: Path, row: Row) -> tuple[Held, ...]:
    """Everything that people said of `row`, in its order, each with the time when it was said."""
    return tuple(
        {**held[FEEDBACK], "time": each.time}
        for each, held in _marked(path, FEEDBACK, row.sequence)
        if held[FEEDBACK]["row"] == row.sequence
    )


def tombstone_of(path: Path, row: Row, picture: str) -> int | None:
    """The row after `row` that says that `picture` was deleted; None where no row does."""
    for each, held in _marked(path, TOMBSTONE, row.sequence):
        if picture in held[TOMBSTONE]["pictures"]:
            return each.sequence
    return None


def parsed(row: Row) -> Held:
    """What the row holds; Broken where that is no JSON object."""
    try:
        held = json.loads(row.judgement)
    except (ValueError, RecursionError) as e:
        raise Broken(f"row {row.sequence} holds no judgement that can be read: {one_line(e)}") from e
    if not isinstance(held, dict):
        raise Broken(f"row {row.sequence} holds no judgement")
    return held


def _marked(path: Path, key: str, after: int) -> Iterator[tuple[Row, Held]]:
    """The rows after row `after` that are no judgements but hold `key`, each checked by itself."""
    query = f"SELECT {COLUMNS} FROM judgements WHERE sequence > ? AND substr(judgement, 1, ?) = ?"
    start = f'{{"{key}":'  # canonical JSON with one key
    with closing(open_read_only(path)) as db:
        for row in map(Row._make, db.execute(f"{query} ORDER BY sequence", (after, len(start), start))):
            check(row, row.sequence, None)
            yield row, parsed(row)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
