"""The plant's rules beside the model: after its verdict they may raise it or add advice, and nothing else.

The verdict becomes the highest of the model's and of every clause that applies, so that no rulebook lowers
one. A clause that asks about what was not judged stays open, and the judgement says so. `cannot_judge` stays
what it is; clauses over note, zone and time are answered even then, and those over slots are open.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .errors import UsageError
from .inspection import Note
from .judgement import CALL_SUPERVISOR, GO_ON, Coverage, Judgement
from .note_words import fold
from .rule_conditions import Facts, known_zone
from .rule_file import Outcome, RuleFile, pack_of, read_rules
from .ruling import AppliedClause, OpenClause, Ruling
from .taxonomy import Text
from .time_windows import minute_of
from .verdict import Verdict, highest


@dataclass(frozen=True)
class PlantRules:
    """A rulebook whose examples hold, for one zone of the plant; None where the zone is not known."""

    file: RuleFile
    zone: str | None = None

    def __post_init__(self) -> None:
        if self.zone is not None:
            known_zone(self.zone, self.file.book, f"{self.file.name}: --zone")
        failed = next((run for run in self.file.runs if not run.holds), None)
        if failed is not None:
            raise UsageError(
                f"{self.file.name}: example {failed.example.name!r}: expected {failed.expected}, "
                f"got {failed.came}; mend the rules or the example"
            )

    def apply(self, judgement: Judgement, note: Note | None, now: datetime | None = None) -> Judgement:
        """The judgement with the rules in it. `note` is None where it could not be read.

        `now` is aware and counts as the box's clock on the wall showed it, wherever this runs.
        """
        time = now or datetime.now().astimezone()
        text = None if note is None else fold(note.text)
        outcome = self.file.outcome(Facts(_judged(judgement), text, self.zone, minute_of(time)))
        raising = [Verdict(c.rule.at_least) for c in outcome.applied if c.rule.at_least is not None]
        verdict = highest([judgement.verdict, *raising])
        return judgement.model_copy(
            update={
                "verdict": verdict,
                "advice": _joined(_advice(judgement, verdict, outcome)),
                "rules": self._ruling(judgement.verdict, outcome, time),
                "identities": judgement.identities.model_copy(update={"rules": self.file.sha256}),
            }
        )

    def _ruling(self, model_verdict: Verdict, outcome: Outcome, time: datetime) -> Ruling:
        applied = [clause.rule for clause in outcome.applied]
        return Ruling(
            rulebook=self.file.book.id,
            version=self.file.book.version,
            zone=self.zone,
            time=time,
            model_verdict=model_verdict,
            applied=tuple(
                AppliedClause(clause=r.id, effect=r.effect, wording=r.wording, advice=r.advice)
                for r in applied
            ),
            open=tuple(
                OpenClause(clause=c.rule.id, effect=c.rule.effect, wording=c.rule.wording, missing=missing)
                for c, missing in outcome.open
            ),
        )


def plant_rules(path: Path | None, zone: str | None, bundle: Path | None) -> PlantRules | None:
    """The rules for a command; None without a rulebook. UsageError where file, zone or example is wrong."""
    if path is not None:
        return PlantRules(read_rules(path, pack_of(bundle)), zone)
    if zone is not None:
        raise UsageError(f"expected a rulebook that knows the zone {zone!r}, got none; give --rules FILE")
    return None


def _judged(judgement: Judgement) -> dict[str, bool]:
    """The judged slots and whether they are flagged; none of a judgement that could not be given."""
    if judgement.verdict is Verdict.CANNOT_JUDGE:
        return {}
    return {slot.id: slot.flagged for slot in judgement.slots if slot.coverage is Coverage.JUDGED}


def _advice(judgement: Judgement, verdict: Verdict, outcome: Outcome) -> list[Text]:
    """First what belongs to the verdict: the rules' where they raised it, otherwise the model's."""
    own, calm = judgement.advice, judgement.advice == GO_ON
    rules = [clause.rule.advice for clause in outcome.applied if clause.rule.advice is not None]
    if verdict is judgement.verdict:
        return [*rules, own] if calm else [own, *rules]
    silent = all(c.rule.advice is None for c in outcome.applied if c.rule.at_least == verdict)
    return [*([CALL_SUPERVISOR] if silent else []), *rules, *([] if calm else [own])]


def _joined(parts: list[Text]) -> Text:
    once = tuple(dict.fromkeys(parts))
    return Text(en=" ".join(part.en for part in once), ja="".join(part.ja for part in once))
