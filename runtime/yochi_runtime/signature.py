"""A bundle's signature: `signature.json` beside the manifest, Ed25519 over the manifest's sha256.

The manifest names the hash of every other file, so one signature stands for every byte. It is no part of the
manifest: signing changes no identity, and a bundle can be signed anew when a key is replaced. The file has
one form only, byte by byte, so that no bit of it can change unseen.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints, ValidationError

from .bundle import Bundle, Sha256, read_regular
from .errors import BundleError, Reason, UsageError
from .taxonomy import Frozen

if TYPE_CHECKING:
    from .audit.signing import SigningKey

SIGNATURE = "signature.json"
PURPOSE = "yochi bundle 1"  # what a signature of the audit log, by whatever key, never passes for
MAX_BYTES = 1024


class Signature(Frozen):
    """`key` and `signature` in hexadecimal, `manifest` the sha256 of the manifest that is signed."""

    key: Sha256  # 32 bytes, written like a hash
    manifest: Sha256
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]

    def signed(self) -> dict[str, object]:
        """The fields that the signature is over."""
        return {"key": self.key, "manifest": self.manifest}

    def text(self) -> str:
        """What the file holds."""
        return self.model_dump_json(indent=1) + "\n"


def write_signature(bundle: Bundle, key: "SigningKey") -> Path:
    """Sign `bundle`, in place of the signature it has, if any; the file."""
    fields = {"key": key.public, "manifest": bundle.sha256}
    made = Signature(**fields, signature=key.sign(PURPOSE, dict(fields)))
    file = bundle.path / SIGNATURE
    beside = file.with_name(f".{SIGNATURE}")
    try:
        beside.write_text(made.text(), encoding="utf-8", newline="\n")
        beside.replace(file)
    except OSError as e:
        raise UsageError(f"expected to write {file}, got: {e.strerror or e}; check its rights") from e
    return file


def read_signature(folder: Path, manifest_sha256: str) -> Signature | None:
    """The signature in `folder`, checked with the key that it names; None where there is none.

    BundleError where it is no signature of this manifest. Whether its key is trusted is another question.
    """
    file = folder / SIGNATURE
    if not file.exists() and not file.is_symlink():
        return None
    data = read_regular(file, Reason.BUNDLE_SIGNATURE, MAX_BYTES)
    try:
        found = Signature.model_validate_json(data)
    except ValidationError as e:
        raise _wrong(f"a signature in {SIGNATURE}, got: {e.errors()[0]['msg']}") from e
    if found.text().encode() != data:
        raise _wrong(f"{SIGNATURE} as `yochi-export sign` writes it, it was changed")
    if found.manifest != manifest_sha256:
        raise _wrong(
            f"a signature of manifest {manifest_sha256[:12]}..., got one of {found.manifest[:12]}..."
        )
    _check(found)
    return found


def _check(found: Signature) -> None:
    from .audit.chain import Broken
    from .audit.signing import public_key

    try:
        public_key(found.key).check("the bundle", PURPOSE, found.signed(), found.signature)
    except (Broken, ValueError) as e:
        raise _wrong(f"a signature by the key {found.key[:16]}..., it is none") from e
    except UsageError as e:
        raise BundleError(Reason.BUNDLE_SIGNATURE, str(e)) from e


def _wrong(expected: str) -> BundleError:
    return BundleError(
        Reason.BUNDLE_SIGNATURE, f"expected {expected}; do not use this bundle, get it again from who signs"
    )
