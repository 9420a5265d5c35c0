"""What is wrong with a turn of LLaVA-form data, defect by defect, and what is left of it."""

from typing import Literal, get_args

from pydantic import ValidationError
from yochi_runtime.evidence import clauses
from yochi_runtime.record import MARKED
from yochi_runtime.taxonomy import Frozen, Pack, Slot, Source

from ..observe.answers import Observation
from ..observe.filters import WHOLE, Span, find_span, in_pack, letters
from .llava_form import DREAM_CATEGORIES, SOURCES, Observed, Turn, category_id, leaks_teacher

# The item or the turn goes to quarantine.jsonl.
Quarantined = Literal["broken_item", "repeated_id", "image", "note", "prompt_leakage"]
# The observation goes, and what it would have said is unknown.
Dropped = Literal[
    "invalid_observation",
    "outside_list",
    "outside_pack",
    "whole_instruction",
    "not_in_note",
    "safe_yet_observed",
]
# Everything stays, and less is known than should be.
Noted = Literal["whole_clause", "no_quote", "missing_empty", "unsafe_unexplained"]
DefectName = Literal[Quarantined, Dropped, Noted]
DROPS = frozenset(get_args(Dropped))
THEN: dict[str, str] = {
    **dict.fromkeys(get_args(Quarantined), "quarantined"),
    **dict.fromkeys(get_args(Dropped), "observation dropped"),
    **dict.fromkeys(get_args(Noted), "kept, with less known"),
}


class Kept(Frozen):
    """A risk that a turn names and nothing speaks against; `span` is where the note says it."""

    source: Source
    category: str
    cue: str = ""
    quote: str
    span: Span | None

    @property
    def slot(self) -> str:
        """The slot it is about: the cue's where it has one."""
        return f"cue:{self.cue}" if self.cue else f"{self.source}:{self.category}"


class Reading(Frozen):
    """A question and its reply: what is kept, and each defect with what showed it."""

    kept: tuple[Kept, ...]
    defects: tuple[tuple[DefectName, str], ...]
    slots: dict[str, Literal[0, 1]]


def read_turn(note: str, human: Turn, gpt: Turn, pack: Pack) -> Reading:
    """Take a turn's observations apart. A leaked instruction is found here too: nothing is kept then."""
    if leaks_teacher(gpt.value, note):
        return Reading(kept=(), defects=(("prompt_leakage", gpt.value),), slots={})
    kept: list[Kept] = []
    defects: list[tuple[DefectName, str]] = []
    for entry in gpt.observe or []:
        found, seen = _entry(entry, note, pack)
        if human.safe is True:
            found.append("safe_yet_observed")
        defects += [(name, str(entry)) for name in found]
        if seen is not None and not DROPS.intersection(found):
            kept.append(seen)
    if gpt.observe is None:
        defects.append(("missing_empty", gpt.value))
    if human.safe is False and not gpt.observe:
        defects.append(("unsafe_unexplained", note))
    return Reading(kept=tuple(kept), defects=tuple(defects), slots=_slots(kept, defects, gpt, pack))


def _entry(entry: object, note: str, pack: Pack) -> tuple[list[DefectName], Kept | None]:
    """Every defect of one observation, not only the first: each is counted by itself."""
    try:
        row = Observed.model_validate(entry)
        source = SOURCES[row.source.strip().casefold()]
    except (ValidationError, KeyError):
        return ["invalid_observation"], None
    defects: list[DefectName] = []
    category = category_id(row.risk_category, pack)
    if category is None:
        listed = row.risk_category.strip().casefold() in DREAM_CATEGORIES
        defects.append("outside_pack" if listed else "outside_list")
    elif not in_pack(Observation(source=source, category=category, cue=row.cue, quote="-"), pack):
        defects.append("outside_pack")
    found, span = _quote(row.malicious_content, source, note)
    kept = Kept(source=source, category=category or "", cue=row.cue, quote=row.malicious_content, span=span)
    return defects + found, kept


def _quote(quote: str, source: Source, note: str) -> tuple[list[DefectName], Span | None]:
    """Where the note says `quote`. All of a note that says one thing is that thing, and stays."""
    if not quote.strip():
        return ["no_quote"], None
    if source not in MARKED:
        return [], None
    span = find_span(note, quote)
    if span is None:
        return ["not_in_note"], None
    if len(letters(note[slice(*span)])[0]) < WHOLE * len(letters(note)[0]):
        return [], span
    return (["whole_instruction"], None) if len(clauses(note)) > 1 else (["whole_clause"], span)


def _slots(
    kept: list[Kept], defects: list[tuple[DefectName, str]], gpt: Turn, pack: Pack
) -> dict[str, Literal[0, 1]]:
    """1 for what is kept. 0 only where the turn says what is open, and nothing of it was dropped."""
    held = {seen.slot for seen in kept}
    slots: dict[str, Literal[0, 1]] = {slot.id: 1 for slot in pack.slots if slot.id in held}
    complete = gpt.open is not None and not any(name in DROPS for name, _ in defects)
    if complete and gpt.observe is not None:
        absent = [s for s in risks(pack) if s.id not in held and s.id not in (gpt.open or [])]
        slots |= {slot.id: 0 for slot in absent}
    return slots


def risks(pack: Pack) -> list[Slot]:
    """The slots that are a risk by themselves: what observations are about."""
    return [slot for slot in pack.slots if slot.source is not None]
