"""The explanation of a judgement that is given already: said by the model, id by id, then checked once more.

It is bounded in ids and in time, may be interrupted between two of them, and ends in a text that holds or in
the reason why there is none. Nothing of it reaches the judgement.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from .bundle import Bundle
from .engines import Logits
from .errors import CannotJudge, Dropped, Reason, one_line
from .explanation import FORM, Lang, given, in_words, parse
from .explanation_choices import LIMIT, Choices
from .inspection import Note
from .judgement import Judgement
from .named import holds
from .prompt import Prompt
from .taxonomy import Frozen, Pack, Text
from .tokens import TextTokenizer
from .verdict import JUDGED

SECONDS = 5.0  # for a whole explanation; one of nano's takes some tenths
Milliseconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_LOG = logging.getLogger(__name__)


class Explained(Frozen):
    """How far it is. The last one of an explanation has `text` (whole and checked) or `dropped`.

    `said` is the model's, in `lang`; `text` says the same for a person. Times count from when it was begun:
    the first word's and this one's.
    """

    lang: Literal["en", "ja"]
    said: str
    tokens: int = Field(ge=0)
    chosen: int = Field(ge=0)  # tokens that had an alternative
    first_ms: Milliseconds | None
    ms: Milliseconds
    text: Text | None = None
    dropped: Dropped | None = None


class Ended(Exception):
    """It ends before its time, for a reason that is nobody's fault."""

    def __init__(self, why: Dropped) -> None:
        super().__init__(why)
        self.why = why


# Of ids that are read on, ids that may be said next, and the seconds that are left: the logits of the latter.
Ask = Callable[[Sequence[int], Sequence[int], float], Logits]


@dataclass(frozen=True)
class Explainer:
    """Of a bundle that learned this version's form; `reads` is the tokenizer that its notes go through."""

    pack: Pack
    reads: TextTokenizer

    @classmethod
    def of(cls, bundle: Bundle, prompt: Prompt) -> "Explainer | None":
        """None where the bundle did not learn to explain in this form."""
        if bundle.manifest.explanation != FORM:
            return None
        assert isinstance(prompt.tokenizer, TextTokenizer)  # a bundle's always is
        return cls(bundle.pack, prompt.tokenizer)

    def explain(self, shown: Judgement, note: Note, ask: Ask, seconds: float) -> Iterator[Explained]:
        """Of `shown`, a judgement of `note` with at least one factor; nothing where there is none to explain.

        `ask` may raise Ended or CannotJudge; what else goes wrong ends the explanation, too.
        """
        if shown.verdict not in JUDGED or not shown.factors or shown.language is None:
            return
        telling = _Telling(self, shown, note, shown.language, ask, seconds)
        try:
            yield from telling.run()
        except Ended as e:
            yield telling.so_far(dropped=e.why)
        except CannotJudge as e:
            _LOG.debug("not explained", exc_info=e)
            yield telling.so_far(dropped=_of_engine(e.reason))
        except Exception as e:  # noqa: BLE001 -- a remark that goes wrong must not end the judging
            _LOG.warning("expected an explanation, got %s: %s; report it", type(e).__name__, one_line(e))
            _LOG.debug("not explained", exc_info=e)
            yield telling.so_far(dropped=Dropped.FAILED)


@dataclass
class _Telling:
    """One explanation in the making."""

    by: Explainer
    shown: Judgement
    note: Note
    lang: Lang
    ask: Ask
    seconds: float
    said: list[int] = field(default_factory=list)
    chosen: int = 0
    unread: list[int] = field(default_factory=list)  # what the engine has not read yet
    first_ms: float | None = None
    begun: float = field(default_factory=time.monotonic)

    def run(self) -> Iterator[Explained]:
        choices = Choices(self.shown, self.note.raw, self.lang, self.by.pack, self.by.reads)
        self.unread += given(self.shown.verdict, self.lang, self.by.reads.as_written())
        told = -1
        for token in choices.walk(self._choose, LIMIT):
            self.said.append(token)
            self.unread.append(token)
            if self.first_ms is None:
                self.first_ms = self._ms()
            if self.chosen > told:  # what needs no choice is known at once, and told with what does
                told = self.chosen
                yield self.so_far()
        if not self.said:
            raise Ended(Dropped.TOO_LONG)
        yield self._whole()

    def _choose(self, ids: list[int]) -> int:
        """The likeliest of `ids`, the first of equal ones."""
        left = self.seconds - (time.monotonic() - self.begun)
        if left <= 0:
            raise Ended(Dropped.LATE)
        logits = self.ask(self.unread, ids, left)
        self.unread.clear()
        self.chosen += 1
        return ids[int(logits.argmax())]

    def _whole(self) -> Explained:
        """What was said, if it is of the form and of this judgement: the text is asked, not how it came."""
        text = self._text()
        found = parse(text, self.lang, self.by.pack, self.note.raw)
        if found is None or not holds(found, self.shown, self.lang, self.by.pack, self.note.raw):
            _LOG.warning("expected an explanation of what was judged, got %r; it is dropped, report it", text)
            return self.so_far(dropped=Dropped.INVALID)
        return self.so_far(text=in_words(found, self.by.pack))

    def so_far(self, *, text: Text | None = None, dropped: Dropped | None = None) -> Explained:
        return Explained(
            lang=self.lang,
            said=self._text(),
            tokens=len(self.said),
            chosen=self.chosen,
            first_ms=self.first_ms,
            ms=self._ms(),
            text=text,
            dropped=dropped,
        )

    def _text(self) -> str:
        # A character of several ids that is not whole yet is a replacement character.
        return self.by.reads.decode(self.said).rstrip("\ufffd")

    def _ms(self) -> float:
        return (time.monotonic() - self.begun) * 1e3


def _of_engine(reason: Reason) -> Dropped:
    known = {why.value: why for why in Dropped}
    return known.get(reason.value, Dropped.ENGINE_FAILED)
