"""The public keys whose bundles this box believes: one PEM file each, `NAME.pub`, in a folder of its own.

`$YOCHI_TRUST`, or `yochi/trust` in `$XDG_CONFIG_HOME` (default `~/.config`). Whoever can write there decides
what the box believes, so a folder or a file that others can write is refused, as sshd refuses such keys.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle import SAFE_NAME
from .errors import BundleError, Reason, UsageError

if TYPE_CHECKING:
    from .audit.signing import PublicKey

ENDING = ".pub"
_OTHERS_WRITE = 0o022  # mode bits of group and world


def store_folder() -> Path:
    """Where the keys of this box lie, or would lie."""
    override = os.environ.get("YOCHI_TRUST")
    if override:
        return Path(override)
    config = os.environ.get("XDG_CONFIG_HOME")
    # The XDG specification: a relative path here is to be ignored.
    root = Path(config) if config and Path(config).is_absolute() else Path.home() / ".config"
    return root / "yochi" / "trust"


def trusted_keys() -> dict[str, "PublicKey"]:
    """By name, sorted. BundleError where anything in the store is not as it should be: nothing is then
    believed.
    """
    folder = store_folder()
    try:
        return {file.name.removesuffix(ENDING): _key(file) for file in _files(folder)}
    except OSError as e:
        raise _damaged(f"expected to read {folder}, got: {e.strerror or e}; check its rights") from e
    except UsageError as e:
        raise _damaged(str(e)) from e


def add_key(file: Path, name: str | None) -> tuple[str, str]:
    """Trust the public key in `file` from now on, as `name` (default: the file's); (name, hexadecimal key).

    UsageError where it is no public key, or where name or key are there already.
    """
    from .audit.signing import read_public_key

    key, chosen = read_public_key(file), name or file.name.removesuffix(ENDING)
    if not SAFE_NAME.fullmatch(chosen + ENDING):
        raise UsageError(f"expected a name of letters, digits and . _ + -, got {chosen!r}; give --name")
    for known, other in trusted_keys().items():
        if known == chosen or other.public == key.public:
            raise UsageError(
                f"expected a new name and a new key, {known} is {other.public[:16]}... already; "
                "choose another --name, or remove that one first"
            )
    folder = store_folder()
    target = folder / f"{chosen}{ENDING}"
    beside = folder / f".{chosen}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as sink:
            sink.write(file.read_bytes())
            sink.flush()
            os.fsync(sink.fileno())
        beside.rename(target)
    except OSError as e:
        raise UsageError(f"expected to write {target}, got: {e.strerror or e}; check its rights") from e
    return chosen, key.public


def remove_key(wanted: str) -> tuple[str, str]:
    """Trust the key of this name, or whose hexadecimal form begins so (8 digits or more), no longer.

    Returns (name, hexadecimal key). UsageError unless exactly one is meant.
    """
    keys = trusted_keys()
    meant = [
        name
        for name, key in keys.items()
        if name == wanted or (len(wanted) >= 8 and key.public.startswith(wanted))
    ]
    if len(meant) != 1:
        raise UsageError(
            f"expected the name of one trusted key ({', '.join(keys) or 'there is none'}), got {wanted!r}; "
            "see: yochi bundle trust list"
        )
    file = store_folder() / f"{meant[0]}{ENDING}"
    try:
        file.unlink()
    except OSError as e:
        raise UsageError(f"expected to remove {file}, got: {e.strerror or e}; check its rights") from e
    return meant[0], keys[meant[0]].public


def _files(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    _refuse_others(folder)
    return sorted(path for path in folder.iterdir() if path.name.endswith(ENDING))


def _key(file: Path) -> "PublicKey":
    from .audit.signing import read_public_key

    _refuse_others(file)
    return read_public_key(file)


def _refuse_others(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & _OTHERS_WRITE:
        raise UsageError(
            f"expected a trust store that only its owner can write, got mode {mode:04o} of {path}; "
            "look whether its keys are yours, then chmod go-w"
        )


def _damaged(message: str) -> BundleError:
    return BundleError(Reason.TRUST_DAMAGED, message)
