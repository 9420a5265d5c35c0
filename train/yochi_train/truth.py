"""What follows for a pair from what is known of its picture and of its note. Pure functions."""

from collections.abc import Mapping

from yochi_runtime.record import Truth
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import Verdict, highest, of_severity

from .grammar import ComposedNote
from .pictures import Picture

NOTE_SOURCES = (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT)


def pair_slots(picture: Picture, note: ComposedNote, pack: Pack, kind: str) -> dict[str, int]:
    """Known slots of the pair: cues, words in the picture, note risks, combinations."""
    slots = picture.slots
    for slot in pack.risk_slots:
        if slot.source in NOTE_SOURCES and slot.id not in note.maybe:
            slots[slot.id] = int(slot.id in note.risks)
    for pair in pack.combination:
        value = _combination(picture.cues, note, pair.category, pair.cues, kind)
        if value is not None:
            slots[f"{Source.COMBINATION}:{pair.category}"] = value
    return slots


def _combination(
    cues: Mapping[str, int], note: ComposedNote, category: str, triggers: tuple[str, ...], kind: str
) -> int | None:
    """1 with a trigger in the picture, 0 where all are known to be absent or the note does not ask for one.

    None where it is unknown. A note that asks for another category's machine ("reach in" before a forklift)
    does not combine: which machine the note needs is what the slot has to tell.
    """
    if kind == "harmless" or (note.combination and note.combination != category):
        return 0
    if note.combination and any(cues.get(c) == 1 for c in triggers):
        return 1
    # a note that is risky by itself may or may not combine with what is seen
    return 0 if all(cues.get(c) == 0 for c in triggers) else None


def pair_verdict(
    picture: Picture, slots: Mapping[str, int], maybe: frozenset[str], pack: Pack
) -> Truth | None:
    """Known if a known risk makes it stop or caution, or the picture was checked safe and nothing is open.

    `caution` is not known while a combination is open, or note or picture may carry an S2 risk that no slot
    says: it could be a stop.
    """
    risky = [s for s in pack.slots if s.category and slots.get(s.id) == 1]
    worst = highest(of_severity(pack.category_of(s.category or "").severity) for s in risky)
    if worst is Verdict.STOP:
        return "stop"
    if any(f"{Source.COMBINATION}:{p.category}" not in slots for p in pack.combination):
        return None
    if worst is Verdict.CAUTION:
        severe = {c.id for c in pack.category if c.severity == "S2"}
        open_to = {*(slot.partition(":")[2] for slot in maybe), *picture.unsaid}
        return None if open_to & severe else "caution"
    return "proceed" if picture.checked == "safe" and not maybe else None
