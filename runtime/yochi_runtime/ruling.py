"""What the plant's rules said about one judgement; part of the `Judgement`."""

from typing import Literal

from pydantic import AwareDatetime

from .taxonomy import Frozen, Text
from .verdict import Verdict

Effect = Literal["advice", "caution", "stop"]  # the verdict becomes at least this; advice leaves it as it is


class AppliedClause(Frozen):
    """A clause whose condition held."""

    clause: str
    effect: Effect
    wording: Text
    advice: Text | None = None


class OpenClause(Frozen):
    """A clause that could not be answered. It raised nothing, and it is not known that it need not."""

    clause: str
    effect: Effect
    wording: Text
    missing: tuple[str, ...]  # slot ids that were not judged, and `note` or `zone` where none was given


class Ruling(Frozen):
    """Which clauses applied (the strongest effect first), which stayed open, and when and where that was."""

    rulebook: str
    version: str
    zone: str | None = None
    time: AwareDatetime  # by the box's clock
    model_verdict: Verdict  # before the rules; the judgement's is never below it
    applied: tuple[AppliedClause, ...] = ()
    open: tuple[OpenClause, ...] = ()
    not_taken: str | None = None  # what stands in the rulebook's file by now, and why this one still judges
