"""Preference pairs from feedback: what should have been answered against what was, for `yochi-train rlaif`.

A pair has no scores, and its reference log-probabilities are those of whichever policy learns from it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Frozen, Pack
from yochi_runtime.verdict import JUDGED, Verdict, of_severity

from ..convert.written import write_json
from .signoff import Signed

PAIRS = "pairs.json"


class Answered(Frozen):
    """`said`: ids of the slots that are yes; `verdict`: of the verdict slot."""

    said: tuple[str, ...]
    verdict: Verdict


class FeedbackPair(Frozen):
    """`id`: a record of train.jsonl beside it."""

    id: str
    best: Answered
    worst: Answered


_PAIRS = TypeAdapter(list[FeedbackPair])


def pair_of(signed: Signed, record: str, pack: Pack) -> FeedbackPair | None:
    """What was flagged against the same with the sign-off's corrections; None where they are alike.

    Without a signed verdict nobody knows which answer is better. Risks that would make more of the signed
    verdict than it says are taken out of the better answer: with them it would show another.
    """
    if signed.verdict is None:
        return None
    case, verdict = signed.case, Verdict(signed.verdict)
    severity = {s.id: of_severity(pack.category_of(s.category).severity) for s in pack.slots if s.category}
    said = [slot for slot in case.flagged if signed.slots.get(slot) != 0]
    said += [slot for slot, value in signed.slots.items() if value == 1 and slot not in said]
    fits = [s for s in said if s not in severity or JUDGED.index(severity[s]) <= JUDGED.index(verdict)]
    best, worst = (
        Answered(said=tuple(fits), verdict=verdict),
        Answered(said=case.flagged, verdict=case.verdict),
    )
    if set(best.said) == set(worst.said) and best.verdict == worst.verdict:
        return None
    return FeedbackPair(id=record, best=best, worst=worst)


def write_pairs(pairs: Sequence[FeedbackPair], folder: Path) -> None:
    write_json(folder / PAIRS, [pair.model_dump(mode="json") for pair in pairs])


def read_pairs(folder: Path) -> list[FeedbackPair]:
    """What `write_pairs` wrote; UsageError where there is nothing of it."""
    file = folder / PAIRS
    if not file.is_file():
        raise UsageError(f"expected {file}, found none; run: yochi-train records from-feedback")
    try:
        return _PAIRS.validate_python(json.loads(file.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as e:
        raise UsageError(f"{file}: expected pairs of `records from-feedback`, got: {e}") from e
