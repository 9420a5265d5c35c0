"""The judgements of an audit log that people spoke of.

The whole log is checked as it is read, its kept pictures too: of one that is not as it was written nothing is
learned. What cannot become a record is left out and counted.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from yochi_runtime.audit.chain import Broken, Row, row_at, rows
from yochi_runtime.audit.feedback import FEEDBACK, GivenFeedback
from yochi_runtime.audit.pictures import PictureLedger, PictureStore
from yochi_runtime.errors import UsageError
from yochi_runtime.judgement import Judgement
from yochi_runtime.taxonomy import VERDICT_SLOT, Pack
from yochi_runtime.verdict import JUDGED, Verdict

NO_PICTURE = "without a kept picture (`--keep-frames` of watch and serve keeps them)"
BLURRED = "whose picture was blurred before it was kept (`--blur-faces`)"
GONE = "whose picture was deleted by `yochi audit retain`"
NOT_JUDGED = "that could not be judged"
OTHER_PACK = "judged with the slots of another pack"


@dataclass(frozen=True)
class Case:
    """A judgement, its note and picture (sha256 of the file's bytes), and what was last said of it.

    `row` and `given` are the numbers of both rows in the log, `hash` that of the judgement's.
    """

    row: int
    given: int
    hash: str
    time: str
    note: str
    picture: str
    feedback: GivenFeedback
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """The model's own, before the plant's rules raised it."""
        rules = self.judgement.rules
        return rules.model_verdict if rules else self.judgement.verdict

    @property
    def flagged(self) -> tuple[str, ...]:
        """Ids of cues and risks at or above their thresholds, neutral cues too."""
        return tuple(s.id for s in self.judgement.slots if s.flagged and s.id != VERDICT_SLOT.id)


@dataclass(frozen=True)
class Collected:
    """`left_out` counts by reason."""

    cases: tuple[Case, ...]
    left_out: Counter[str] = field(default_factory=Counter)

    def words(self) -> str:
        said = "".join(f", {count} left out {why}" for why, count in sorted(self.left_out.items()))
        return f"{len(self.cases)} judgements with feedback and picture{said}"


def collect(log: Path, pack: Pack) -> Collected:
    """UsageError where `log` is none, was changed, or nobody said anything in it."""
    if not log.is_file():
        raise UsageError(
            f"expected an audit log at {log}, found none; give the file that serve or watch wrote"
        )
    ledger, store = PictureLedger(), PictureStore(log)
    try:
        said = _said(log, ledger)
        ledger.compare(store)
        found = [_case(row_at(log, number), given, feedback) for number, (given, feedback) in said.items()]
    except Broken as e:
        raise UsageError(
            f"expected a log that is as it was written, got {log}: {e}; learn nothing from it, see "
            "`yochi audit verify`"
        ) from e
    if not found:
        raise UsageError(
            f"expected feedback in {log}, found none; people give it on the page of `yochi serve`"
        )
    cases, left_out = [], Counter[str]()
    for case in sorted(found, key=lambda one: one.row):
        why = _unfit(case, ledger, pack)
        if why:
            left_out[why] += 1
        else:
            cases.append(case)
    return Collected(tuple(cases), left_out)


def _said(log: Path, ledger: PictureLedger) -> dict[int, tuple[int, GivenFeedback]]:
    """What was last said, and in which row, by the number of the row that it speaks of. Broken as `rows`."""
    said = {}
    for row in rows(log):
        ledger.see(row)
        found = json.loads(row.judgement)
        if FEEDBACK in found:
            try:
                feedback = GivenFeedback.model_validate(found[FEEDBACK])
            except ValidationError as e:
                raise Broken(f"row {row.sequence} holds no feedback") from e
            said[feedback.row] = (row.sequence, feedback)
    return said


def _case(row: Row, given: int, feedback: GivenFeedback) -> Case:
    try:
        judgement = Judgement.model_validate_json(row.judgement)
    except ValidationError as e:
        raise Broken(f"row {row.sequence} holds no judgement") from e
    if feedback.hash != row.hash:
        raise Broken(f"row {given} speaks of another row {row.sequence}")
    picture = judgement.identities.picture or ""
    return Case(row.sequence, given, row.hash, row.time, row.note or "", picture, feedback, judgement)


def _unfit(case: Case, ledger: PictureLedger, pack: Pack) -> str:
    """Why it is left out, "" where it is not."""
    if case.judgement.verdict not in JUDGED or not case.note or case.judgement.language is None:
        return NOT_JUDGED
    if any(slot.id not in pack.slot_index for slot in case.judgement.slots):
        return OTHER_PACK
    if not case.picture:
        return NO_PICTURE
    if case.judgement.identities.blurred:  # people spoke of what they saw, which it does not show
        return BLURRED
    return GONE if ledger.tombstone(case.picture) else ""
