"""The prompt: five segments of token ids that name every slot.

    [prefix] [49 image embeddings] [look: cue slots] [sign text] [note] [risk slots ... verdict]

The answer to a slot is read from the logits after its name, where the answer would stand next, in the one
pass that reads the prompt; nothing is decoded. Only where one name has two answers (asked, reported) does a
placeholder stand for the first. Cue slots stand before the note, so what is seen cannot be talked away by
what is written, and a still scene keeps its cues in the cache. Picture, look and the rest are always
evaluated apart, in this order.

Everything is built from ids, piece by piece, with a tokenizer that has no control tokens: `<|im_end|>` in a
note is seven characters of text.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .engines import IMAGE_TOKENS as IMAGE_TOKENS
from .errors import NoteError, Reason, UsageError
from .inspection import plain_text
from .taxonomy import Pack
from .verdict import JUDGED

PROMPT_VERSION = "slots-2"  # 2: notes are read through the glossary
MAX_TOKENS = 320  # the whole prompt
MAX_SIGN_TOKENS = 48  # of the words in a picture; what is beyond them is not read
BOS = 1  # `<|im_start|>` of SmolLM2, as the attention sink; never produced from text

PREFIX, LOOK, SIGN, NOTE = "Factory safety.\nPicture:", "\nSeen:", "\nSign:", "\nNote:"
ASKED, TOGETHER, SIGNS, VERDICT = "\nAsked, reported:", "\nTogether:", "\nSign says:", "\nVerdict:"
TASK = PREFIX.splitlines()[0]  # said to a model whose chat template has the picture first
PLACEHOLDER, YES, NO, UNREAD = " ?", " yes", " no", " -"


class Tokenizer(Protocol):
    """Text to ids; text never becomes a control token."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True)
class Answers:
    """Token ids of the answers."""

    no: int
    yes: int
    verdict: tuple[int, int, int]  # proceed, caution, stop


