"""What is wrong with a rulebook that can be read: examples that fail, and rules that do nothing.

A rule only raises or advises, so two rules never pull in different directions; what counts as a conflict is
that they say two different things about the very same situation.
"""

from collections.abc import Iterator
from itertools import combinations, permutations

from .rule_conditions import Clause, implies
from .rule_file import STRENGTH, RuleFile
from .taxonomy import Pack
from .verdict import Verdict, highest, of_severity


def findings(rules: RuleFile, untrained: frozenset[str]) -> list[str]:
    """One line each, none for a sound rulebook. `untrained`: slot ids that the bundle does not judge."""
    return [
        *_failing_examples(rules),
        *_never_shown(rules),
        *(line for clause in rules.clauses for line in _without_effect(clause, rules.pack, untrained)),
        *_pairs(rules.clauses),
    ]


def _failing_examples(rules: RuleFile) -> Iterator[str]:
    for run in rules.runs:
        if not run.holds:
            yield f"example {run.example.name!r}: expected {run.expected}, got {run.came}"


def _never_shown(rules: RuleFile) -> Iterator[str]:
    shown = {clause.rule.id for run in rules.runs for clause in run.outcome.applied}
    for clause in rules.clauses:
        if clause.rule.id not in shown:
            yield f"rule {clause.rule.id}: not shown to be reachable: in no example does it apply; add one"


def _without_effect(clause: Clause, pack: Pack, untrained: frozenset[str]) -> Iterator[str]:
    rule = clause.rule
    for slots in clause.condition.slots:
        if slots <= untrained:
            names = ", ".join(sorted(slots))
            yield f"rule {rule.id}: unreachable: the bundle is not trained for {names}, so it stays open"
        elif rule.at_least is not None and rule.advice is None and _already(rule.at_least, slots, pack):
            yield (
                f"rule {rule.id}: changes nothing: what it asks for makes the verdict {rule.at_least} "
                "without it; give advice or raise further"
            )


def _already(at_least: str, slots: frozenset[str], pack: Pack) -> bool:
    """Whether each of `slots`, flagged, makes the verdict at least that by its severity."""
    for slot in slots:
        category = pack.slots[pack.slot_index[slot]].category
        if category is None:
            return False
        own = of_severity(pack.category_of(category).severity)
        if highest([own, Verdict(at_least)]) is not own:
            return False
    return True


def _pairs(clauses: tuple[Clause, ...]) -> Iterator[str]:
    for first, second in combinations(clauses, 2):
        if _same(first, second):
            yield _of_the_same(first, second)
    for narrow, wide in permutations(clauses, 2):
        if _narrower(narrow, wide) and _adds_nothing(narrow, wide):
            yield (
                f"rule {narrow.rule.id}: shadowed: wherever it applies, {wide.rule.id} does too, "
                f"with the effect {wide.rule.effect}; take it out or give it advice"
            )


def _same(first: Clause, second: Clause) -> bool:
    return implies(first.condition, second.condition) and implies(second.condition, first.condition)


def _narrower(narrow: Clause, wide: Clause) -> bool:
    return implies(narrow.condition, wide.condition) and not implies(wide.condition, narrow.condition)


def _of_the_same(first: Clause, second: Clause) -> str:
    one, other = first.rule, second.rule
    if one.effect != other.effect:
        return (
            f"rules {one.id} and {other.id}: conflict: the same condition makes the verdict {one.effect} and "
            f"{other.effect}; the stronger would win, keep one"
        )
    return f"rules {one.id} and {other.id}: duplicate: the same condition and effect; make them one"


def _adds_nothing(narrow: Clause, wide: Clause) -> bool:
    if narrow.rule.advice is not None and narrow.rule.advice != wide.rule.advice:
        return False
    return STRENGTH[narrow.rule.effect] <= STRENGTH[wide.rule.effect]
