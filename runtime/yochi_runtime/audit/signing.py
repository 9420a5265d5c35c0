"""Ed25519 (RFC 8032): keys, and what the log says about itself (checkpoints, pictures that were deleted).

Bundles are signed with keys of the same form (`signature`), made by `yochi-export keygen`.

What is signed is a line that names its purpose, then the fields as canonical JSON, so that a signature of
one kind never counts as another. `cryptography` is loaded only where something is signed or checked. The key
lies unencrypted, because the box signs unattended: who takes over the box can sign from then on, but cannot
change what was signed before and kept elsewhere.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError, one_line
from .chain import Broken, canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

CHECKPOINT = "yochi audit checkpoint 1"
TOMBSTONE = "yochi audit tombstone 1"
_OTHERS = 0o077  # mode bits of group and world


class SigningKey:
    """A private key and its public half as 64 hexadecimal digits."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    def sign(self, purpose: str, fields: Mapping[str, object]) -> str:
        """128 hexadecimal digits over `fields`."""
        return self._private.sign(signed_bytes(purpose, fields)).hex()


class PublicKey:
    """What signatures are checked with."""

    def __init__(self, key: "Ed25519PublicKey") -> None:
        self._key = key
        self.public = key.public_bytes_raw().hex()

    def check(self, what: str, purpose: str, fields: Mapping[str, object], signature: object) -> None:
        """Broken, naming `what`, where `signature` is not this key's over `fields`."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(bytes.fromhex(str(signature)), signed_bytes(purpose, fields))
        except (InvalidSignature, ValueError) as e:
            raise Broken(f"{what} is not signed by the key {self.public[:16]}...") from e


def signed_bytes(purpose: str, fields: Mapping[str, object]) -> bytes:
    """What a signature is over; a lone surrogate, which UTF-8 has not, becomes what no signer wrote."""
    return f"{purpose}\n{canonical(dict(fields))}".encode("utf-8", "surrogatepass")


def create_key(path: Path) -> tuple[str, Path]:
    """A new private key in `path` (mode 0600), the public one beside it: that in hexadecimal, and its file.

    Never writes over a file. UsageError where one is in the way, or where others could read the key.
    """
    with _cryptography():
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    key, beside = Ed25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    _write_new(path, private, 0o600)
    try:
        _refuse_others(path)  # a file system without modes lets everybody read
        _write_new(beside, public, 0o644)
    except UsageError:
        path.unlink()
        raise
    return SigningKey(key).public, beside


def read_key(path: Path) -> SigningKey:
    """The private key in `path`; UsageError where it is none, or where others can read it."""
    with _cryptography():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    data = _read(path)
    _refuse_others(path)
    with _parsed(path, "a private key", "the file that `keygen` made"):
        key = load_pem_private_key(data, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return SigningKey(key)
        raise ValueError("a key of another kind")


def read_public_key(path: Path) -> PublicKey:
    """The public key in `path`; UsageError where it is none."""
    with _cryptography():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    data = _read(path)
    with _parsed(path, "a public key", "the .pub file that `keygen` made"):
        key = load_pem_public_key(data)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key)
        raise ValueError("a key of another kind")


def public_key(digits: str) -> PublicKey:
    """From the 64 hexadecimal digits of `SigningKey.public`; ValueError for anything else."""
    with _cryptography():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    return PublicKey(Ed25519PublicKey.from_public_bytes(bytes.fromhex(digits)))


@contextmanager
def _cryptography() -> Iterator[None]:
    try:
        yield
    except ImportError as e:
        raise UsageError(
            f"expected the package cryptography for signatures, got: {e}; run: pip install cryptography"
        ) from e


@contextmanager
def _parsed(path: Path, what: str, which: str) -> Iterator[None]:
    # TypeError: the key has a password. UnsupportedAlgorithm is no ValueError.
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        yield
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise UsageError(
            f"expected {what} (Ed25519, PEM, no password) in {path}, got: {one_line(e)}; give {which}"
        ) from e


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"expected to read a key in {path}, got: {e.strerror or e}; check the path") from e


def _refuse_others(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & _OTHERS:
        raise UsageError(
            f"expected a key that only its owner can read, got mode {mode:04o} of {path}; chmod 600, "
            "or make a new one if somebody may have copied it"
        )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        # Never a moment in which others could read it: the mode is there before the bytes.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise UsageError(
            f"expected to make the new file {path}, got: {e.strerror or e}; choose another"
        ) from e
