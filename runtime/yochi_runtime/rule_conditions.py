"""A rule's condition, and what is known: together true, false, or open.

Three values (Kleene, "Introduction to Metamathematics", 1952, section 64): a condition is a list of groups
that must all hold, a group holds when one of its entries does. What was not judged is neither true nor false:
one group that is false settles the rule, and otherwise anything not known keeps it open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .errors import UsageError
from .note_words import contains, fold
from .rulebook import Example, Rule, Rulebook, When
from .spelling import did_you_mean
from .taxonomy import Pack, Source
from .time_windows import minutes, moment

Group = tuple[bool | None, tuple[str, ...]]  # whether it holds, and what is missing where that is not known


@dataclass(frozen=True)
class Condition:
    """`slots`: of each set one must be flagged. `words`: of each list one must be in the note, folded.

    `minutes` are of the week; None where the rule does not ask.
    """

    slots: tuple[frozenset[str], ...]
    words: tuple[tuple[str, ...], ...]
    zones: frozenset[str] | None
    minutes: frozenset[int] | None


@dataclass(frozen=True)
class Clause:
    """A rule and its condition in terms of a pack's slots."""

    rule: Rule
    condition: Condition


@dataclass(frozen=True)
class Facts:
    """What is known. `flagged` holds the judged slots only; `note` is folded, `minute` is of the week."""

    flagged: Mapping[str, bool]
    note: str | None
    zone: str | None
    minute: int


def answer(condition: Condition, facts: Facts) -> Group:
    """Whether the condition holds; None together with what is missing where that cannot be said."""
    groups = [*_groups(condition, facts)]
    if any(truth is False for truth, _ in groups):
        return False, ()
    missing = tuple(dict.fromkeys(what for _, lacking in groups for what in lacking))
    return (None if missing else True), missing


def _groups(condition: Condition, facts: Facts) -> Iterator[Group]:
    for slots in condition.slots:
        yield _one_flagged(slots, facts.flagged)
    for words in condition.words:
        if facts.note is None:
            yield None, ("note",)
        else:
            yield any(contains(facts.note, word) for word in words), ()
    if condition.zones is not None:
        yield (None, ("zone",)) if facts.zone is None else (facts.zone in condition.zones, ())
    if condition.minutes is not None:
        yield facts.minute in condition.minutes, ()


def _one_flagged(slots: frozenset[str], flagged: Mapping[str, bool]) -> Group:
    if any(flagged.get(slot) for slot in slots):
        return True, ()
    missing = tuple(sorted(slots - flagged.keys()))
    return (None if missing else False), missing


def implies(narrow: Condition, wide: Condition) -> bool:
    """Whether `wide` holds wherever `narrow` does. True is always right; False may only mean: not seen."""
    return (
        all(any(own <= slots for own in narrow.slots) for slots in wide.slots)
        and all(any(_all_contain(own, words) for own in narrow.words) for words in wide.words)
        and (wide.zones is None or (narrow.zones is not None and narrow.zones <= wide.zones))
        and (wide.minutes is None or (narrow.minutes is not None and narrow.minutes <= wide.minutes))
    )


def _all_contain(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    """Whether a note with any word of `narrow` has one of `wide`: "welding" has "weld"."""
    return all(any(contains(own, word) for word in wide) for own in narrow)


def clauses_of(book: Rulebook, pack: Pack, name: str) -> tuple[Clause, ...]:
    """The rules over the slots of `pack`; UsageError for a name that pack or rulebook does not know."""
    return tuple(
        Clause(rule, _condition(rule.when, book, pack, f"{name}: rule {rule.id}")) for rule in book.rule
    )


def _condition(when: When, book: Rulebook, pack: Pack, where: str) -> Condition:
    factors = [_slots_of(factor, pack, where) for factor in when.factors]
    cues = [[_cue(cue, pack, where) for cue in group] for group in (when.cues, when.and_cues)]
    words = [[fold(word) for word in group] for group in (when.words, when.and_words)]
    for zone in when.zones:
        known_zone(zone, book, where)
    return Condition(
        slots=tuple(group for group in (frozenset().union(*factors), *map(frozenset, cues)) if group),
        words=tuple(tuple(group) for group in words if group),
        zones=frozenset(when.zones) or None,
        minutes=minutes(when.days, when.hours) if when.days or when.hours else None,
    )


def _slots_of(factor: str, pack: Pack, where: str) -> frozenset[str]:
    """The slots of "source:category", where `*` stands for any."""
    source, _, category = factor.partition(":")
    _known(source, ["*", *Source], "source", f"{where}: factor {factor!r}")
    _known(category, ["*", *(c.id for c in pack.category)], "category", f"{where}: factor {factor!r}")
    found = frozenset(
        slot.id
        for slot in pack.slots
        if slot.category is not None and source in ("*", slot.source) and category in ("*", slot.category)
    )
    if not found:
        has = sorted(slot.source for slot in pack.slots if slot.category == category and slot.source)
        raise UsageError(
            f"{where}: expected a factor that pack {pack.id} asks for, got {factor!r}; "
            f"{category} has the sources {', '.join(dict.fromkeys(has))}"
        )
    return found


def _cue(cue: str, pack: Pack, where: str) -> str:
    _known(cue, [c.id for c in pack.cue], "cue", where)
    return f"cue:{cue}"


def known_zone(zone: str, book: Rulebook, where: str) -> None:
    """UsageError for a zone that the rulebook does not declare."""
    _known(zone, book.zones, "zone", where)


def _known(name: str, known: Sequence[str] | Mapping[str, object], what: str, where: str) -> None:
    if name not in known:
        raise UsageError(f"{where}: unknown {what} {name!r}{did_you_mean(name, known)}")


def facts_of(example: Example, book: Rulebook, pack: Pack, name: str) -> Facts:
    """The situation of an example; UsageError for a name that pack or rulebook does not know."""
    where = f"{name}: example {example.name!r}"
    risks = [slot.id for slot in pack.risk_slots]
    for factor in example.factors:
        _known(factor, risks, "factor (a cue goes into cues)", where)
    for slot in example.not_judged:
        _known(slot, list(pack.slot_index), "slot", where)
    if example.zone is not None:
        known_zone(example.zone, book, where)
    for clause in (*example.clauses, *example.open):
        _known(clause, [rule.id for rule in book.rule], "clause", where)
    seen = {*example.factors, *(_cue(cue, pack, where) for cue in example.cues)}
    both = sorted(seen & set(example.not_judged))
    if both:
        raise UsageError(f"{where}: expected {both[0]} flagged or not judged, got both; take one out")
    flagged = {slot: slot in seen for slot in pack.slot_index if slot not in example.not_judged}
    return Facts(flagged, fold(example.note), example.zone, moment(example.time))
