"""Which key signs for a log, from its first row on, and the rows that replace it.

Such a row's `judgement` is {"rotation": {...}}: the old key, the new one, and signatures by both. From this
row on the new one signs checkpoints, and the tombstones behind it. Where the old key is lost, `lost` is true
and only the new one has signed, which proves nothing: anybody who can write to the log can do that. Verifiers
call it a break of trust, and believe the new key only where they are given it, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from .chain import Broken, Row
from .signing import PublicKey, SigningKey, public_key

ROTATION = "rotation"
PURPOSE = "yochi audit rotation 1"


class KeyLedger:
    """What the rows seen so far say of keys. `given`: the first one, then those believed after a break.

    Without any no signature is checked.
    """

    def __init__(self, given: Sequence[PublicKey] = ()) -> None:
        self.in_force = given[0] if given else None
        self.named: str | None = None  # the public half that the rows named last; not checked without a key
        self.said = ""  # every rotation, in words
        self._believed = {key.public for key in given[1:]}

    def check(self, what: str, purpose: str, fields: Mapping[str, object], signature: object) -> None:
        """Broken where there is a key in force, and the signature is not its."""
        if self.in_force:
            self.in_force.check(what, purpose, fields, signature)

    def rotate(self, row: Row, rotation: dict[str, Any]) -> None:
        """See a rotation; Broken where it may not be. ValueError, TypeError or KeyError for what is none."""
        lost = rotation["lost"]
        signed = rotation | {"previous": row.previous}
        signatures = signed.pop("signatures")
        if self.in_force:
            self._check(f"the rotation in row {row.sequence}", signed, signatures)
            self.in_force = public_key(rotation["new"])
        self.named = str(rotation["new"])
        how = ", a break of trust" if lost else ""
        self.said += f", row {row.sequence} names the key {rotation['new'][:16]}{how}"

    def _check(self, what: str, signed: dict[str, Any], signatures: Sequence[object]) -> None:
        """Broken where a signature is wrong, or a key was lost and the new one not given."""
        new = public_key(signed["new"])
        signing = (new,) if signed["lost"] or not self.in_force else (self.in_force, new)
        for key, signature in zip(signing, signatures, strict=True):
            key.check(what, PURPOSE, signed, signature)
        if signed["lost"] and new.public not in self._believed:
            raise Broken(
                f"{what} is a break of trust: the old key was lost, and the new one is not given too"
            )

    def check_signer(self, public: str) -> None:
        """UsageError where the rows name another key than this one as the last to sign."""
        if self.named not in (None, public):
            raise UsageError(
                f"expected the key in force, {str(self.named)[:16]}..., got {public[:16]}...; give that one, "
                "or replace it first: yochi audit rotate"
            )


def rotation_text(
    old: SigningKey | PublicKey, new: SigningKey, previous: str
) -> dict[str, dict[str, object]]:
    """What its row holds; a public key as the old one is a lost one. It counts at its place only."""
    fields: dict[str, object] = {"old": old.public, "new": new.public, "lost": isinstance(old, PublicKey)}
    signing = (new,) if isinstance(old, PublicKey) else (old, new)
    signatures = [key.sign(PURPOSE, fields | {"previous": previous}) for key in signing]
    return {ROTATION: fields | {"signatures": signatures}}


def rotation_words(rotation: Mapping[str, Any]) -> str:
    """One line."""
    old, new = (str(rotation.get(side))[:16] for side in ("old", "new"))
    how = "lost, not signed by it" if rotation["lost"] else "signed by both"
    return f"key {old}... replaced by {new}..., {how}"
