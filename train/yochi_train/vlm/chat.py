"""The chat template around picture, note and slots.

    [template] [picture] Factory safety. Seen: person ... Sign: - Note: ...     the user's turn
    [template] Asked, reported: fall ... Verdict:                               the answer's turn

The same segments as yochi-nano's, read in the same way: cue slots stand before the note and never see it. The
template's own words may hold control tokens, note and slots never: they go through the vocabulary without its
added tokens.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from yochi_runtime.errors import NoteError, Reason, UsageError
from yochi_runtime.layout import NOTE_TOKENS
from yochi_runtime.prompt import TASK, Prompt, build_prompt, first_tokens
from yochi_runtime.taxonomy import Pack
from yochi_runtime.tokens import TextTokenizer

from ..speech import Text
from .family import Family, Inputs

_NOTE = "yochi-note-stands-here"  # where the template puts the user's words


@dataclass(frozen=True)
class Chat:
    """Ids. `before` has the image token once, `task` follows it, `turn` stands between note and slots."""

    before: tuple[int, ...]
    task: tuple[int, ...]
    turn: tuple[int, ...]
    prompt: Prompt
    words: TextTokenizer
    user: tuple[int, ...]  # what stands before the words of a user who shows no picture
    end: tuple[int, ...]  # what ends the model's turn

    def with_picture(self, family: Family, config: Any, tokenizer: Any, inputs: Inputs) -> list[int]:
        """`before`, with a picture's own tokens in place of its one; `inputs` of the image processor."""
        image = config.image_token_id
        names = family.picture(config, inputs, tokenizer.convert_ids_to_tokens(image))
        at = self.before.index(image)
        return [*self.before[:at], *tokenizer.convert_tokens_to_ids(names), *self.before[at + 1 :]]

    def instructed(self, instruction: str, reply: str) -> Text:
        """A turn without a picture, and its reply."""
        given = (*self.user, *self.words.encode(instruction), *self.turn)
        return Text(given, (*self.words.encode(reply), *self.end))

    def note(self, text: str) -> list[int]:
        """The note segment; NoteError for one that is too long."""
        ids = self.prompt.tokenizer.encode(" " + text)
        if len(ids) > NOTE_TOKENS:
            raise NoteError(
                Reason.NOTE_TOO_LONG,
                f"expected a note of at most {NOTE_TOKENS} tokens, got {len(ids)}; shorten it or split it",
            )
        return [*self.prompt.note_head, *ids]


def build_chat(tokenizer: PreTrainedTokenizerFast, template: str, image_id: int, pack: Pack) -> Chat:
    """UsageError where template or tokenizer cannot be used."""
    picture: Any = {"type": "image"}
    before, *after = _around_note(tokenizer, template, [picture])
    ids = _begun(tokenizer, before)
    if len(after) != 1 or ids.count(image_id) != 1:
        raise UsageError(
            "expected a chat template with the user's picture and words once each, got "
            f"{ids.count(image_id)} and {len(after)}; this model cannot be used"
        )
    words = plain_tokenizer(tokenizer)
    prompt = build_prompt(pack, words, first_tokens(words))
    turn = tokenizer.encode(after[0], add_special_tokens=False)
    user = _begun(tokenizer, _around_note(tokenizer, template, [])[0])
    end = (tokenizer.eos_token_id,)
    return Chat(tuple(ids), tuple(words.encode(TASK)), tuple(turn), prompt, words, tuple(user), end)


def _around_note(tokenizer: PreTrainedTokenizerFast, template: str, shown: list[Any]) -> list[str]:
    """What the template writes before and after the words of a user who shows `shown` first."""
    parts: Any = [*shown, {"type": "text", "text": _NOTE}]
    said: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}],
        chat_template=template,
        tokenize=False,
        add_generation_prompt=True,
    )
    around: list[str] = said.split(_NOTE)
    return around


def _begun(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Ids of a conversation's beginning, which has the token for it once."""
    begun = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer.encode(text, add_special_tokens=not begun)
    return ids


def plain_tokenizer(tokenizer: PreTrainedTokenizerFast) -> TextTokenizer:
    """The vocabulary and merges without added tokens: no text becomes a control token, or begins with a blank
    that nobody wrote. UsageError where a control token comes out of its own name all the same."""
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    data |= {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    data["normalizer"] = _without_prepend(data["normalizer"])
    for step in _steps(data["pre_tokenizer"], "pretokenizers"):
        if step["type"] == "Metaspace":
            step["prepend_scheme"] = "never"
    words = TextTokenizer(Tokenizer.from_str(json.dumps(data)))
    control = {token.content: i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    made = [name for name, i in control.items() if i in words.encode(name)]
    if made:
        raise UsageError(
            f"expected {made[0]!r} in a note to stay text, got a control token; take another model"
        )
    return words


def _without_prepend(normalizer: Any) -> Any:
    kept = [step for step in _steps(normalizer, "normalizers") if step["type"] != "Prepend"]
    return {"type": "Sequence", "normalizers": kept} if kept else None


def _steps(part: Any, inner: str) -> Sequence[Any]:
    return [] if part is None else part[inner] if part["type"] == "Sequence" else [part]