@dataclass(frozen=True)
class Prompt:
    """The fixed parts of the prompt of one pack and one tokenizer.

    `look_at` and `slots_at` are positions within `look` and `slots`: the logits there answer `pack.cue_slots`
    and `(*pack.risk_slots, verdict)` in order. A picture takes at most `picture_tokens`.
    """

    prefix: tuple[int, ...]
    look: tuple[int, ...]
    look_at: tuple[int, ...]
    slots: tuple[int, ...]
    slots_at: tuple[int, ...]
    sign_head: tuple[int, ...]
    sign_unread: tuple[int, ...]
    note_head: tuple[int, ...]
    answers: Answers
    tokenizer: Tokenizer
    picture_tokens: int = IMAGE_TOKENS
    max_tokens: int = MAX_TOKENS

    @property
    def note_budget(self) -> int:
        """Tokens left for the note's own text, beside the sign segment as it is where nobody reads signs."""
        fixed = len(self.prefix) + self.picture_tokens + len(self.look) + len(self.sign_head)
        fixed += len(self.note_head) + len(self.sign_unread) + len(self.slots)
        return self.max_tokens - fixed

    @property
    def sha256(self) -> str:
        """Identity of every id that the prompt is made of."""
        parts = [
            PROMPT_VERSION,
            self.prefix,
            self.look,
            self.look_at,
            self.slots,
            self.slots_at,
            self.sign_head,
        ]
        parts += [
            self.sign_unread,
            self.note_head,
            (self.answers.no, self.answers.yes, *self.answers.verdict),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def sign(self, text: str | None = None) -> tuple[int, ...]:
        """The sign-text segment: the words that were read in the picture, "" where there are none to read.

        None where nobody looked. A text that is only marks says nothing, and a dash would say that nobody
        looked: both are as "".
        """
        if text is None:
            return self.sign_head + self.sign_unread
        plain = plain_text(text)
        if not any(c.isalnum() for c in plain):
            return self.sign_head
        return self.sign_head + tuple(self.tokenizer.encode(" " + plain)[:MAX_SIGN_TOKENS])

    def note(self, text: str, sign: str | None = None) -> tuple[int, ...]:
        """The note segment; NoteError when the note would burst the prompt beside what `sign` takes of it."""
        ids = self.tokenizer.encode(" " + text)
        budget = self.note_budget + len(self.sign()) - len(self.sign(sign))
        if len(ids) > budget:
            raise NoteError(
                Reason.NOTE_TOO_LONG,
                f"expected a note of at most {budget} tokens (about {budget * 3} English "
                f"or {budget} Japanese characters), got {len(ids)}; "
                "shorten it or split it in two",
            )
        return (*self.note_head, *ids)


def build_prompt(pack: Pack, tokenizer: Tokenizer, answers: Answers | None = None) -> Prompt:
    """Lay out the slots of `pack`; UsageError where an answer or the placeholder is not one token.

    `answers` are read instead of the words themselves, where they are not one token each.
    """
    placeholder = single(tokenizer, PLACEHOLDER)
    look, look_at = _Segment(tokenizer, placeholder), []
    look.text(LOOK)
    for cue in pack.cue:
        look_at += look.ask(" " + cue.word)
    slots, slots_at = _Segment(tokenizer, placeholder), []
    slots.text(ASKED)
    for category in pack.category:
        slots_at += slots.ask(" " + category.word, 2 if category.note_content else 1)
    for head, pairs in ((TOGETHER, pack.combination), (SIGNS, pack.image_text)):
        if pairs:
            slots.text(head)
        for pair in pairs:
            slots_at += slots.ask(" " + pack.category_of(pair.category).word)
    slots_at += slots.ask(VERDICT)
    return Prompt(
        prefix=(BOS, *tokenizer.encode(PREFIX)),
        look=tuple(look.ids),
        look_at=tuple(look_at),
        slots=tuple(slots.ids),
        slots_at=tuple(slots_at),
        sign_head=tuple(tokenizer.encode(SIGN)),
        sign_unread=tuple(tokenizer.encode(UNREAD)),
        note_head=tuple(tokenizer.encode(NOTE)),
        answers=answers or answer_ids(tokenizer),
        tokenizer=tokenizer,
    )


def answer_ids(tokenizer: Tokenizer) -> Answers:
    """Single, distinct ids for every answer."""
    proceed, caution, stop = (single(tokenizer, f" {v}") for v in JUDGED)
    answers = Answers(single(tokenizer, NO), single(tokenizer, YES), (proceed, caution, stop))
    ids: Sequence[int] = (answers.no, answers.yes, *answers.verdict)
    if len(set(ids)) != len(ids):
        raise UsageError(f"expected five different answer tokens, got {ids}; this tokenizer cannot be used")
    return answers


def first_tokens(words: Tokenizer) -> Answers:
    """The first id of every answer, with which the model would begin it. UsageError where two are alike."""
    no, yes, *verdict = (words.encode(text)[0] for text in (NO, YES, *(f" {word}" for word in JUDGED)))
    proceed, caution, stop = verdict
    if len({no, yes}) < 2 or len({*verdict}) < 3:
        raise UsageError(
            f"expected answers that begin differently, got {no, yes}, {verdict}; take another model"
        )
    return Answers(no, yes, (proceed, caution, stop))


def single(tokenizer: Tokenizer, text: str) -> int:
    ids = tokenizer.encode(text)
    if len(ids) != 1:
        raise UsageError(f"expected {text!r} to be one token, got {len(ids)}; this tokenizer cannot be used")
    return ids[0]


class _Segment:
    """Ids under construction."""

    def __init__(self, tokenizer: Tokenizer, placeholder: int) -> None:
        self.ids: list[int] = []
        self._tokenizer = tokenizer
        self._placeholder = placeholder

    def text(self, text: str) -> None:
        self.ids += self._tokenizer.encode(text)

    def ask(self, text: str, answers: int = 1) -> list[int]:
        """Append `text`, and a placeholder for every answer but the last, which needs none to be read.

        Returns the positions whose next token would be an answer.
        """
        self.text(text)
        first = len(self.ids) - 1
        self.ids += [self._placeholder] * (answers - 1)
        return list(range(first, first + answers))
