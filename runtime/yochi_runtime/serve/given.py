"""What the service answers with, and what it is asked."""

import base64
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from ..audit.feedback import GivenFeedback
from ..errors import Reason
from ..explainer import Explained
from ..judgement import Judgement, cannot_judge, in_mode
from ..mode import Mode
from ..shown import Recorded, shown
from ..taxonomy import Frozen
from ..verdict import Verdict


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("expected base64, got no text")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as e:
        raise ValueError("expected base64, got something else") from e


Base64 = Annotated[
    bytes, BeforeValidator(_decoded), WithJsonSchema({"type": "string", "contentEncoding": "base64"})
]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Given(Frozen):
    """A judgement as it is shown: for `valid_s` seconds, of which `age_s` are over.

    `id` is its row in the audit log, None where it has none; then it is a `cannot_judge`.
    """

    id: int | None
    origin: Literal["request", "camera"]
    note: str | None
    judgement: Judgement
    valid_s: Seconds
    age_s: Seconds = 0.0

    def at(self, age_s: float) -> "Given":
        """The same so many seconds later: a verdict past its time is a `cannot_judge`, which says so."""
        if age_s <= self.valid_s or self.judgement.verdict is Verdict.CANNOT_JUDGE:
            return self.model_copy(update={"age_s": age_s})
        judgement = cannot_judge(
            Reason.EXPIRED,
            f"expected a judgement at most {self.valid_s:g} s old, got one of {age_s:.1f} s ago; "
            "check the camera, judge again",
            self.judgement.identities,
        )
        judgement = in_mode(judgement, self.judgement.mode)
        return self.model_copy(update={"age_s": age_s, "judgement": judgement})

    def under(self, mode: Mode) -> "Given":
        """The same while `mode` counts: what was judged in another one is a `cannot_judge`, which says so."""
        found, made = self.judgement, self.judgement.mode
        if made is not mode and found.verdict is not Verdict.CANNOT_JUDGE:
            found = cannot_judge(
                Reason.EXPIRED,
                f"expected a judgement in mode {mode}, got one in {made}, made before the mode was changed; "
                "wait for the next, or judge again",
                found.identities,
            )
        return self.model_copy(update={"judgement": in_mode(found, mode)})

    def shown(self) -> "Given | Withheld":
        """What leaves the box, except through the log."""
        found = shown(self.judgement, self.id)
        if isinstance(found, Judgement):
            return self
        return Withheld(
            id=self.id,
            origin=self.origin,
            note=self.note,
            recorded=found,
            valid_s=self.valid_s,
            age_s=self.age_s,
        )


class Told(Frozen):
    """How far the explanation of judgement `id` is."""

    id: int
    explanation: Explained


class Withheld(Frozen):
    """In shadow: that a judgement was made and recorded, and not what came of it."""

    id: int | None
    origin: Literal["request", "camera"]
    note: str | None
    recorded: Recorded
    valid_s: Seconds
    age_s: Seconds = 0.0


class Entry(Frozen):
    """A row of the audit log: a judgement, what a person said of one, or neither (an update, a tombstone)."""

    id: int
    time: str
    note: str | None
    judgement: Judgement | None = None
    feedback: GivenFeedback | None = None


class Entries(Frozen):
    """Rows, the newest first; `before` asks for those before them, None where there are none."""

    entries: tuple[Entry, ...]
    before: int | None


class Asked(Frozen):
    """A judgement asked for in JSON; `image` is the file's bytes in base64."""

    image: Base64
    note: str


class LiveNote(Frozen):
    """What the camera's next frames are judged with."""

    note: str


class SignalShown(Frozen):
    """A sink or an output of the plant, in a word; `waiting`: messages, None where none are kept or wait."""

    name: str
    standing: Literal["in_order", "waiting", "failed"]
    waiting: int | None


class WantedMode(Frozen):
    """How far judgements are to reach."""

    mode: Mode


class Row(Frozen):
    """The number of the row that was written."""

    id: int


class Readiness(Frozen):
    """Whether the built-in frame was judged lately, and what stands against it."""

    ready: bool
    check_age_s: Seconds | None  # since a check passed; None where none has
    fault: str | None
