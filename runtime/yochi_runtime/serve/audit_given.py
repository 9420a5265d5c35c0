"""What the auditor's routes answer with."""

from typing import Literal

from ..audit.feedback import Feedback
from ..judgement import Judgement
from ..taxonomy import Frozen


class Found(Frozen):
    """A judgement as one line of a list; `said` is what a person last said of it, where that was read."""

    id: int
    time: str  # UTC, ISO 8601
    note: str | None
    verdict: str
    reasons: tuple[str, ...]
    factors: tuple[str, ...]  # slot ids
    camera: str | None
    zone: str | None
    mode: str | None
    said: str | None


class FoundRows(Frozen):
    """The newest first. `before` looks on from there, None at the log's beginning; `read` counts rows."""

    found: tuple[Found, ...]
    before: int | None
    read: int


class Said(Feedback):
    """What a person said of a judgement, and when (UTC, ISO 8601)."""

    time: str


class WholeEntry(Frozen):
    """One judgement with its place in the chain; `deleted_in` is the row that says its picture is gone."""

    id: int
    time: str
    note: str | None
    missed: int  # judgements just before it whose row could not be written
    judgement: Judgement
    hash: str
    previous: str
    feedback: tuple[Said, ...]
    picture: Literal["kept", "not_kept", "deleted", "missing"]
    deleted_in: int | None


class Verified(Frozen):
    """One line: of a log that is whole, or of its first wrong row."""

    whole: bool
    said: str


class Replayed(Frozen):
    """What `yochi replay` prints. `within_blur`: as far as a blurred picture can tell it is the same."""

    identical: bool
    within_blur: bool
    said: str
