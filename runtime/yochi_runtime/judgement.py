"""What Yochi answers: one `Judgement`, the same object on the command line, in logs and for machines."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, computed_field, model_validator

from .errors import Reason
from .limits import Gate
from .mode import Mode, Output, output_of
from .ruling import Ruling
from .taxonomy import Frozen, Source, Text
from .verdict import Verdict

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
SCHEMA_VERSION: Final = 1
CALL_SUPERVISOR = Text(en="Call the supervisor.", ja="監督者を呼ぶこと。")
GO_ON = Text(
    en="No risk found above its threshold. Keep watching.",
    ja="しきい値を超える危険は見つかりません。周囲に注意して進めてください。",
)


class Coverage(StrEnum):
    """Whether a slot was answered. Only `judged` has a probability; the other two are never read as safe."""

    JUDGED = "judged"
    NOT_TRAINED = "not_trained"
    NOT_LOOKED = "not_looked"


class SlotResult(Frozen):
    """One slot: its coverage, and where judged its calibrated probability and threshold (0..1).

    `why`: what was missing, of a slot that would have been looked at. Left out where there is none.
    """

    id: str
    coverage: Coverage
    probability: Probability | None = None
    threshold: Probability | None = None
    why: str | None = Field(default=None, exclude_if=lambda why: why is None)

    @model_validator(mode="after")
    def _probability_only_where_judged(self) -> "SlotResult":
        if (self.coverage is Coverage.JUDGED) != (self.probability is not None):
            raise ValueError(f"{self.id}: a probability belongs to judged slots and to no others")
        return self

    @property
    def flagged(self) -> bool:
        """At or above its threshold."""
        if self.probability is None or self.threshold is None:
            return False
        return self.probability >= self.threshold


class NoteSpan(Frozen):
    """Characters [start, end) of the note, and their text."""

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    text: str


class Evidence(Frozen):
    """Where a factor shows: a note span, an image box [x0, y0, x1, y1] in 0..1 of the frame, or both."""

    note: NoteSpan | None = None
    box: tuple[Probability, Probability, Probability, Probability] | None = None


class RiskFactor(Frozen):
    """A risk above its threshold, with its origin and its number."""

    slot: str
    source: Source
    category: str
    name: Text
    probability: Probability
    threshold: Probability
    severity: Literal["S1", "S2"]
    evidence: Evidence
    why: Text


class NotKept(StrEnum):
    """Why a picture was not kept whose heads were to be blurred before."""

    NOT_LOOKED = "not_looked"  # refused before it was looked at, or an engine failed
    NO_CUES = "no_cues"  # the bundle was not trained to see heads


class Identities(Frozen):
    """Lower-case sha256 of everything the judgement depends on; None where it was not reached."""

    bundle: str | None = None
    base: str | None = None
    pack: str | None = None
    prompt: str | None = None
    rules: str | None = None  # of the rulebook's text
    frame: str | None = None  # of the decoded, upright RGB pixels and their size
    note: str | None = None  # of the note as it was given, UTF-8
    picture: str | None = None  # of the file that the audit log keeps of it
    # Of that file's pixels, as `frame` is of those that were judged; only where heads were blurred before.
    blurred: str | None = Field(default=None, exclude_if=lambda sha256: sha256 is None)
    engine: str | None = None  # library versions, not a hash


class Judgement(Frozen):
    """One frame and one note, judged. `cannot_judge` carries at least one reason, other verdicts none."""

    schema_version: Literal[1] = SCHEMA_VERSION
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    message: str | None = None  # for cannot_judge: what was expected, what came, what to do
    factors: tuple[RiskFactor, ...] = ()
    slots: tuple[SlotResult, ...] = ()
    gates: tuple[Gate, ...] = ()  # what was measured of frame and camera, the failing one included
    advice: Text
    rules: Ruling | None = None  # None where no rulebook was given
    language: Literal["en", "ja"] | None = None  # of the note
    decoded_tokens: int = Field(default=0, ge=0)  # tokens sampled before the verdict
    timings_ms: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    identities: Identities = Identities()
    camera: str | None = None  # whose frame it is, as `camera_name` says it; None for a single picture
    mode: Mode | None = None  # None where there is none: a single picture on the command line, the library
    not_kept: NotKept | None = Field(default=None, exclude_if=lambda why: why is None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def output(self) -> Output | None:
        """`release` or `hold` in `enforce`. Never stored: a verdict that becomes another takes it along."""
        return output_of(self.mode, self.verdict)

    @model_validator(mode="wrap")
    @classmethod
    def _output_is_the_verdicts(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A written `output` is read only to be compared: no file makes a release of a hold."""
        if not isinstance(data, dict) or "output" not in data:
            return handler(data)
        found = handler({name: value for name, value in data.items() if name != "output"})
        if data["output"] != found.output:
            raise ValueError(f"expected the output {found.output}, got {data['output']!r}")
        return found

    @model_validator(mode="after")
    def _reasons_belong_to_cannot_judge(self) -> "Judgement":
        if (self.verdict is Verdict.CANNOT_JUDGE) != bool(self.reasons):
            raise ValueError("cannot_judge needs a reason, and no other verdict may carry one")
        return self

    def coverage(self) -> dict[Coverage, list[str]]:
        """Slot ids by coverage."""
        return {c: [s.id for s in self.slots if s.coverage is c] for c in Coverage}


def in_mode(judgement: Judgement, mode: Mode | None) -> Judgement:
    """The judgement as that mode gives it."""
    return judgement if judgement.mode is mode else judgement.model_copy(update={"mode": mode})


def cannot_judge(
    reason: Reason, message: str, identities: Identities | None = None, gates: tuple[Gate, ...] = ()
) -> Judgement:
    """The judgement that says why there is none."""
    return Judgement(
        verdict=Verdict.CANNOT_JUDGE,
        reasons=(reason,),
        message=message,
        gates=gates,
        advice=CALL_SUPERVISOR,
        identities=identities or Identities(),
    )
