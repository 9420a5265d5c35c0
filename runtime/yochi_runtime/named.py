"""Which factors of a judgement an explanation names, and whether it says nothing that the judgement does not.

Nothing but risks above their thresholds may be named, the first of them with its reason from among the most
serious: a stop is not explained by less.
"""

from collections.abc import Iterable

from .explanation import Explanation, Lang, Observation
from .factors import NOTE_SOURCES
from .judgement import Evidence, Judgement, RiskFactor
from .taxonomy import Pack, Source
from .verdict import JUDGED, highest, of_severity


def named(one: Observation, judgement: Judgement, pack: Pack) -> list[RiskFactor]:
    """The factors that `one` may be said of: none where it names what is not flagged.

    A quote, or a source alone, may be said of every factor of its source.
    """
    return [f for f in judgement.factors if f.source is one.source and _fits(one, f, judgement, pack)]


def _fits(one: Observation, factor: RiskFactor, judgement: Judgement, pack: Pack) -> bool:
    if one.source is Source.IMAGE_CONTENT:
        return factor.slot == f"cue:{one.cue}"
    if one.quote is not None and one.source not in NOTE_SOURCES:
        return False  # a quote is the note's
    if one.cue is not None:
        return one.cue in flagged_cues(factor, judgement, pack)
    return one.category is None or one.category == factor.category


def flagged_cues(factor: RiskFactor, judgement: Judgement, pack: Pack) -> list[str]:
    """Of a combination: what of it the picture is held to show."""
    if factor.source is not Source.COMBINATION:
        return []
    cues = [cue for pair in pack.combination if pair.category == factor.category for cue in pair.cues]
    flagged = {slot.id for slot in judgement.slots if slot.flagged}
    return [cue for cue in cues if f"cue:{cue}" in flagged]


def firsts(one: Observation, judgement: Judgement, pack: Pack) -> list[RiskFactor]:
    """The factors that `one` may be said of as the first, which is the one with a reason."""
    worst = highest(of_severity(factor.severity) for factor in judgement.factors)
    return [f for f in named(one, judgement, pack) if of_severity(f.severity) is worst]


def others(first: Iterable[RiskFactor], second: Iterable[RiskFactor]) -> bool:
    """Whether the two can be of different factors."""
    others = [factor.slot for factor in second]
    return any(other != factor.slot for factor in first for other in others)


def holds(said: Explanation, judgement: Judgement, lang: Lang, pack: Pack, note: str) -> bool:
    """Whether `judgement`, as it is shown, says all of it, with evidence that lies in note and frame."""
    if not said.observed or said.why is None or judgement.verdict not in JUDGED:
        return False
    least = highest(of_severity(factor.severity) for factor in judgement.factors)
    if highest([judgement.verdict, least]) is not judgement.verdict:
        return False
    if said.advice not in (None, pack.category_of(said.why).advice.of(lang)):
        return False
    first = [f for f in firsts(said.observed[0], judgement, pack) if f.category == said.why]
    more = [named(one, judgement, pack) for one in said.observed[1:]]
    if not first or not all(others(first, second) for second in more):
        return False
    return all(sound(f.evidence, note) for factors in (first, *more) for f in factors)


def sound(evidence: Evidence, note: str) -> bool:
    """Whether the span lies in the note with its text, and the box in the frame."""
    span, box = evidence.note, evidence.box
    if span is not None:
        # As in the span: bytes that were no UTF-8 are question marks there.
        there = note[span.start : span.end].encode("utf-8", "replace").decode("utf-8")
        if not 0 <= span.start < span.end <= len(note) or there != span.text:
            return False
    return box is None or (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1)
