"""Settings of `yochi-train rlaif`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ..settings import PolicySettings

OF_ENDPOINT = {"critic_url", "critic_model", "critic_timeout", "critic_tries", "critic_workers"}


class RlaifSettings(PolicySettings):
    """Every field of `yochi-train rlaif SETTINGS.toml OUT`, with those of `PolicySettings`."""

    start: Path  # finished run: the first policy and, frozen, the disentangled critic
    rounds: int = Field(default=3, gt=0)
    prompts: int = Field(default=960, ge=8)  # records a round, in whole packs
    answers: int = Field(default=8, ge=2)  # drawn a prompt
    temperature: float = Field(default=1.0, gt=0)  # of the draws; higher draws are less alike
    # dpo: the best against the worst; grpo: a reward from the records' truth; sft: that truth, to compare
    method: Literal["dpo", "grpo", "sft"] = "dpo"
    # of dpo; joint: the frozen model without disentangling; truth: the records' slots, an upper bound;
    # endpoint: a model behind an OpenAI-compatible endpoint, its key in YOCHI_TEACHER_KEY
    critic: Literal["disentangled", "joint", "truth", "endpoint"] = "disentangled"
    critic_url: str | None = None  # endpoint: what stands before /chat/completions
    critic_model: str | None = None  # endpoint: its name there
    critic_timeout: float = Field(default=120.0, gt=0)  # endpoint: seconds a try
    critic_tries: int = Field(default=3, gt=0)  # endpoint: at a question, with growing waits between them
    critic_workers: int = Field(default=8, gt=0)  # endpoint: prompts asked about at a time
    critic_failures: float = Field(default=0.2, ge=0, lt=1)  # of a round's prompts; more failures end the run
    doubt: float = Field(default=0.1, ge=0, lt=0.5)  # disentangled: so near its threshold nothing is observed
    global_weight: float = Field(default=0.5, ge=0, le=1)  # of GS; 0: OS alone, 1: GS alone
    margin: float = Field(default=0.1, gt=0, le=1)  # the best is at least so much above the worst, of 0..1
    feedback: bool = False  # dpo: each round also learns the pairs that `records from-feedback` put beside
    steps: int = Field(default=60, gt=0)  # a round
    lora_rate: float = Field(default=1e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)  # DPO: how dear it is to leave the round's reference
    kl_weight: float = Field(default=0.02, ge=0)  # GRPO: how dear it is to leave the round's reference
    sft_weight: float = Field(default=0.1, ge=0)  # of the best answer's own log-probability, a slot or token
    # Of dpo, where `start` learned to explain: an answer then has an explanation.
    told_weight: float = Field(default=0.2, ge=0, lt=1)  # of its truth in an answer's score, beside GS and OS
    length_weight: float = Field(default=0.1, ge=0)  # taken off the score for one of explanation_tokens

    @model_validator(mode="after")
    def _fits_method_and_critic(self) -> Self:
        if self.feedback and self.method != "dpo":
            raise ValueError(f"feedback is of method = 'dpo', got {self.method!r}; leave it out")
        named = self.critic_url is not None and self.critic_model is not None
        if self.critic == "endpoint" and not named:
            raise ValueError("expected critic_url and critic_model beside critic = 'endpoint'")
        given = sorted(self.model_fields_set & OF_ENDPOINT)
        if self.critic != "endpoint" and given:
            raise ValueError(
                f"{given[0]} is of critic = 'endpoint', and another is named; leave one of them out"
            )
        return self
