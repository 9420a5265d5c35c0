"""Settings of a training run: one frozen model, one TOML file."""

import tomllib
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from yochi_runtime.errors import UsageError
from yochi_runtime.spelling import did_you_mean

RISK_POSITIVE_WEIGHT = 5.0  # a category is rarely named: one in fifteen
PATHS = ("records", "photos", "features", "start", "utility", "anchors")  # those beside `model`
OF_NANO = {"features", "projector_rate", "projector_steps"}


class PolicySettings(BaseModel):
    """What every run needs; paths are relative to the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None  # hub id or folder of a vision-language model; none: yochi-nano
    records: Path  # folder from `yochi-train records photos`
    photos: Path  # folder the records' images are relative to
    features: Path | None = None  # yochi-nano: cache of the frozen encoder's features
    start: Path | None = None  # finished run whose LoRA and projector this one goes on from
    seed: int = 0
    packs: int = Field(default=2, gt=0)  # pictures a step; each brings its pack of notes
    lora_rank: int = Field(default=16, gt=0)
    lora_from_layer: int = Field(default=10, ge=0)  # layers below stay as they are
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # auto: bf16 where the CPU multiplies it fast
    checkpoint_every: int = Field(default=50, gt=0)  # steps
    threads: int = Field(default=2, gt=0)
    explanation_tokens: int = Field(default=64, gt=0)  # of an explanation, at most
    utility: Path | None = None  # JSON lines, instruction and reply: measured before and after

    @model_validator(mode="after")
    def _fits_the_model(self) -> Self:
        """An option that the model has no use for is a mistake."""
        given = sorted(self.model_fields_set & OF_NANO)
        if self.model is not None and given:
            raise ValueError(
                f"{given[0]} is of yochi-nano, and another model is named; leave one of them out"
            )
        if self.model is None and self.features is None:
            raise ValueError("expected `features`, a folder for the features of yochi-nano's encoder")
        return self


class SftSettings(PolicySettings):
    """Every field of `yochi-train sft SETTINGS.toml OUT`, with those above."""

    steps: int = Field(default=1600, gt=0)
    lora_rate: float = Field(default=1e-3, gt=0)  # peak learning rate
    projector_rate: float = Field(default=3e-4, gt=0)
    projector_steps: int = Field(default=150, ge=0)  # the projector is frozen after these; saves a third
    warmup: int = Field(default=40, ge=0)  # steps
    risk_positive_weight: float = Field(default=RISK_POSITIVE_WEIGHT, gt=0)
    explanation_weight: float = Field(default=0.2, ge=0)  # of the text's loss, a token; 0: none is learned
    explained: int = Field(default=1, gt=0)  # notes of each picture whose explanation a step learns
    anchors: Path | None = None  # JSON lines, instruction and reply: mixed in, so that ordinary skills stay
    anchors_a_step: int = Field(default=1, gt=0)
    anchor_weight: float = Field(default=0.2, gt=0)  # of their loss, a token

    @model_validator(mode="after")
    def _anchored(self) -> Self:
        given = sorted(self.model_fields_set & {"anchors_a_step", "anchor_weight"})
        if given and self.anchors is None:
            raise ValueError(f"{given[0]} is of anchors, and none are named; give anchors, or leave it out")
        return self


class ExplainSettings(PolicySettings):
    """Every field of `yochi-train explain SETTINGS.toml OUT`, with those of `PolicySettings`.

    `lora_rank` and `lora_from_layer` are those of `start`.
    """

    start: Path  # finished run whose verdicts are explained; nothing of it changes
    steps: int = Field(default=200, gt=0)
    explain_rank: int = Field(default=8, gt=0)
    explain_from_layer: int = Field(default=20, ge=0)  # layers below stay as they are
    explain_rate: float = Field(default=1e-3, gt=0)  # peak learning rate
    warmup: int = Field(default=20, ge=0)  # steps

    @model_validator(mode="after")
    def _is_of_nano(self) -> Self:
        if self.model is not None:
            raise ValueError(
                "expected yochi-nano, whose LoRAs stay apart, got another model; `sft` teaches it to explain"
            )
        return self


Settings = TypeVar("Settings", bound=PolicySettings)


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """From TOML; an unknown key fails with the nearest known one."""
    if not path.is_file():
        raise UsageError(f"expected a settings file (TOML) at {path}, found none")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as e:
        raise UsageError(f"{path}: expected TOML, got: {e}") from e
    for key in data:
        if key not in kind.model_fields:
            raise UsageError(f"{path}: unknown key {key!r}{did_you_mean(key, kind.model_fields)}")
    try:
        settings = kind.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        at = "".join(f"{part}: " for part in first["loc"])
        raise UsageError(f"{path}: {at}{first['msg'].removeprefix('Value error, ')}") from e
    here = path.parent
    given = {name: getattr(settings, name) for name in PATHS if name in kind.model_fields}
    found: dict[str, object] = {name: here / path for name, path in given.items() if path is not None}
    if settings.model is not None and (here / settings.model).is_dir():
        found["model"] = str(here / settings.model)  # a hub id is no folder here
    return settings.model_copy(update=found)
