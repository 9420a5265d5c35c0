"""The form of DREAM's published training data (arXiv 2504.18053, `train_llava_format.json`).

LLaVA's conversations; beside each question whether it is `safe`, beside each reply a list `observe` of
{malicious_content, source, risk_category}. What is ours is added as keys that other readers pass over: on an
observation its `cue`, on a reply its `verdict` and `open`, the slots that nobody knows. DREAM's lists say
only what was named: without `open` no slot is known to be absent.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field
from yochi_runtime.record import Truth
from yochi_runtime.taxonomy import Pack, Source

from ..observe.filters import letters

IMAGE_MARK = "<image>"
SOURCE_NAMES = {
    Source.NOTE_INSTRUCTION: "text instructions",
    Source.NOTE_CONTENT: "text content",
    Source.IMAGE_CONTENT: "image content",
    Source.IMAGE_TEXT: "text in the image",
    Source.COMBINATION: "combination",  # not one of DREAM's
}
SOURCES = {name: source for source, name in SOURCE_NAMES.items()} | {
    "text instruction": Source.NOTE_INSTRUCTION  # as its prompts have it
}
# DREAM's own list: a category outside of it and of the pack is a slip of the teacher ("Health").
DREAM_CATEGORIES = frozenset(
    {
        "illegal activities",
        "violence",
        "privacy",
        "discrimination",
        "sexual content",
        "disinformation",
        "impersonating",
        "political interference",
        "professional advice",
    }
)
# What a reply says of the instruction its teacher was given, and not of picture or question: field names, how
# long and in what manner to answer, what to refuse. Gathered by reading a twentieth of the published replies;
# by what rule the 74 were counted there is not known.
LEAKS = tuple(
    letters(words)[0]
    for words in (
        "malicious_content",
        "risk_category",
        "malicious instruction",
        "within 100 words",
        "clarity, comprehensiveness",
        "harmless way",
        "jailbreak",
        "guideline-compliant",
    )
)


class Turn(BaseModel):
    """One side's words. `observe` is None where no list was given: that says nothing, unlike []."""

    speaker: Literal["human", "gpt"] = Field(alias="from")
    value: str
    safe: bool | None = None
    observe: list[Any] | None = None
    open: list[str] | None = None
    verdict: Truth | None = None


class Conversation(BaseModel):
    """One item of the file; other keys are left aside."""

    id: str = Field(min_length=1)
    image: str = Field(min_length=1)
    conversations: list[Turn] = Field(min_length=2)


class Observed(BaseModel):
    """One entry of `observe`."""

    malicious_content: str
    source: str
    risk_category: str
    cue: str = ""


def words_of(value: str) -> str:
    """What the human said, without the mark that stands for the picture."""
    return value.replace(IMAGE_MARK, "", 1).strip()


def category_id(name: str, pack: Pack) -> str | None:
    """The pack's category of this id or English name; None where it has none."""
    plain = name.strip().casefold()
    return next((c.id for c in pack.category if plain in (c.id, c.name.en.casefold())), None)


def leaks_teacher(reply: str, note: str) -> bool:
    """Whether `reply` speaks of the teacher's instruction, and not because the note does."""
    said, own = letters(reply)[0], letters(note)[0]
    return any(leak in said and leak not in own for leak in LEAKS)
