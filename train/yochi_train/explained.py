"""What a model learns to say after the slots: a record's own truth, in the note's language, short.

The words follow from verdict, risks and spans alone, as in `response`. Where the verdict is unknown, or is
not the one that the known risks make, there is nothing true to say and nothing is learned. What is said of a
record that is known in part is true; that there is nothing more to observe is not known, and that one token
is masked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from yochi_runtime.explanation import (
    BETWEEN,
    CALM,
    CLOSE,
    DO,
    END,
    GO_ON,
    NOTHING,
    OBSERVATIONS,
    OPEN,
    WHY,
    Observation,
    given,
    observation_text,
)
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.tokens import TextTokenizer
from yochi_runtime.verdict import Verdict

from .response import Factor, explained_by, known_factors
from .speech import Text


@dataclass(frozen=True)
class Said:
    """Ids that are `given` and then `said`; `known[i]` whether said[i] is learned."""

    given: tuple[int, ...]
    said: tuple[int, ...]
    known: tuple[bool, ...]

    @property
    def text(self) -> Text:
        return Text(self.given, self.said)


class Explainer:
    """Makes targets of at most `limit` tokens. `reads` is the tokenizer that the notes go through."""

    def __init__(self, pack: Pack, words: TextTokenizer, reads: TextTokenizer, limit: int) -> None:
        self._pack, self._words, self._reads, self._limit = pack, words, reads, limit

    def of(self, record: Record) -> Said | None:
        """The longest form that fits; None where nothing true fits."""
        if record.verdict is None:
            return None
        read = {s.id: record.known(s) for s in self._pack.slots}  # of signs, what was read
        factors = known_factors(read, self._pack)
        if not explained_by(record.verdict, factors, self._pack):
            return None
        before = given(Verdict(record.verdict), record.lang, self._words)
        fits = (said for said in self._forms(record, factors) if len(said.said) <= self._limit)
        made = next(fits, None)
        return None if made is None else replace(made, given=before)

    def _forms(self, record: Record, factors: Sequence[Factor]) -> Iterator[Said]:
        """From the fullest to the shortest: without the second observation, the quote, the advice."""
        seen = [self._observation(record, factor) for factor in factors[:OBSERVATIONS]]
        ended = len(factors) >= OBSERVATIONS or self._complete(record)
        yield self._text(record, factors, seen, ended=ended, advice=True)
        if len(seen) > 1:
            yield self._text(record, factors, seen[:1], ended=False, advice=True)
        bare = [Observation(one.source, one.cue) for one in seen[:1]]
        for advice in (True, False):
            yield self._text(record, factors, bare, ended=ended and len(seen) < OBSERVATIONS, advice=advice)

    def _text(
        self,
        record: Record,
        factors: Sequence[Factor],
        seen: Sequence[Observation],
        *,
        ended: bool,
        advice: bool,
    ) -> Said:
        """Piece by piece. `ended`: whether it is known that there is nothing more to observe."""
        lang = record.lang
        reason, action = CALM, GO_ON
        pieces = [f" {NOTHING.of(lang)}"]
        if factors:
            category = self._pack.category_of(factors[0].category)
            reason, action = category.name, category.advice
            said = [observation_text(one, lang, self._pack) for one in seen]
            pieces = [f"{text}{BETWEEN}" for text in said[:-1]] + said[-1:]
        ids = [i for piece in pieces for i in self._words.encode(piece)]
        masked = None if ended else len(ids)
        rest = [WHY, f" {reason.of(lang)}", *([DO, f" {action.of(lang)}"] if advice else []), END]
        ids += [i for piece in rest for i in self._words.encode(piece)]
        return Said((), tuple(ids), tuple(i != masked for i in range(len(ids))))

    def _observation(self, record: Record, factor: Factor) -> Observation:
        """What is seen, or the marked words of the note; of a risk but the first at least its category."""
        if factor.cue is not None:
            return Observation(factor.source, cue=factor.cue)
        quote = self._quote(record, f"{factor.source}:{factor.category}")
        return Observation(factor.source, quote=quote, category=None if quote else factor.category)

    def _quote(self, record: Record, slot: str) -> str | None:
        """The marked clause, where the model reads it as it is written: glossed words cannot be quoted."""
        for start, end, carried in record.spans:
            quote = record.note[start:end].strip()
            plain = quote and not {OPEN, CLOSE, "\n"} & set(quote)
            if carried == slot and plain and self._reads.encode(quote) == self._words.encode(quote):
                return quote
        return None

    def _complete(self, record: Record) -> bool:
        """Whether every risk of the pair is known; those of signs where somebody looked."""
        asked = (s for s in self._pack.slots if s.category)
        looked = (s for s in asked if s.source is not Source.IMAGE_TEXT or record.sign is not None)
        return all(record.known(slot) >= 0 for slot in looked)

    def pick(
        self, packs: Sequence[Sequence[Record]], count: int, step: int
    ) -> tuple[list[list[Text]], list[Said]]:
        """Targets of at most `count` notes of each pack, others at the next step: the texts of every note in
        its place, as `read_on` takes them, and those that are there."""
        texts, told = list[list[Text]](), list[Said]()
        for pack in packs:
            made = [self.of(record) for record in pack]
            picked = chosen(made, count, step)
            now = [one if place in picked else None for place, one in enumerate(made)]
            texts += [[one.text] if one else [] for one in now]
            told += [one for one in now if one]
        return texts, told


def chosen(targets: Sequence[Said | None], count: int, step: int) -> list[int]:
    """Places of at most `count` of the notes that have a target, others at the next step."""
    there = [place for place, target in enumerate(targets) if target is not None]
    first = step * count % max(1, len(there))
    return sorted((there[first:] + there[:first])[:count])


def text_loss(logs: Sequence[Tensor], targets: Sequence[Said]) -> Tensor:
    """Mean over the known tokens of all targets of -log p; 0 where there is none."""
    if not targets:
        return torch.zeros(())
    known = torch.tensor([known for target in targets for known in target.known])
    return -torch.cat(list(logs))[known].mean()
