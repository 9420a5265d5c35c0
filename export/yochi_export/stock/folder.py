"""`yochi-export gguf`: a checkpoint becomes a folder that other programs run, and Yochi proves.

    text-f16.gguf, mmproj-f16.gguf   the language half with its chat template, and the vision half
    chat_template.jinja              the template once more, for programs that take it from a file
    layout.json, tokenizer.json      what a bundle needs beside them (glossary.tsv, empty, too)
    pack.toml, positives.json        the slots that it was trained on, where the checkpoint has them
    stock.json                       what it was made of, and the sha256 of everything

A file that is there and was made of the same is not made again, so a killed export goes on.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError
from yochi_runtime.bundle import GLOSSARY, LAYOUT, PACK, TOKENIZER, FileEntry, check_file, file_sha256
from yochi_runtime.errors import BundleError, Reason, UsageError
from yochi_runtime.taxonomy import Frozen
from yochi_train.positives import POSITIVES

from ..doctor import require
from ..families import Form
from .converter import (
    UNKNOWN_TOKENIZER,
    bring_converter,
    convert,
    find_converter,
    knows_tokenizer,
    tree_sha256,
)
from .layout import write_layout
from .staging import TEMPLATE, Checkpoint, read_checkpoint, stage
from .traps import blind

STOCK, MADE_OF = "stock.json", "made_of.json"
Say = Callable[[str], None]


class Precision(StrEnum):
    """How weights are stored; the value is what upstream's converter calls it."""

    F16 = "f16"
    F32 = "f32"


class Stock(Frozen):
    """stock.json. `mmproj` is None for a language half alone, `blind` says why."""

    form: str
    model_type: str
    precision: Precision
    text: str
    mmproj: str | None
    blind: str | None
    picture_tokens: tuple[int, int] | None  # bounds of one picture, for programs that are asked for them
    made_of: dict[str, str]  # sha256 by what it is
    files: dict[str, FileEntry]


def make_stock(
    path: Path,
    out: Path,
    precision: Precision = Precision.F16,
    llama_cpp: Path | None = None,
    say: Say = print,
) -> Stock:
    """UsageError, before the long work, where it cannot be made of `path`."""
    require(path, Form.GGUF, llama_cpp)
    checkpoint = read_checkpoint(path)
    if find_converter(llama_cpp) is None:
        say("upstream's converter (77 MB, once)")
    converter = bring_converter(llama_cpp)
    if not knows_tokenizer(converter, checkpoint.tokenizer):
        raise UsageError(f"expected {path} to have a tokenizer that upstream names, got: {UNKNOWN_TOKENIZER}")
    out.mkdir(parents=True, exist_ok=True)
    say("hashes")
    made_of = _made_of(checkpoint, precision, converter)
    _pin(made_of, out)
    halves = {f"text-{precision}.gguf": list[str]()}
    why = blind(checkpoint.config)
    if why is None:
        halves[f"mmproj-{precision}.gguf"] = ["--mmproj"]
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as folder:
        staged = Path(folder) / "model"
        staged.mkdir()
        stage(checkpoint, staged)
        for name, options in halves.items():
            if not (out / name).exists():
                say(name)
                convert(converter, staged, Path(folder) / name, ["--outtype", precision, *options])
                (Path(folder) / name).replace(out / name)
        shutil.copyfile(staged / TEMPLATE, out / TEMPLATE)
    names = [*halves, TEMPLATE]
    if why is None:
        write_layout(checkpoint, out)
        names += [LAYOUT, TOKENIZER, GLOSSARY]
    for name in (PACK, POSITIVES):
        if (path / name).is_file():
            shutil.copyfile(path / name, out / name)
            names.append(name)
    text, *eyes = halves
    files = {n: FileEntry(bytes=(out / n).stat().st_size, sha256=file_sha256(out / n)) for n in names}
    made = Stock(
        form=Form.GGUF,
        model_type=checkpoint.config["model_type"],
        precision=precision,
        text=text,
        mmproj=eyes[0] if eyes else None,
        blind=why,
        picture_tokens=checkpoint.picture_tokens,
        made_of=made_of,
        files=files,
    )
    (out / STOCK).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return made


def open_stock(folder: Path) -> Stock:
    """Every file compared with its sha256. BundleError where one was changed, UsageError where none is."""
    try:
        stock = Stock.model_validate_json((folder / STOCK).read_bytes())
    except (OSError, ValidationError) as e:
        raise UsageError(
            f"expected a folder of `yochi-export gguf` at {folder}, got none; make it again"
        ) from e
    for name, entry in stock.files.items():
        if Path(name).name != name:
            raise BundleError(
                Reason.BUNDLE_INVALID, f"expected names of files in {STOCK}, got {name!r}; make it again"
            )
        check_file(folder / name, entry, Reason.BUNDLE_CHANGED)
    return stock


def _made_of(checkpoint: Checkpoint, precision: Precision, converter: Path) -> dict[str, str]:
    files = sorted(file for file in checkpoint.path.iterdir() if file.is_file())
    found = {file.name: file_sha256(file) for file in files}
    return found | {"precision": precision, "converter": tree_sha256(converter / "conversion")}


def _pin(made_of: dict[str, str], out: Path) -> None:
    """Refuse to mix two models in one folder."""
    text, pinned = json.dumps(made_of, indent=1, sort_keys=True), out / MADE_OF
    if pinned.exists() and pinned.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"expected {out} to be new or of this checkpoint, it holds another; choose another folder"
        )
    pinned.write_text(text, encoding="utf-8")
