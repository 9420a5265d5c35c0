"""General instructions, text only, from a file the user names: to keep ordinary skills, and measure them.

A line is a JSON object with `instruction` and `reply`. As anchors some are mixed into every step. As a set
for utility they are measured before and after: the mean loss of a reply's token, its end among them, and the
share of short replies that the model gives word for word when it always takes its likeliest token.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from torch import Tensor
from yochi_runtime.bundle import file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Frozen

from .policy import Policy
from .run_page import UTILITY
from .settings import PolicySettings
from .slot_model import SlotModel
from .speech import Text

TOKENS = 1024  # of an instruction and its reply, at most
SHORT = 16  # tokens of a reply that is compared word for word
TOGETHER = 8  # texts that are read at a time


class Instruction(Frozen):
    instruction: str = Field(min_length=1)
    reply: str = Field(min_length=1)


def read_instructions(file: Path, model: SlotModel) -> list[Text]:
    """As `model` reads them. UsageError names the first line that cannot be used."""
    if not file.is_file():
        raise UsageError(f"expected a file of instructions (JSON lines) at {file}, found none")
    texts = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = Instruction.model_validate_json(line)
        except ValidationError as e:
            first = e.errors()[0]
            at = ".".join(map(str, first["loc"])) or "a JSON object with instruction and reply"
            raise UsageError(f"{file}:{number}: expected {at}, got: {first['msg']}") from e
        text = model.instructed(row.instruction, row.reply)
        length = len(text.given) + len(text.said)
        if length > TOKENS:
            raise UsageError(
                f"{file}:{number}: expected at most {TOKENS} tokens, got {length}; shorten it or leave it out"
            )
        texts.append(text)
    if not texts:
        raise UsageError(f"expected instructions in {file}, found none")
    return texts


def check_instructions(settings: PolicySettings, model: SlotModel) -> None:
    """UsageError for a file of them that cannot be used: told before the long work."""
    for name in ("anchors", "utility"):
        file = getattr(settings, name, None)
        if file is not None:
            read_instructions(file, model)


def anchor_loss(policy: Policy, texts: Sequence[Text]) -> Tensor:
    """Mean over the tokens of all replies."""
    return -torch.cat(policy.alone(texts)[0]).mean()


def measure(policy: Policy, texts: Sequence[Text]) -> dict[str, Any]:
    """`loss` a token; `exact` of `short` replies, None where none is short."""
    order = sorted(texts, key=lambda text: len(text.given) + len(text.said))
    logs: list[Tensor] = []
    exact = short = 0
    for first in range(0, len(order), TOGETHER):
        some = order[first : first + TOGETHER]
        with torch.no_grad():
            made, likeliest = policy.alone(some)
        logs += made
        whole = [bool(top.all()) for top in likeliest if len(top) <= SHORT]
        short, exact = short + len(whole), exact + sum(whole)
    tokens = torch.cat(logs)
    return {
        "replies": len(texts),
        "tokens": len(tokens),
        "loss": -float(tokens.double().mean()),
        "short": short,
        "exact": exact,
    }


class Utility:
    """Measured once when a run begins and once at its end, in `utility.json`; nothing without a `file`."""

    def __init__(self, file: Path | None, policy: Policy, out: Path) -> None:
        self._policy, self._out = policy, out / UTILITY
        self._texts = read_instructions(file, policy.model) if file else []
        self._set = {"file": file.name, "sha256": file_sha256(file)} if file else {}

    def before(self, *, begun: bool) -> None:
        """UsageError where the run has `begun` without it: what it began with is gone."""
        if not self._texts:
            return
        known = self._read()
        if known is not None and known["set"]["sha256"] == self._set["sha256"]:
            return
        if begun:
            raise UsageError(
                f"expected the utility set that the run in {self._out.parent} began with, got "
                f"{self._set['file']}; leave utility out, or choose a new folder"
            )
        self._write({"set": self._set, "before": measure(self._policy, self._texts)})

    def after(self) -> None:
        if self._texts:
            known = self._read() or {}
            self._write({**known, "after": measure(self._policy, self._texts)})

    def _read(self) -> dict[str, Any] | None:
        if not self._out.is_file():
            return None
        found: dict[str, Any] = json.loads(self._out.read_text(encoding="utf-8"))
        return found

    def _write(self, what: Mapping[str, Any]) -> None:
        partial = self._out.with_suffix(".partial")
        partial.write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(self._out)
