"""Writes a bundle folder, and ships one with the source.

Everything in it is named in `manifest.json` with size and sha256. No date, no timing and no path of a machine
goes into a hashed file: the same parts give the same bundle, byte by byte.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import yochi_runtime
from yochi_runtime.bundle import (
    CALIBRATION,
    EXPLAIN,
    FORMAT,
    GLOSSARY,
    LAYOUT,
    LORA,
    MANIFEST,
    MMPROJ,
    PACK,
    TEXT,
    TOKENIZER,
    VISION,
    BaseModelEntry,
    Bundle,
    Calibration,
    FileEntry,
    Kind,
    Manifest,
    PromptEntry,
    Proof,
    file_sha256,
    open_bundle,
    own_base,
)
from yochi_runtime.errors import UsageError
from yochi_runtime.image import PREPARATION
from yochi_runtime.layout import STOCK_PREPARATION
from yochi_runtime.opening import prompt_in
from yochi_runtime.prompt import PROMPT_VERSION
from yochi_runtime.signature import SIGNATURE
from yochi_runtime.taxonomy import pack_text, parse_pack

from .card import render

NAME = "yochi-nano"
PARITY, EVALUATION, CARD, NOTICE = "parity.json", "evaluation.json", "MODEL_CARD.md", "NOTICE"
MAX_WEIGHTS = 20_000_000  # bytes of vision and LoRA together: what a source repository can carry
NOT_COMPARED: dict[str, Any] = {"passed": False, "status": "undecided", "records": 0}
_PIN = re.compile(r'^SHIPPED_MANIFEST_SHA256 = "[0-9a-f]*"$', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Common:
    """What a bundle of any kind is made of. `card` replaces the rendered model card."""

    tokenizer: Path
    glossary: Path
    pack: Path
    positives: Mapping[str, int]
    calibration: Calibration
    version: str
    languages: tuple[str, ...] = ()
    parity: Mapping[str, Any] = field(default_factory=lambda: dict(NOT_COMPARED))
    evaluation: Mapping[str, Any] | None = None
    card: str | None = None
    explanation: str | None = None  # the form that the model learned to explain in

    @property
    def files(self) -> dict[str, Path]:
        """Copied as they are, by their names in the bundle."""
        return {TOKENIZER: self.tokenizer, GLOSSARY: self.glossary}


@dataclass(frozen=True, kw_only=True)
class Parts(Common):
    """Of yochi-nano."""

    vision: Path
    lora: Path
    base: BaseModelEntry
    explain: Path | None = None  # a second LoRA, for explanations alone

    @property
    def files(self) -> dict[str, Path]:
        beside = {} if self.explain is None else {EXPLAIN: self.explain}
        return {VISION: self.vision, LORA: self.lora, **beside, **super().files}


@dataclass(frozen=True, kw_only=True)
class StockParts(Common):
    """Of a stock GGUF and its mmproj, which `name` says the model and the precision of."""

    name: str
    text: Path
    mmproj: Path
    layout: Path

    @property
    def files(self) -> dict[str, Path]:
        return {TEXT: self.text, MMPROJ: self.mmproj, LAYOUT: self.layout, **super().files}

    @property
    def base(self) -> BaseModelEntry:
        """The bundle's own text half."""
        return own_base({TEXT: _entry(self.text)})


AnyParts = Parts | StockParts


def write_bundle(parts: AnyParts, out: Path) -> Bundle:
    """Write `parts` as a bundle folder and open it again. UsageError for a language that is not proved."""
    _check_languages(parts)
    out.mkdir(parents=True, exist_ok=True)
    (out / SIGNATURE).unlink(missing_ok=True)  # of what stood here before
    for name, source in parts.files.items():
        _copy(source, out / name)
    _text(out / PACK, pack_text(parts.pack))
    _text(out / CALIBRATION, parts.calibration.text())
    _json(out / PARITY, parts.parity)
    if parts.evaluation is not None:
        _json(out / EVALUATION, parts.evaluation)
    _text(out / NOTICE, notice())
    unsigned = _manifest(parts, out)
    card = parts.card or render(unsigned, parts.evaluation, parts.parity, parts.calibration.test)
    _text(out / CARD, card)
    names = [*parts.files, PACK, CALIBRATION, PARITY, NOTICE, CARD]
    names += [EVALUATION] if parts.evaluation is not None else []
    files = {name: _entry(out / name) for name in sorted(names)}
    _text(out / MANIFEST, unsigned.model_copy(update={"files": files}).text())
    return open_bundle(out)


def _entry(path: Path) -> FileEntry:
    return FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))


def parts_of(bundle: Bundle) -> AnyParts:
    """An existing bundle's parts, to be written again with something replaced."""
    folder, manifest = bundle.path, bundle.manifest
    evaluation = folder / EVALUATION
    common: dict[str, Any] = {
        "tokenizer": folder / TOKENIZER,
        "glossary": folder / GLOSSARY,
        "pack": folder / PACK,
        "positives": manifest.positives,
        "calibration": bundle.calibration,
        "version": manifest.version,
        "languages": manifest.languages,
        "parity": json.loads((folder / manifest.proof.report).read_text(encoding="utf-8")),
        "evaluation": json.loads(evaluation.read_text(encoding="utf-8"))
        if EVALUATION in manifest.files
        else None,
        "explanation": manifest.explanation,
    }
    if manifest.kind is Kind.STOCK:
        text, mmproj, layout = (folder / name for name in (TEXT, MMPROJ, LAYOUT))
        return StockParts(name=manifest.name, text=text, mmproj=mmproj, layout=layout, **common)
    explain = folder / EXPLAIN if EXPLAIN in manifest.files else None
    return Parts(vision=folder / VISION, lora=folder / LORA, base=manifest.base, explain=explain, **common)


