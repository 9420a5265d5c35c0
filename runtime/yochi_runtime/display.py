"""A judgement as text for a person, in English or Japanese. Signal words as in ANSI Z535."""

from collections.abc import Iterator
from typing import Literal

from .errors import Dropped
from .evidence import Box
from .explainer import Explained
from .factors import quote
from .judgement import Coverage, Evidence, Judgement, RiskFactor
from .rule_words import ruling_lines
from .taxonomy import Pack, Source
from .wording import DROPS, REASONS, Wording, wording

Lang = Literal["en", "ja"]
_INSIDE = ("prepare", "vision", "look", "sign text", "note", "verdict")
_OUTSIDE = ("load", "decode", "evidence")


def render(judgement: Judgement, lang: Lang, pack: Pack | None = None) -> str:
    """The whole judgement, without a final line break. `pack` gives the slots their names."""
    words = wording(lang)
    lines = [words.verdicts[judgement.verdict]]
    lines += [f"  {line}" for line in _reasons(judgement, lang)]
    lines += ["", *_risks(judgement, words)]
    lines += ruling_lines(judgement, words.lang, lambda slot: _name(slot, words, pack))
    lines += ["", f"{words.advice}{judgement.advice.of(lang)}"]
    lines += [*_coverage(judgement, words, pack), *_timings(judgement, words), words.disclaimer]
    return "\n".join(lines)


def explanation_line(told: Explained, lang: Lang) -> str:
    """What was said after the verdict, or why nothing was."""
    words = wording(lang)
    if told.text is None:
        why = DROPS[told.dropped or Dropped.INTERRUPTED]
        return words.unexplained.format(why=why.of(lang), ms=told.ms)
    text = told.text.of(lang)
    return words.explained.format(text=quote(text, len(text)), ms=told.ms)


def _reasons(judgement: Judgement, lang: Lang) -> Iterator[str]:
    for reason in judgement.reasons:
        yield f"{REASONS[reason].of(lang)} ({reason})"
    if judgement.message:
        yield quote(judgement.message, len(judgement.message))


def _risks(judgement: Judgement, words: Wording) -> Iterator[str]:
    if not judgement.slots:
        yield words.not_judged
        return
    yield words.risks if judgement.factors else words.no_risks
    for factor in judgement.factors:
        yield from _factor(factor, words)


def _factor(factor: RiskFactor, words: Wording) -> Iterator[str]:
    lang = words.lang
    number = words.number.format(p=factor.probability, threshold=factor.threshold)
    yield f"- {factor.name.of(lang)} [{words.sources[factor.source]}] {number}"
    yield f"    {factor.why.of(lang)}"
    yield from (f"    {line}" for line in _evidence(factor.evidence, words))


def _evidence(evidence: Evidence, words: Wording) -> Iterator[str]:
    if evidence.note is not None:
        yield words.span.format(start=evidence.note.start + 1, end=evidence.note.end)
    if evidence.box is not None:
        yield _box(evidence.box, words)


def _box(box: Box, words: Wording) -> str:
    x0, y0, x1, y1 = (round(100 * edge) for edge in box)
    return words.box.format(x0=x0, y0=y0, x1=x1, y1=y1)


def _coverage(judgement: Judgement, words: Wording, pack: Pack | None) -> Iterator[str]:
    """What was not answered is said, so that silence is not read as safe."""
    coverage = judgement.coverage()
    for kind, head in ((Coverage.NOT_TRAINED, words.not_trained), (Coverage.NOT_LOOKED, words.not_looked)):
        if coverage[kind]:
            names = [_name(slot, words, pack) for slot in coverage[kind]]
            why = next((slot.why for slot in judgement.slots if slot.coverage is kind and slot.why), "")
            yield f"{head}{words.comma.join(names)}" + (f" ({quote(why, len(why))})" if why else "")


def _name(slot: str, words: Wording, pack: Pack | None) -> str:
    known = pack.slots[pack.slot_index[slot]] if pack is not None and slot in pack.slot_index else None
    if pack is None or known is None:
        return slot
    if known.cue is not None:
        return next(cue.name.of(words.lang) for cue in pack.cue if cue.id == known.cue)
    category = pack.category_of(known.category or "").name.of(words.lang)
    return f"{category} [{words.sources[known.source or Source.IMAGE_CONTENT]}]"


def _timings(judgement: Judgement, words: Wording) -> Iterator[str]:
    """The time to the verdict stage by stage, and what came before and after it."""
    taken = judgement.timings_ms
    if "judge" in taken:
        yield words.timings.format(
            judge=taken["judge"], parts=_stages(_INSIDE, taken, words), rest=_stages(_OUTSIDE, taken, words)
        )


def _stages(stages: tuple[str, ...], taken: dict[str, float], words: Wording) -> str:
    return words.comma.join(f"{words.stages[stage]} {taken[stage]:.0f}" for stage in stages if stage in taken)
