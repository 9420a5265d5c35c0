"""Settings of `yochi-train rlaif`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from ..settings import PolicySettings


class RlaifSettings(PolicySettings):
    """Every field of `yochi-train rlaif SETTINGS.toml OUT`, with those of `PolicySettings`."""

    start: Path  # finished run: the first policy and, frozen, the disentangled critic
    rounds: int = Field(default=3, gt=0)
    prompts: int = Field(default=960, ge=8)  # records a round, in whole packs
    answers: int = Field(default=8, ge=2)  # drawn a prompt
    temperature: float = Field(default=1.0, gt=0)  # of the draws; higher draws are less alike
    # dpo: the best against the worst; grpo: a reward from the records' truth; sft: that truth, to compare
    method: Literal["dpo", "grpo", "sft"] = "dpo"
    # of dpo; joint: the frozen model without disentangling; truth: the records' slots, an upper bound
    critic: Literal["disentangled", "joint", "truth"] = "disentangled"
    doubt: float = Field(default=0.1, ge=0, lt=0.5)  # disentangled: so near its threshold nothing is observed
    global_weight: float = Field(default=0.5, ge=0, le=1)  # of GS; 0: OS alone, 1: GS alone
    margin: float = Field(default=0.1, gt=0, le=1)  # the best is at least so much above the worst, of 0..1
    steps: int = Field(default=60, gt=0)  # a round
    lora_rate: float = Field(default=1e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)  # DPO: how dear it is to leave the round's reference
    kl_weight: float = Field(default=0.02, ge=0)  # GRPO: how dear it is to leave the round's reference
    sft_weight: float = Field(default=0.1, ge=0)  # of the best answer's own log-probability, a slot or token
    # Of dpo, where `start` learned to explain: an answer then has an explanation.
    told_weight: float = Field(default=0.2, ge=0, lt=1)  # of its truth in an answer's score, beside GS and OS
    length_weight: float = Field(default=0.1, ge=0)  # taken off the score for one of explanation_tokens
