"""Runs of the tiny model, and what they leave."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from yochi_train.rlaif import rounds
from yochi_train.rlaif.held_out import Outcome
from yochi_train.rlaif.rounds import Rounds
from yochi_train.rlaif.run import improve, prepare

from ..made import tiny_slots
from .rlaif_data import settings_of

HELPS, HURTS = (5, 0, 1), (4, 0, 1)  # safe and effective, oversafe, missed


def run(data: Path, out: Path, **changes: Any) -> str:
    return improve(settings_of(data, **changes), tiny_slots(), out)


def made(data: Path, out: Path, **changes: Any) -> Rounds:
    return prepare(settings_of(data, **changes), tiny_slots(), out)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "adapter" / "adapter_model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found


def outcome(counts: tuple[int, int, int]) -> Outcome:
    names = ("safe_effective", "oversafety", "miss")
    return Outcome(
        {name: {"value": None, "hits": hits, "of": 9} for name, hits in zip(names, counts, strict=True)},
        {},
    )


def script(patch: pytest.MonkeyPatch, *counts: tuple[int, int, int]) -> None:
    """What the evaluations find, the start's first."""
    left = [outcome(c) for c in counts]
    patch.setattr(rounds, "evaluate", lambda *_: left.pop(0))
