"""What is wrong with observations in published data, found one by one.

DREAM's released training data has 74 replies that leak the teacher's instruction, 1,716 of 2,000 observations
that are the whole instruction, and 26 of a category outside its list. Each of these has a filter here.
"""

import unicodedata
from typing import Literal

from yochi_runtime.evidence import clauses
from yochi_runtime.record import MARKED
from yochi_runtime.taxonomy import Pack, Source

from .answers import Observation
from .prompts import OWN_WORDS
from .teacher import SHOWN, View

Filter = Literal["prompt_leakage", "whole_instruction", "outside_pack", "not_in_note", "not_shown"]
LEAK = 24  # letters in a row, spaces aside, that a quote shares with our own instructions: about five words
WHOLE = 0.9  # share of the note's letters from which a quote counts as the whole note
_EDGES = " \t\r\n\"'`“”‘’「」『』.。…"  # what models put around a quote
Span = tuple[int, int]


def fault(observation: Observation, view: View, note: str, pack: Pack) -> Filter | None:
    """The first filter that `observation`, made of what `view` shows, does not pass; None where it passes."""
    if observation.source not in SHOWN[view]:
        return "not_shown"
    if not in_pack(observation, pack):
        return "outside_pack"
    if leaks_prompt(observation.quote, note):
        return "prompt_leakage"
    if observation.source in MARKED:
        span = find_span(note, observation.quote)
        if span is None:
            return "not_in_note"
        if is_whole(note, span):
            return "whole_instruction"
    return None


def in_pack(observation: Observation, pack: Pack) -> bool:
    """Whether the pack has this source, category and cue together."""
    if observation.source is not Source.IMAGE_CONTENT:
        return not observation.cue and observation.key in pack.slot_index
    if observation.cue:
        return any(c.id == observation.cue and c.risk == observation.category for c in pack.cue)
    return any(c.id == observation.category for c in pack.category)


def leaks_prompt(quote: str, note: str) -> bool:
    """Whether `quote` repeats our instructions or their field names, and not because the note does."""
    said, own = letters(quote)[0], letters(note)[0]
    names = [source.value for source in Source if "_" in source]  # `combination` is anybody's word
    if any(name in said and name not in own for name in names):
        return True
    windows = {said[i : i + LEAK] for i in range(len(said) - LEAK + 1)}
    return any(w in _OWN and w not in own for w in windows)


def find_span(note: str, quote: str) -> Span | None:
    """Characters [start, end) of `note` that say `quote`; None where it does not say it.

    Case, spaces, width and the marks around a quote do not count, the words do; Latin words are whole.
    """
    said, (own, places) = letters(quote.strip(_EDGES))[0], letters(note)
    at = own.find(said) if said else -1
    while at >= 0:
        start, end = places[at], places[at + len(said) - 1] + 1
        if not _cuts_word(note, start) and not _cuts_word(note, end):
            return start, end
        at = own.find(said, at + 1)
    return None


def is_whole(note: str, span: Span) -> bool:
    """Whether the span is the whole of a note that says more than one thing."""
    quoted, all_of_it = len(letters(note[slice(*span)])[0]), len(letters(note)[0])
    return len(clauses(note)) > 1 and quoted >= WHOLE * all_of_it


def letters(text: str) -> tuple[str, list[int]]:
    """`text` decomposed (NFKD), case-folded and without spaces, and where each letter stood."""
    found: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        # character by character, so that places are known; NFKD because NFKC would join neighbours (ｶ and ﾞ)
        for letter in unicodedata.normalize("NFKD", character).casefold():
            if not letter.isspace():
                found.append(letter)
                places.append(place)
    return "".join(found), places


def _cuts_word(note: str, at: int) -> bool:
    around = note[max(at - 1, 0) : at + 1]
    return len(around) == 2 and around.isascii() and around.isalnum()


_OWN = letters(OWN_WORDS)[0]
