"""The same bundle with something else beside the engines: calibration, proof, evaluation, languages, card."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yochi_runtime.bundle import Bundle, Calibration
from yochi_runtime.errors import UsageError
from yochi_runtime.explanation import FORM

from .pack import AnyParts, Parts, proved_languages, without_proof, write_bundle


@dataclass(frozen=True)
class Changes:
    """Files to put in place of the bundle's own; None keeps it. A new calibration undoes the proof."""

    calibration: Path | None = None
    parity: Path | None = None
    evaluation: Path | None = None
    languages: tuple[str, ...] | None = None
    card: Path | None = None
    version: str | None = None
    explain: Path | None = None  # a LoRA that `yochi-train explain` taught, as GGUF


def repack(parts: AnyParts, out: Path, changes: Changes) -> Bundle:
    """Write `parts` with `changes` to `out`; the engines stay as they are, byte by byte."""
    if changes.calibration is not None:
        # Thresholds decide which verdicts flip, so what was compared before says nothing any more.
        parts = without_proof(replace(parts, calibration=_calibration(changes.calibration)))
    if changes.explain is not None:
        if not isinstance(parts, Parts):
            raise UsageError("expected a bundle of yochi-nano to explain, got a stock model")
        # Slots are read without it, so what was proved of them stays proved.
        parts = replace(parts, explain=_lora(changes.explain), explanation=FORM)
    if changes.parity is not None:
        parts = replace(parts, parity=_json(changes.parity))
    if changes.evaluation is not None:
        evaluation = _json(changes.evaluation)
        parts = replace(parts, evaluation=evaluation, languages=proved_languages(evaluation, None))
    if changes.languages is not None:
        parts = replace(parts, languages=changes.languages)
    return write_bundle(_worded(parts, changes), out)


def _worded(parts: AnyParts, changes: Changes) -> AnyParts:
    card = _text(changes.card) if changes.card is not None else None
    return replace(parts, card=card, version=changes.version or parts.version)


def _calibration(file: Path) -> Calibration:
    try:
        return Calibration.model_validate_json(_text(file))
    except ValidationError as e:
        raise UsageError(
            f"expected a calibration in {file}, got: {e.errors()[0]['msg']}; run: yochi-export calibrate"
        ) from e


def _lora(file: Path) -> Path:
    if not file.is_file() or file.read_bytes()[:4] != b"GGUF":
        raise UsageError(f"expected a LoRA as GGUF in {file}, found none; run: yochi-export lora RUN FOLDER")
    return file


def _json(file: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(_text(file))
    except ValueError as e:
        raise UsageError(f"expected JSON in {file}, got: {e}; make it again") from e
    return value


def _text(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"expected a file at {file}, found none; check the path")
    return file.read_text(encoding="utf-8")