def proved_languages(evaluation: Mapping[str, Any] | None, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The languages asked for, or else those whose bars the evaluation met."""
    if asked is not None:
        return asked
    whole = evaluation is not None and evaluation.get("whole") is True
    found = evaluation["languages"] if evaluation and whole else {}
    return tuple(sorted(language for language, met in found.items() if met))


def ship(bundle: Bundle, package: Path | None = None) -> Path:
    """Make `bundle` the one that comes with the source, and pin its hash in `trust.py`; the new folder.

    UsageError for one that is not proved, which would judge nothing, or is too large for a repository.
    """
    check_proved(bundle, "shipped")
    if bundle.manifest.kind is not Kind.NANO:
        raise UsageError("expected a bundle of yochi-nano, got a stock model; give it by --bundle")
    _check_weights(bundle)
    package = package or Path(yochi_runtime.__file__).parent
    trust = package / "trust.py"
    text, pins = _PIN.subn(f'SHIPPED_MANIFEST_SHA256 = "{bundle.sha256}"', trust.read_text(encoding="utf-8"))
    if pins != 1:
        raise UsageError(f"expected one line SHIPPED_MANIFEST_SHA256 in {trust}, found {pins}; mend it")
    target = package / "bundles" / "nano"
    beside = target.with_name(".nano-new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in (*bundle.manifest.files, MANIFEST):
        _copy(bundle.path / name, beside / name)
    shutil.rmtree(target, ignore_errors=True)
    beside.replace(target)
    _text(trust, text)
    open_bundle(target)
    return target


def check_proved(bundle: Bundle, what: str) -> None:
    """UsageError, so that it is not `what`, unless the manifest says that the proof passed and so does the
    report that it names: whoever signs answers for both.
    """
    proof = bundle.manifest.proof
    if not proof.passed:
        raise UsageError(f"expected a bundle whose proof passed, got one that failed it; it is not {what}")
    report = json.loads((bundle.path / proof.report).read_text(encoding="utf-8"))
    if not isinstance(report, dict) or report.get("passed") is not True:
        raise UsageError(
            f"expected {proof.report} to say that the proof passed, as the manifest does, it does not; "
            f"it is not {what}"
        )


def _check_weights(bundle: Bundle) -> None:
    size = sum(bundle.manifest.files[name].bytes for name in (VISION, LORA))
    if size > MAX_WEIGHTS:
        raise UsageError(
            f"expected vision and LoRA to have at most {MAX_WEIGHTS} bytes together, got {size}; "
            "ship a smaller rung or a smaller LoRA rank"
        )


def notice() -> str:
    """Whose weights and data these are: the NOTICE of this source or of the installed distribution."""
    source = Path(__file__).resolve().parents[2] / NOTICE
    if source.is_file():
        return source.read_text(encoding="utf-8")
    text = metadata.distribution("yochi").read_text(f"licenses/{NOTICE}")
    if text is None:
        raise UsageError("expected NOTICE in the installed distribution, found none; install yochi again")
    return text


def _manifest(parts: AnyParts, out: Path) -> Manifest:
    """Everything but the files."""
    pack = parse_pack(pack_text(parts.pack))
    slots = tuple(slot.id for slot in pack.slots)
    kind = Kind.STOCK if isinstance(parts, StockParts) else Kind.NANO
    prompt = prompt_in(out, kind, pack)
    return Manifest(
        format=FORMAT if kind is Kind.STOCK else 1,
        kind=kind,
        name=parts.name if isinstance(parts, StockParts) else NAME,
        version=parts.version,
        files={},
        base=parts.base,
        prompt=PromptEntry(version=PROMPT_VERSION, sha256=prompt.sha256),
        preparation=STOCK_PREPARATION if kind is Kind.STOCK else PREPARATION,
        pack_id=pack.id,
        slots=slots,
        positives={slot: count for slot, count in sorted(parts.positives.items()) if slot in slots},
        languages=parts.languages,
        proof=Proof(passed=bool(parts.parity["passed"]), report=PARITY),
        explanation=parts.explanation,
    )


def _check_languages(parts: AnyParts) -> None:
    """A language needs a whole evaluation of these very files that says it passed."""
    evaluation = parts.evaluation or {}
    if evaluation and evaluation.get("evaluated") != judging_hashes(parts):
        raise UsageError(
            "expected an evaluation of this very bundle, got one of other files; run: yochi-train evaluate"
        )
    found = evaluation.get("languages", {}) if evaluation.get("whole") is True else {}
    missed = [language for language in parts.languages if found.get(language) is not True]
    if missed:
        raise UsageError(
            f"expected languages that a whole evaluation proves, got {', '.join(missed)}; leave them out"
        )


def judging_hashes(parts: AnyParts) -> dict[str, str]:
    """As `yochi_train.evaluate.judging_hashes`, before the bundle is written."""
    files = {name: path for name, path in parts.files.items() if name != EXPLAIN} | {PACK: parts.pack}
    calibration = hashlib.sha256(parts.calibration.text().encode()).hexdigest()
    hashes = {name: file_sha256(path) for name, path in files.items()}
    return {**hashes, CALIBRATION: calibration, "base": parts.base.sha256}


def without_proof(parts: AnyParts) -> AnyParts:
    """The same parts before anything was compared."""
    return replace(parts, parity=dict(NOT_COMPARED), languages=(), evaluation=None, card=None)


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        target.write_bytes(source.read_bytes())


def _json(path: Path, value: Mapping[str, Any]) -> None:
    _text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
