"""Keys and signatures of bundles, on the machine that makes them; the box checks them (`signature`).

A private key belongs where nothing is published from: never inside a bundle, never inside a git repository.
"""

from pathlib import Path

from yochi_runtime.audit.signing import SigningKey, create_key, read_key
from yochi_runtime.bundle import MANIFEST, Bundle
from yochi_runtime.errors import UsageError
from yochi_runtime.signature import write_signature

from .pack import check_proved


def new_key(path: Path) -> tuple[str, Path]:
    """A new private key in `path` (mode 0600), the public one beside it: that in hexadecimal, and its file.

    UsageError where one is in the way, or where a private key must not lie.
    """
    _check_place(path)
    return create_key(path)


def sign(bundle: Bundle, keyfile: Path) -> tuple[Path, str]:
    """Sign `bundle` with the key in `keyfile`: the signature's file, and the public key in hexadecimal.

    UsageError for a bundle that is not proved, for a key that others can read, and for one that lies where a
    private key must not.
    """
    key = read_signing_key(keyfile)
    check_proved(bundle, "signed")
    return write_signature(bundle, key), key.public


def read_signing_key(keyfile: Path) -> SigningKey:
    """UsageError for a key that others can read, and for one that lies where a private key must not."""
    _check_place(keyfile)
    return read_key(keyfile)


def _check_place(path: Path) -> None:
    for folder in path.resolve().parents:
        for mark, what in ((MANIFEST, "a bundle"), (".git", "a repository")):
            if (folder / mark).exists():
                raise UsageError(
                    f"expected a private key outside of {what}, got {path} inside {folder}; keep it elsewhere"
                )
