"""The form of a short explanation: what is observed and where, why that is a hazard, and what to do.

It stands after the whole slot prompt, the shown verdict first, and never changes an answer that is read:

    [... Verdict:] [ stop / In English:] [ note asks: "reach past the guard"; picture: person Why: caught in
    or struck by a machine Do: Stop the machine and lock it out before anyone reaches in. /]

The middle is given, the last is said, on one line (/ are the ends of lines). An observation is a source and
what is there: a cue's name, words of the note, or the name of a category. The first is what the rest is
about, so it may be a source alone. Where tokens are short the advice is left out: the pack has it anyway.
"""

from dataclasses import dataclass
from typing import Literal

from .prompt import Tokenizer
from .taxonomy import Pack, Source, Text
from .verdict import Verdict
from .wording import ENGLISH, JAPANESE, Wording

FORM = "explain-1"
OBSERVATIONS = 2  # at most, the most serious first
WHY, DO, END, BETWEEN, CONTENT = " Why:", " Do:", "\n", ";", ":"
OPEN, CLOSE = '"', '"'
NOTHING = Text(en="nothing", ja="なし")
SOURCES = {
    Source.IMAGE_CONTENT: Text(en="picture", ja="画像"),
    Source.IMAGE_TEXT: Text(en="sign", ja="掲示"),
    Source.NOTE_INSTRUCTION: Text(en="note asks", ja="指示"),
    Source.NOTE_CONTENT: Text(en="note reports", ja="報告"),
    Source.COMBINATION: Text(en="together", ja="重なり"),
}
CALM = Text(en="no risk in the picture or the note", ja="画像にもメモにも危険なし")
GO_ON = Text(en="Go on as planned.", ja="予定どおり進めること。")
_ASK = {"en": "\nIn English:", "ja": "\nIn Japanese:"}
Lang = Literal["en", "ja"]


@dataclass(frozen=True)
class Observation:
    """One of `cue` (an id), `quote` and `category` (an id); none of them where only the source is said."""

    source: Source
    cue: str | None = None
    quote: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class Explanation:
    """`why` is the category of the first observation, None where there is none; `advice` None if cut off."""

    observed: tuple[Observation, ...]
    why: str | None
    advice: str | None

    def slots(self) -> tuple[str, ...]:
        """Ids of the slots that are named; a quote that nothing says the category of names none."""
        named = []
        for place, one in enumerate(self.observed):
            category = one.category or (self.why if place == 0 else None)
            if one.cue is not None and one.source is Source.IMAGE_CONTENT:
                named.append(f"cue:{one.cue}")
            elif category is not None:
                named.append(f"{one.source}:{category}")
        return tuple(named)


def given(verdict: Verdict, lang: Lang, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Ids that stand between the slots and an explanation in `lang` of the shown `verdict`."""
    return (*tokenizer.encode(f" {verdict}"), *tokenizer.encode(_ASK[lang]))


def observation_text(one: Observation, lang: Lang, pack: Pack) -> str:
    source = SOURCES[one.source].of(lang)
    if one.quote is not None:
        return f" {source}{CONTENT} {OPEN}{one.quote}{CLOSE}"
    if one.cue is not None:
        return f" {source}{CONTENT} {_cue_name(one.cue, lang, pack)}"
    if one.category is not None:
        return f" {source}{CONTENT} {pack.category_of(one.category).name.of(lang)}"
    return f" {source}"


def in_words(said: Explanation, pack: Pack) -> Text:
    """What was observed and why it is a hazard, for a person; what to do stands in the judgement already."""
    return Text(en=_sentences(said, ENGLISH, pack), ja=_sentences(said, JAPANESE, pack))


def _sentences(said: Explanation, words: Wording, pack: Pack) -> str:
    seen = words.also.join(_spoken(one, words, pack) for one in said.observed)
    why = None if said.why is None else pack.category_of(said.why).name.of(words.lang)
    return words.seen.format(seen=seen or NOTHING.of(words.lang)) + (
        words.because.format(why=why) if why else ""
    )


def _spoken(one: Observation, words: Wording, pack: Pack) -> str:
    source, lang = words.sources[one.source], words.lang
    if one.quote is not None:
        return words.quoted.format(source=source, words=one.quote)
    if one.cue is not None:
        return words.shown.format(source=source, what=_cue_name(one.cue, lang, pack))
    if one.category is not None:
        return words.shown.format(source=source, what=pack.category_of(one.category).name.of(lang))
    return source


def _cue_name(cue: str, lang: Lang, pack: Pack) -> str:
    return next(c.name for c in pack.cue if c.id == cue).of(lang)


def parse(text: str, lang: Lang, pack: Pack, note: str) -> Explanation | None:
    """What `text` says; None where it is not of the form, names nothing of the pack, or quotes no `note`."""
    if not text.endswith(END):
        return None
    seen, because, rest = text[: -len(END)].rpartition(WHY)  # the note's own words may have one too
    reason, _, advice = rest.partition(DO)
    if not because or END in text[: -len(END)]:
        return None
    told = advice.strip() or None
    if seen.strip() == NOTHING.of(lang):
        return Explanation((), None, told) if reason.strip() == CALM.of(lang) else None
    why = _id_of(reason.strip(), lang, [(c.id, c.name) for c in pack.category])
    observed = [_observation(part.strip(), lang, pack, note) for part in _split(seen)]
    found = tuple(one for one in observed if one is not None)
    if why is None or len(found) != len(observed) or len(found) > OBSERVATIONS:
        return None
    return Explanation(found, why, told)


def _split(seen: str) -> list[str]:
    """At every BETWEEN that is in no quote."""
    parts, inside = [""], False
    for letter in seen:
        inside ^= letter == OPEN
        if letter == BETWEEN and not inside:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _observation(text: str, lang: Lang, pack: Pack, note: str) -> Observation | None:
    name, colon, content = (part.strip() for part in text.partition(CONTENT))
    source = next((s for s, said in SOURCES.items() if said.of(lang) == name), None)
    if source is None or bool(colon) != bool(content):
        return None
    if not content:
        return Observation(source)
    if len(content) > 2 and content.startswith(OPEN) and content.endswith(CLOSE):
        quote = content[1:-1]
        return Observation(source, quote=quote) if quote in note else None
    cue = _id_of(content, lang, [(c.id, c.name) for c in pack.cue])
    category = _id_of(content, lang, [(c.id, c.name) for c in pack.category])
    if cue is None and category is None:
        return None
    return Observation(source, cue=cue, category=category if cue is None else None)


def _id_of(name: str, lang: Lang, names: list[tuple[str, Text]]) -> str | None:
    return next((i for i, text in names if text.of(lang) == name), None)
