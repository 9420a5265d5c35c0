"""Who answers for a bundle, and whether this box lets it in.

| the bundle is                                  | a box without keys     | a box that enforces |
|------------------------------------------------|------------------------|---------------------|
| the one whose manifest this source pins        | judges                 | judges              |
| signed by a key of the box's trust store       | -                      | judges              |
| not signed, or signed by another key           | unproved, no verdict   | refused             |
| proved by nobody (its proof failed)            | unproved, no verdict   | refused             |
| with a signature that is wrong                 | refused                | refused             |

A box enforces as soon as its trust store holds a key, and where YOCHI_ENFORCE is set. Refused means before
anything but the manifest's bytes was read. "Unproved" shows an engineer numbers, and never a verdict.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from . import trust as shipped
from .bundle import Bundle, open_bundle, read_manifest
from .errors import BundleError, Reason
from .signature import read_signature
from .trust_store import trusted_keys


@dataclass(frozen=True)
class Standing:
    """`said` is who answers for the manifest of this `sha256`; `refused` where the box believes nobody."""

    sha256: str
    said: str
    refused: Reason | None = None

    @property
    def trusted(self) -> bool:
        return self.refused is None


def enforces() -> bool:
    """Whether this box refuses what it does not believe, instead of showing it as unproved."""
    return os.environ.get("YOCHI_ENFORCE", "") not in ("", "0") or bool(trusted_keys())


def standing(folder: Path, trust: frozenset[str] = frozenset()) -> Standing:
    """Who answers for the bundle in `folder`. `trust` pins further manifests by their sha256.

    BundleError where there is no manifest, where the signature is wrong, or the trust store is damaged.
    """
    sha256 = hashlib.sha256(read_manifest(folder)).hexdigest()
    found = read_signature(folder, sha256)
    names = {key.public: name for name, key in trusted_keys().items()}
    if sha256 in {shipped.SHIPPED_MANIFEST_SHA256, *trust} - {""}:
        return Standing(sha256, "pinned by this Yochi")
    if found is None:
        return Standing(sha256, "not signed", Reason.BUNDLE_UNSIGNED)
    who = f"{found.key[:16]}..."
    if found.key in names:
        return Standing(sha256, f"signed by {names[found.key]} ({who})")
    return Standing(sha256, f"signed by {who}, whom this box does not trust", Reason.BUNDLE_SIGNATURE)


def admit(folder: Path, trust: frozenset[str] = frozenset()) -> tuple[Bundle, Standing]:
    """The bundle in `folder`, every byte checked, and who answers for it.

    BundleError where the box does not let it in, or a byte differs; UsageError where there is nothing.
    """
    found = standing(folder, trust)
    if found.refused and enforces():
        names = ", ".join(trusted_keys()) or "none"
        raise BundleError(
            found.refused,
            f"expected a bundle pinned by this Yochi or signed by a trusted key ({names}), "
            f"got one {found.said}; get a signed one, or trust who signed it: yochi bundle trust add",
        )
    bundle = open_bundle(folder)
    if bundle.sha256 != found.sha256:
        raise BundleError(Reason.BUNDLE_CHANGED, "expected a bundle at rest, it changed; open it again")
    if not bundle.manifest.proof.passed and enforces():
        raise BundleError(
            Reason.UNPROVED, "expected a bundle whose proof passed, got one that failed it; get a proved one"
        )
    return bundle, found
