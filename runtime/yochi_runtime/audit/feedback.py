"""What a person says of a judgement, as a row of the log behind it: append-only and in its chain.

Such a row's `judgement` is {"feedback": {...}}. It names the judged row by number and by hash, so that it
speaks of nothing else. The last one that was given of a row counts; the earlier ones stay to be seen.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import StringConstraints, model_validator

from ..errors import UsageError
from ..factors import quote
from ..record import Truth
from ..taxonomy import Frozen
from .chain import Row, canonical, following

FEEDBACK = "feedback"
MAX_COMMENT = 500  # characters


class Feedback(Frozen):
    """`verdict` is what it should have been; a correction has it, nothing else has."""

    says: Literal["right", "wrong", "correction"]
    verdict: Truth | None = None
    comment: Annotated[str, StringConstraints(max_length=MAX_COMMENT)] | None = None

    @model_validator(mode="after")
    def _verdict_is_the_correction(self) -> "Feedback":
        if (self.says == "correction") != (self.verdict is not None):
            raise ValueError("expected a verdict with a correction, and with nothing else")
        return self


class GivenFeedback(Feedback):
    """Of which row it was given."""

    row: int
    hash: str


def judged_row(db: sqlite3.Connection, number: int) -> Row:
    """Row `number`; UsageError where it is no judgement, Broken where it is not as it was written."""
    row = next(following(db, number, None), None)
    if row is None:
        raise UsageError(f"expected a row of the log, got {number}, which it has not; see GET /v1/judgements")
    if "verdict" not in json.loads(row.judgement):
        raise UsageError(f"expected a judgement, row {number} is something else; see GET /v1/judgements")
    return row


def feedback_text(row: Row, feedback: Feedback) -> str:
    """What its row holds."""
    of = {"row": row.sequence, "hash": row.hash}
    return canonical({FEEDBACK: of | feedback.model_dump(exclude_none=True)})


def feedback_words(given: Mapping[str, Any]) -> str:
    """One line that cannot steer a terminal."""
    verdict = f", should be {given['verdict']}" if "verdict" in given else ""
    comment = f': "{quote(given["comment"])}"' if "comment" in given else ""
    return f"row {given['row']} is {given['says']}{verdict}{comment}"
