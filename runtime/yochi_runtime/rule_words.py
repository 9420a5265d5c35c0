"""The plant's rules in words: what they said about a judgement, and what a clause means."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from .judgement import Judgement
from .rule_file import RuleFile
from .rule_wording import RuleWording, rule_wording
from .rulebook import Rule, When
from .taxonomy import Pack, Source
from .time_windows import DAYS
from .wording import wording


def ruling_lines(
    judgement: Judgement, lang: Literal["en", "ja"], name: Callable[[str], str]
) -> Iterator[str]:
    """After an empty line, which clauses applied and which are open; nothing without a rulebook.

    `name` gives a slot its name.
    """
    ruling, own = judgement.rules, rule_wording(lang)
    if ruling is None:
        return
    zone = own.no_zone if ruling.zone is None else own.zone.format(zone=ruling.zone)
    time = f"{own.days[DAYS[ruling.time.weekday()]]} {ruling.time:%H:%M}"
    yield ""
    yield own.head.format(book=ruling.rulebook, version=ruling.version, zone=zone, time=time)
    for clause in ruling.applied:
        effect = own.effects[clause.effect]
        yield own.clause.format(clause=clause.clause, effect=effect, wording=clause.wording.of(lang))
    if not ruling.applied:
        yield own.none
    if judgement.verdict is not ruling.model_verdict:
        yield own.raised.format(verdict=wording(lang).verdicts[ruling.model_verdict])
    for left in ruling.open:
        missing = wording(lang).comma.join(own.missing.get(what) or name(what) for what in left.missing)
        yield own.open.format(clause=left.clause, effect=own.effects[left.effect], missing=missing)


def explain(rules: RuleFile, rule: Rule, lang: Literal["en", "ja"]) -> str:
    """A clause in plain words."""
    own, book = rule_wording(lang), rules.book
    lines = [
        own.book.format(clause=rule.id, book=book.id, version=book.version),
        f"  {rule.wording.of(lang)}",
    ]
    lines += ["", own.when, *(f"  - {line}" for line in _conditions(rule.when, rules, lang))]
    lines += ["", own.then.format(effect=own.effects[rule.effect])]
    if rule.advice is not None:
        lines.append(own.advice.format(advice=rule.advice.of(lang)))
    return "\n".join([*lines, own.says])


def _conditions(when: When, rules: RuleFile, lang: Literal["en", "ja"]) -> Iterator[str]:
    own = rule_wording(lang)
    if when.factors:
        yield own.factors.format(any=own.or_.join(_factor(f, rules.pack, lang) for f in when.factors))
    for cues in (when.cues, when.and_cues):
        if cues:
            names = {cue.id: cue.name.of(lang) for cue in rules.pack.cue}
            yield own.cues.format(any=own.or_.join(names[cue] for cue in cues))
    for words in (when.words, when.and_words):
        if words:
            yield own.words.format(any=own.or_.join(words))
    if when.zones:
        yield own.zones.format(any=own.or_.join(rules.book.zones[zone].of(lang) for zone in when.zones))
    if when.days or when.hours:
        yield _time(when, own)


def _factor(factor: str, pack: Pack, lang: Literal["en", "ja"]) -> str:
    source, _, category = factor.partition(":")
    own = rule_wording(lang)
    risk = own.any_category if category == "*" else pack.category_of(category).name.of(lang)
    return f"{risk} [{own.any_source if source == '*' else wording(lang).sources[Source(source)]}]"


def _time(when: When, own: RuleWording) -> str:
    days = [own.days[day] for day in when.days] or [own.every_day]
    return own.time.format(days=own.or_.join(days), hours=own.or_.join(_hours(when.hours, own)))


def _hours(hours: Sequence[str], own: RuleWording) -> Iterator[str]:
    for window in hours:
        start, end = window.split("-")
        yield window if end > start else own.window.format(start=start, end=end)
    if not hours:
        yield own.all_day
