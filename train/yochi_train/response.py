"""What a worker should be told about a pair: verdict and reason in one sentence, what to do in another.

The reason says where the worst risk comes from (picture, words in the picture, what the note asks or reports,
or only note and picture together), the action is the pack's advice for its category. The words follow from
verdict and risks alone: nothing of a note is repeated, so that no language stands in the other's text.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from yochi_runtime.explanation import CALM, GO_ON
from yochi_runtime.record import Truth
from yochi_runtime.taxonomy import Pack, Slot, Source, Text
from yochi_runtime.verdict import Verdict, highest, of_severity
from yochi_runtime.wording import ENGLISH, JAPANESE

# {risk} is the category's name. `_SEEN` is for where it is known what the picture shows: {cue} is its name.
_REASONS = {
    Source.IMAGE_CONTENT: Text(en="risk in the picture ({risk})", ja="画像に危険あり（{risk}）"),
    Source.IMAGE_TEXT: Text(
        en="the words in the picture are a risk ({risk})", ja="画像内の掲示に危険あり（{risk}）"
    ),
    Source.NOTE_INSTRUCTION: Text(
        en="what the note asks for is a risk ({risk})", ja="メモの指示に危険あり（{risk}）"
    ),
    Source.NOTE_CONTENT: Text(en="the note reports a risk ({risk})", ja="メモの報告に危険あり（{risk}）"),
    Source.COMBINATION: Text(
        en="the work in the note is a risk together with what the picture shows ({risk})",
        ja="メモの作業と画像の状況が重なると危険（{risk}）",
    ),
}
_SEEN = {
    Source.IMAGE_CONTENT: Text(en="{cue} in the picture", ja="画像に危険あり（{cue}）"),
    Source.COMBINATION: Text(
        en="the work in the note is a risk together with the {cue} in the picture ({risk})",
        ja="メモの作業と画像の{cue}が重なると危険（{risk}）",
    ),
}


class Factor(NamedTuple):
    """A risk that holds. `cue` is what the picture shows of it, None where that is not known or not seen."""

    source: Source
    category: str
    cue: str | None = None


def respond(verdict: Truth | None, factors: Sequence[Factor], pack: Pack) -> Text | None:
    """Two sentences in both languages; None where there is nothing true to say.

    That is where the verdict is unknown, and where it is not the one that the factors' severities make. Of
    equally severe factors the first is told.
    """
    if verdict is None or not explained_by(verdict, factors, pack):
        return None
    head = Text(en=ENGLISH.verdicts[Verdict(verdict)], ja=JAPANESE.verdicts[Verdict(verdict)])
    if verdict == "proceed":
        return _sentences(head, CALM, GO_ON)
    worst = next(f for f in factors if _severity(f, pack) is Verdict(verdict))
    return _sentences(head, _reason(worst, pack), pack.category_of(worst.category).advice)


def explained_by(verdict: Truth, factors: Sequence[Factor], pack: Pack) -> bool:
    """Whether `verdict` is the one that the factors' severities make."""
    return highest(_severity(factor, pack) for factor in factors) is Verdict(verdict)


def _severity(factor: Factor, pack: Pack) -> Verdict:
    return of_severity(pack.category_of(factor.category).severity)


def held(slots: Mapping[str, int], pack: Pack) -> list[Slot]:
    """The risks that are known to hold, the serious ones first, in the pack's order."""
    risks = [slot for slot in pack.slots if slot.category and slots.get(slot.id) == 1]
    return sorted(risks, key=lambda slot: pack.category_of(slot.category or "").severity, reverse=True)


def known_factors(slots: Mapping[str, int], pack: Pack) -> list[Factor]:
    """`held` as factors, a combination with the first of its cues that is known to be in the picture."""
    triggers = {pair.category: pair.cues for pair in pack.combination}
    found: list[Factor] = []
    for slot in held(slots, pack):
        if slot.source is None or slot.category is None:
            continue
        seen = triggers[slot.category] if slot.source is Source.COMBINATION else ()
        cue = slot.cue or next((cue for cue in seen if slots.get(f"cue:{cue}") == 1), None)
        found.append(Factor(slot.source, slot.category, cue))
    return found


def _reason(factor: Factor, pack: Pack) -> Text:
    reason, risk = _REASONS[factor.source], pack.category_of(factor.category).name
    if factor.cue is None:
        return Text(en=reason.en.format(risk=risk.en), ja=reason.ja.format(risk=risk.ja))
    seen, cue = _SEEN[factor.source], next(cue.name for cue in pack.cue if cue.id == factor.cue)
    return Text(
        en=seen.en.format(risk=risk.en, cue=cue.en),
        ja=seen.ja.format(risk=risk.ja, cue=cue.ja),
    )


def _sentences(head: Text, reason: Text, action: Text) -> Text:
    return Text(en=f"{head.en}: {reason.en}. {action.en}", ja=f"{head.ja}：{reason.ja}。{action.ja}")
