"""What may be said of one judgement: only what is flagged in it, in the form of `explanation`, id by id.

A text is chosen in at most three steps: what is observed, what else, why and what to do. The options of a
step are whole pieces of text as ids, cut as in training; what may be said at a place is the next id of one of
the options that are left. So nothing else can come out, whatever the model would like to say.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from .explanation import (
    BETWEEN,
    CLOSE,
    DO,
    END,
    OPEN,
    WHY,
    Explanation,
    Lang,
    Observation,
    observation_text,
    parse,
)
from .factors import NOTE_SOURCES, quote
from .inspection import plain_text
from .judgement import Judgement, RiskFactor
from .named import firsts, flagged_cues, named, others
from .taxonomy import Pack, Source
from .tokens import TextTokenizer

LIMIT = 96  # tokens of an explanation, its end among them
# Of a note, at which quotes begin and end, and of one quote: each option costs a tokenization, after the
# verdict but before a word. What is beyond them is not quoted.
MAX_PARTS, MAX_QUOTED = 16, 6
# Finer than a clause of `evidence`, each of which costs a reading: also where a dash or one word follows.
_CUT = re.compile(
    r"(?P<stop>[、。；：！？｡､…\n\r\u2028\u2029]+|[.,:;!?]+(?![0-9A-Za-z]))"
    r"|\s+[-\u2013\u2014]\s+|\s+(?:and\s+then|and|then|but|while)\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Option:
    """Ids that may be said next; `then` gives what may follow, of which the shortest has `least` ids."""

    ids: tuple[int, ...]
    least: int = 0
    then: "Callable[[], list[Option]] | None" = None


class Choices:
    """Of a judgement as it is shown, and its note as it was given; `reads` is what the note went through."""

    def __init__(self, judgement: Judgement, note: str, lang: Lang, pack: Pack, reads: TextTokenizer) -> None:
        self._judgement, self._note, self._lang, self._pack = judgement, note, lang, pack
        self._reads, self._words = reads, reads.as_written()
        self._ids = cache(lambda text: tuple(self._words.encode(text)))
        self._why = cache(lambda why: [*self._reasons(why)])
        self._named = cache(lambda one: named(one, judgement, pack))

    def walk(self, choose: Callable[[list[int]], int], limit: int) -> Iterator[int]:
        """The ids of one text, at most `limit`; nothing where none fits.

        `choose` takes one of several ids, and is asked wherever there is a choice.
        """
        options, room = self._observed(), limit
        while left := [option for option in options if len(option.ids) + option.least <= room]:
            place = 0
            # No option begins another one: each ends in what stands in none before its end.
            while all(len(option.ids) > place for option in left):
                ids = sorted({option.ids[place] for option in left})
                chosen = choose(ids) if len(ids) > 1 else ids[0]
                left = [option for option in left if option.ids[place] == chosen]
                place += 1
                yield chosen
            ended = next(option for option in left if len(option.ids) == place)
            options, room = [] if ended.then is None else ended.then(), room - place

    def _observed(self) -> list[Option]:
        """The first observation, and whether another one follows."""
        return [option for one in self._all for option in self._first(one)]

    def _first(self, one: Observation) -> Iterator[Option]:
        of = firsts(one, self._judgement, self._pack)
        if not of:
            return
        yield self._last(one, of)
        # Of the shortest only what is no quote: there always is one, and of quotes there may be hundreds.
        unquoted = [other for other in self._all if other.quote is None]
        if short := [self._last(*pair) for pair in self._more(one, of, unquoted)]:
            ids = self._ids(self._text(one) + BETWEEN)
            least = min(len(option.ids) + option.least for option in short)
            yield Option(ids, least, lambda: [self._last(*pair) for pair in self._more(one, of, self._all)])

    def _more(
        self, one: Observation, of: list[RiskFactor], after: list[Observation]
    ) -> Iterator[tuple[Observation, list[RiskFactor]]]:
        """Observations that may follow, with those of the factors `of` that leave them one of their own."""
        for other in after:
            left = [factor for factor in of if others([factor], self._named(other))]
            whole = other.quote or other.cue or other.category
            if left and whole and other != one:
                yield other, left

    def _last(self, one: Observation, of: list[RiskFactor]) -> Option:
        """`one`, and then why: what the factors `of` are."""
        whys = list(dict.fromkeys(factor.category for factor in of))
        reasons = [option for why in whys for option in self._why(why)]
        ids = (*self._ids(self._text(one)), *self._ids(WHY))
        return Option(ids, min(len(option.ids) for option in reasons), lambda: reasons)

    def _reasons(self, why: str) -> Iterator[Option]:
        """With and without what to do."""
        category = self._pack.category_of(why)
        because, end = self._ids(f" {category.name.of(self._lang)}"), self._ids(END)
        yield Option((*because, *end))
        yield Option((*because, *self._ids(DO), *self._ids(f" {category.advice.of(self._lang)}"), *end))

    @cached_property
    def _all(self) -> list[Observation]:
        """Every observation of a factor that is read back as what it is."""
        found = dict.fromkeys(one for factor in self._judgement.factors for one in self._of(factor))
        why = self._pack.category[0]
        end = f"{WHY} {why.name.of(self._lang)}{END}"
        return [
            one
            for one in found
            if parse(self._text(one) + end, self._lang, self._pack, self._note)
            == Explanation((one,), why.id, None)
        ]

    def _of(self, factor: RiskFactor) -> Iterator[Observation]:
        source = factor.source
        if source is Source.IMAGE_CONTENT:
            yield Observation(source, cue=factor.slot.removeprefix("cue:"))
            return
        yield from (Observation(source, cue=cue) for cue in flagged_cues(factor, self._judgement, self._pack))
        if source in NOTE_SOURCES:
            yield from (Observation(source, quote=words) for words in self._quotes)
        yield Observation(source, category=factor.category)
        yield Observation(source)

    @cached_property
    def _quotes(self) -> list[str]:
        """What can be quoted: one line, that cannot steer a screen, and that was read as it is written."""

        def plain(words: str) -> bool:
            if {OPEN, CLOSE} & set(words) or quote(words, len(words)) != words:
                return False
            return self._reads.encode(plain_text(words)) == self._words.encode(words)

        return [words for words in parts(self._note) if plain(words)]

    def _text(self, one: Observation) -> str:
        return observation_text(one, self._lang, self._pack)


def parts(note: str) -> list[str]:
    """Neighbouring parts of a note together, with and without the stop that ends them; each text once."""
    cuts = list(_CUT.finditer(note))
    starts = [0, *(cut.end() for cut in cuts)][:MAX_PARTS]
    ends = [*((cut.start(), cut["stop"] or "") for cut in cuts), (len(note), "")][:MAX_PARTS]
    found: dict[str, None] = {}
    for i, start in enumerate(starts):
        for end, stop in ends[i : i + MAX_QUOTED]:
            words = note[start:end].strip()
            if any(map(str.isalnum, words)):
                found |= dict.fromkeys((words, words + stop[:1]))
    return [words for words in found if words in note]
