"""Upstream's `convert_hf_to_gguf.py`, of the same commit as the llama.cpp that is installed.

The wheel of llama-cpp-python does not have it, its source archive does. That is brought once by pip. What is
taken out of it lies in `$XDG_CACHE_HOME/yochi/llama.cpp` and is compared with a pinned hash before each run:
it is code. `--llama-cpp DIR` names a checkout instead, for whose code the user answers.
"""

import ast
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from yochi_runtime.base import cache_folder
from yochi_runtime.bundle import file_sha256
from yochi_runtime.errors import UsageError
from yochi_train.progress import Progress

PACKAGE, SCRIPT = "llama-cpp-python", "convert_hf_to_gguf.py"
_TAKEN = (SCRIPT, "conversion/", "gguf-py/gguf/", "LICENSE")  # of vendor/llama.cpp, in the archive
UNKNOWN_TOKENIZER = (
    "one that upstream's converter does not know by its hash; llama.cpp would cut words elsewhere"
)
_DOWNLOAD_SECONDS = 1800
_WRITTEN = re.compile(r"Writing:\s+(\d+)%")
_CHECKED_TEXT = re.compile(r"^\s*chktxt = ('.*')$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One release: sha256 of its source archive, and `tree_sha256` of what is taken out."""

    version: str
    archive: str
    tree: str


PIN = Pin(
    version="0.3.36",
    archive="832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
    tree="9a620948c967af94008216a4625c5916798c296d7617abe3f3ac10f0b818e6d0",
)


def find_converter(given: Path | None = None, pin: Pin = PIN) -> Path | None:
    """The folder with SCRIPT in it: a checkout, or what is cached, unchanged; None where nothing is cached.

    UsageError for a checkout without it, another llama-cpp-python than the pinned one, or changed files.
    """
    if given is not None:
        if not (given / SCRIPT).is_file():
            raise UsageError(
                f"expected a checkout of llama.cpp at {given}, found no {SCRIPT}; check --llama-cpp"
            )
        return given
    installed = importlib.metadata.version(PACKAGE)
    if installed != pin.version:
        raise UsageError(
            f"expected {PACKAGE} {pin.version}, whose converter is known, got {installed}; install that, or "
            "name a checkout of the llama.cpp in it: --llama-cpp DIR"
        )
    folder = _cached(pin)
    if not folder.is_dir():
        return None
    if tree_sha256(folder) != pin.tree:
        raise UsageError(f"expected upstream's converter as it came, {folder} was changed; delete it")
    return folder


def bring_converter(given: Path | None = None, pin: Pin = PIN) -> Path:
    """`find_converter`, or brought by pip. UsageError where it cannot be had."""
    found = find_converter(given, pin)
    if found is not None:
        return found
    with tempfile.TemporaryDirectory(prefix="yochi-llama-cpp-") as folder:
        return unpack(_download(pin, Path(folder)), pin)


def _cached(pin: Pin) -> Path:
    return cache_folder() / "llama.cpp" / pin.archive


def tree_sha256(folder: Path) -> str:
    """Of every file's path and bytes; a file too many changes it as well, a link is followed by nobody."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()):
        what = "link" if file.is_symlink() else file_sha256(file)
        digest.update(f"{file.relative_to(folder).as_posix()}\0{what}\n".encode())
    return digest.hexdigest()


def _download(pin: Pin, folder: Path) -> Path:
    """The archive; pip compares its hash before it looks into it."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={pin.version} --hash=sha256:{pin.archive}\n", encoding="utf-8")
    # Of this package alone: with `:all:` pip builds what its build needs from source, too: 10 min, not 22 s.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", f"--no-binary={PACKAGE}"]
    command += ["--require-hashes", "--no-input", "--quiet", "--dest", str(folder)]
    command += ["--requirement", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired as e:
        raise _not_brought(pin, f"nothing in {_DOWNLOAD_SECONDS} s") from e
    archives = sorted(folder.glob("*.tar.gz"))
    if done.returncode or len(archives) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise _not_brought(pin, said[-1] if said else f"{len(archives)} archives")
    return archives[0]


def _not_brought(pin: Pin, came: str) -> UsageError:
    return UsageError(
        f"expected pip to download the source of {PACKAGE} {pin.version}, got: {came}; without network, name "
        "a checkout of llama.cpp or the unpacked archive's vendor/llama.cpp: --llama-cpp DIR"
    )


def unpack(archive: Path, pin: Pin) -> Path:
    """Take the converter out of `archive` into the cache, whole and checked. UsageError for another one."""
    if file_sha256(archive) != pin.archive:
        raise UsageError(f"expected the source of {PACKAGE} {pin.version} in {archive}, got another file")
    target = _cached(pin)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bringing-") as folder:
        part = Path(folder) / "llama.cpp"
        with tarfile.open(archive) as tar:
            for member in tar:
                inside = member.name.partition("/vendor/llama.cpp/")[2]
                if member.isfile() and inside.startswith(_TAKEN):
                    _write(tar, member, part / inside)
        if tree_sha256(part) != pin.tree:
            raise UsageError(f"expected {SCRIPT} and its modules in {archive.name}, got others; report it")
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)
    return target


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    """By hand: `extract` takes its filter from Python 3.11.4 on. The archive is the pinned one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None  # it is a file
    with source, file.open("wb") as out:
        shutil.copyfileobj(source, out)


def knows_tokenizer(converter: Path, tokenizer: object) -> bool:
    """Whether upstream has a name for how a byte-level BPE `tokenizer` cuts words.

    It asks for the ids of one text and knows the sha256 of their list.
    """
    source = (converter / "conversion" / "base.py").read_text(encoding="utf-8")
    text = _CHECKED_TEXT.search(source)
    if text is None:
        raise UsageError(f"expected a converter with its check of tokenizers in {converter}, found none")
    ids = tokenizer.encode(ast.literal_eval(text[1]))  # type: ignore[attr-defined]
    return hashlib.sha256(str(ids).encode()).hexdigest() in source


def convert(converter: Path, model: Path, out: Path, options: list[str]) -> None:
    """Run it on the folder `model`. UsageError with its own last words where it fails."""
    command = [sys.executable, "-B", str(converter / SCRIPT), str(model), "--outfile", str(out), *options]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    progress = Progress(out.name, 100)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stderr is not None
        try:
            said = _follow(child.stderr, progress)
        except BaseException:
            child.kill()
            raise
    if child.returncode or not out.is_file():
        raise UsageError(
            f"expected upstream's converter to make {out.name}, got: {said}; ask `yochi-export doctor`"
        )


def _follow(stream: IO[str], progress: Progress) -> str:
    """Show what is written, in percent; the last words that are not about that."""
    last: deque[str] = deque(["no word"], maxlen=1)
    for line in stream:  # text mode ends a line at a carriage return, too
        percent = _WRITTEN.search(line)
        if percent:
            progress.step(int(percent[1]) - progress.done)
        elif line.strip():
            last.append(line.strip()[:200])
    return last[0]
