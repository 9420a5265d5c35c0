"""What to export, and the report and the pin of the folder that it is exported into."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yochi_runtime.bundle import file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.image import PREPARATION
from yochi_runtime.prompt import PROMPT_VERSION
from yochi_train.grammar import LANGS

from .forms import CALIBRATION_FRAMES
from .targets import Target
from .trained import RunFolder

Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What to export. `records` from `yochi-train records`, `photos`: the folder its images are in."""

    run: RunFolder
    out: Path
    records: Path
    photos: Path
    version: str
    count: int = 500  # records that are compared with torch
    threads: int = 2
    languages: tuple[str, ...] | None = None  # None: those that `evaluation` proves
    evaluation: Path | None = None
    int8_frames: int = CALIBRATION_FRAMES  # training pictures that int8's ranges are set on
    fit: tuple[str, ...] = LANGS  # languages whose validation notes calibration and thresholds are fitted to
    target: Target = Target.X86
    miss: float | None = None  # share of misses that thresholds are tested for; None: they are not


class Report:
    """report.json: every measured number by step, written after each."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._steps: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def put(self, step: str, numbers: Mapping[str, Any]) -> None:
        self._steps[step] = dict(numbers)
        text = json.dumps(self._steps, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        self._file.write_text(text, encoding="utf-8")

    def get(self, step: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._steps.get(step)
        return found


def pin(order: Order) -> None:
    """Refuse to mix two runs in one folder."""
    records = order.records / "val.jsonl"
    if not records.is_file():
        raise UsageError(f"expected validation records in {records}, found none; check --records")
    made_of = order.run.hashes() | {"records": file_sha256(records)}
    made_of |= {"preparation": PREPARATION, "prompt": PROMPT_VERSION}
    chosen = {"count": order.count, "int8_frames": order.int8_frames, "fit": list(order.fit)}
    text = json.dumps(made_of | chosen, indent=1)
    pinned = order.out / "made_of.json"
    if pinned.exists() and pinned.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"expected {order.out} to be new or of this run, it holds another; choose another folder"
        )
    pinned.write_text(text, encoding="utf-8")
