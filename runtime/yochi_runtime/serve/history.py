"""The audit log, read for whoever asks the service."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from ..audit.chain import Row, following, open_read_only, row_at
from ..audit.feedback import FEEDBACK, GivenFeedback
from ..judgement import Judgement
from .given import Entries, Entry


def entries(path: Path, before: int | None, limit: int) -> Entries:
    """The newest `limit` rows before row `before`, or of all, each checked; Broken where one is wrong.

    None where there is no log yet: the first judgement makes it.
    """
    if not path.exists():
        return Entries(entries=(), before=None)
    with closing(open_read_only(path)) as db:
        count = db.execute("SELECT coalesce(max(sequence), 0) FROM judgements").fetchone()[0]
        end = min(before or count + 1, count + 1)
        start = max(1, end - limit)
        found = []
        if start < end:
            for row in following(db, start, None):
                if row.sequence >= end:
                    break
                found.append(_entry(row))
    return Entries(entries=tuple(reversed(found)), before=start if start > 1 else None)


def entry(path: Path, number: int) -> Entry:
    """Row `number`, checked; UsageError where the log has none, Broken where it is wrong."""
    return _entry(row_at(path, number))


def _entry(row: Row) -> Entry:
    held: dict[str, Any] = json.loads(row.judgement)
    judged = "verdict" in held
    return Entry(
        id=row.sequence,
        time=row.time,
        note=row.note,
        judgement=Judgement.model_validate(held) if judged else None,
        feedback=GivenFeedback.model_validate(held[FEEDBACK]) if FEEDBACK in held else None,
    )
