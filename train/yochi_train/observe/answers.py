"""What a teacher may answer, checked again whatever the server promised.

A server that is given a JSON schema may still answer without it (llama-server does, with status 200, where it
cannot read the grammar), so every answer is read strictly here.
"""

import json
import re
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError
from yochi_runtime.taxonomy import Frozen, Source

DefectKind = Literal["missing_empty", "invalid_answer"]
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_Quote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Observation(Frozen):
    """A risk, where it comes from, and the words or things that show it.

    `cue` is the pack's cue that shows a risk of `image_content`, "" where it is none of the pack's. `quote`
    is the note's own words, or a few words on what is seen. `category` and `cue` may be outside the pack:
    that is counted by a filter, not refused here.
    """

    source: Source
    category: str
    cue: str = ""
    quote: _Quote

    @property
    def key(self) -> str:
        """What it claims: the slot id, or `image_content:<category>` where no cue is named."""
        if self.source is Source.IMAGE_CONTENT and self.cue:
            return f"cue:{self.cue}"
        return f"{self.source}:{self.category}"


class Observations(Frozen):
    """The answer to "what is dangerous here"; an empty list says: nothing."""

    observations: tuple[Observation, ...] = Field(max_length=64)


class Confirmation(Frozen):
    """The answer to "is this so"."""

    confirmed: Literal["yes", "no"]


AnswerModel = TypeVar("AnswerModel", Observations, Confirmation)


class BadAnswer(Exception):
    """An answer that cannot be used; the message is what the teacher is told when it is asked again."""

    def __init__(self, kind: DefectKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_answer(text: str, model: type[AnswerModel]) -> AnswerModel:
    """Parse `text`, which may stand in one Markdown fence; BadAnswer where it does not fit `model`.

    `missing_empty` is an answer without a list where [] was owed: no words, prose, or an object without it
    (971 of DREAM's 977 safe turns). "Nothing was said" is not "nothing is there".
    """
    fenced = _FENCE.fullmatch(text)
    bare = fenced.group(1) if fenced else text
    if model is Observations and _has_no_list(bare):
        raise BadAnswer("missing_empty", 'Expected {"observations": []} where there is no risk, got no list.')
    try:
        return model.model_validate_json(bare)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise BadAnswer("invalid_answer", f"Expected the JSON asked for; {where}: {first['msg']}.") from e


def _has_no_list(text: str) -> bool:
    if not re.search(r"[\[{]", text):
        return True
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False  # broken JSON may have held a list
    return isinstance(data, dict) and data.get("observations") is None


class Defect(BaseModel):
    """An answer that could not be used: to which question, and why."""

    ask: str
    why: DefectKind
