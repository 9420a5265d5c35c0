"""Whoever answers: one method, one question at a time.

UsageError
└── TeacherError          no answer can be had: the address, the key, the model, or a server that stays down
    ├── TeacherRefused    this one question was refused; the next may be answered
    └── TeacherAway       no answer after all tries; later there may be one
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Source

from .answers import Observation
from .pairs import Pair

View = Literal["image", "note", "both"]
VIEWS: tuple[View, ...] = ("image", "note", "both")
SHOWN: dict[View, frozenset[Source]] = {
    "image": frozenset({Source.IMAGE_CONTENT, Source.IMAGE_TEXT}),
    "note": frozenset({Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT}),
    "both": frozenset(Source),
}
Json = dict[str, Any]


class TeacherError(UsageError):
    """The teacher gave no answer and will give none until something is changed (exit 2)."""


class TeacherRefused(TeacherError):
    """The teacher took the question and will not answer it, for instance because it is too long."""


class TeacherAway(TeacherError):
    """The teacher was silent, busy, or said what is no completion, as often as it was tried."""


@dataclass(frozen=True)
class Topic:
    """What is asked: to observe what `view` shows or, with a `claim`, whether that one thing is so."""

    view: View
    claim: Observation | None = None

    @property
    def name(self) -> str:
        return self.view if self.claim is None else f"confirm {self.claim.key}"


@dataclass(frozen=True)
class Question:
    """`messages` as in the chat completions API, and the JSON `schema` of the answer.

    A model reads only those two; `pair` and `topic` are there for a teacher that knows the truth.
    """

    pair: Pair
    topic: Topic
    messages: list[Json]
    schema: Json


@dataclass(frozen=True)
class Answer:
    """The answer's text as it came, who gave it, and its token counts (None where nobody counted)."""

    text: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Teacher(Protocol):
    """`model` names it in OUT: an interrupted run goes on only with the same one."""

    @property
    def model(self) -> str: ...

    def ask(self, question: Question) -> Answer:
        """Raises TeacherRefused or TeacherAway for this question, TeacherError where none can be answered."""
