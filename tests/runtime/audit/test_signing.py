"""Keys and signed checkpoints: who can read them, what they are over, and what no signature passes for."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.audit.chain import Broken
from yochi_runtime.audit.checkpoint import Checkpoint, checkpoint_text, read_checkpoint, take_checkpoint
from yochi_runtime.audit.signing import (
    CHECKPOINT,
    TOMBSTONE,
    SigningKey,
    create_key,
    read_key,
    read_public_key,
)
from yochi_runtime.errors import UsageError

from tests.runtime.conftest import Yochi

from .conftest import ROWS, fill, forge

TIME = "2027-02-03T04:05:06.789Z"
# RFC 8032, section 7.1, test 1: the secret key and its public key.
SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A new private key and its public half."""
    _, beside = create_key(tmp_path / "key")
    return tmp_path / "key", beside


def test_a_key_is_its_owners_alone(yochi: Yochi, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        code, out, err = yochi("audit", "keygen", tmp_path / "key")
    finally:
        os.umask(before)
    private, public = tmp_path / "key", tmp_path / "key.pub"
    assert (code, err) == (0, "")
    assert (private.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    assert read_key(private).public == read_public_key(public).public
    assert out.endswith(f"{public}: public key {read_key(private).public}\n")
    assert b"PRIVATE" not in public.read_bytes()
    written = private.read_bytes()
    assert yochi("audit", "keygen", private)[0] == 2  # a key is never written over
    public.rename(tmp_path / "kept.pub")
    assert yochi("audit", "keygen", private)[0] == 2
    assert (private.read_bytes(), public.exists()) == (written, False)


def test_a_public_key_in_the_way_leaves_no_private_one(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(b"somebody's")
    with pytest.raises(UsageError, match=r"key\.pub, got: File exists"):
        create_key(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pub"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o610, 0o622])
def test_a_key_that_others_can_read_signs_nothing(
    yochi: Yochi, log_file: Path, keys: tuple[Path, Path], mode: int
) -> None:
    keys[0].chmod(mode)
    out = log_file.with_name("checkpoint")
    code, _, err = yochi("audit", "checkpoint", log_file, "--key", keys[0], "--out", out)
    assert (code, out.exists()) == (2, False)
    assert f"got mode 0{mode:o} of {keys[0]}" in err


def test_a_signed_checkpoint_from_box_to_auditor(
    yochi: Yochi, log_file: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint.json"
    code, out, _ = yochi("audit", "checkpoint", log_file, "--key", keys[0], "--out", kept)
    assert (code, out.endswith(", signed\n")) == (0, True)
    code, out, _ = yochi("audit", "verify", log_file, "--checkpoint", kept, "--public-key", keys[1])
    signer = read_public_key(keys[1]).public[:16]
    assert (code, f"(signed by {signer}...); head " in out) == (0, True)
    assert "(its signature not checked)" in yochi("audit", "verify", log_file, "--checkpoint", kept)[1]
    forge(log_file, f"DELETE FROM judgements WHERE sequence = {ROWS}")
    code, _, err = yochi("audit", "verify", log_file, "--checkpoint", kept, "--public-key", keys[1])
    assert (code, f"row {ROWS} is missing, the checkpoint of" in err) == (1, True)


def test_another_key_or_none_is_no_proof(
    yochi: Yochi, log_file: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    _, other = create_key(tmp_path / "other")
    kept, bare = tmp_path / "signed", tmp_path / "bare"
    assert yochi("audit", "checkpoint", log_file, "--key", keys[0], "--out", kept)[0] == 0
    assert yochi("audit", "checkpoint", log_file, "--out", bare)[0] == 0
    for checkpoint, key in ((kept, other), (bare, keys[1])):
        code, out, err = yochi("audit", "verify", log_file, "--checkpoint", checkpoint, "--public-key", key)
        assert (code, out) == (1, "")
        assert f"is not signed by the key {read_public_key(key).public[:16]}..." in err


def test_the_signature_is_over_these_very_bytes() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET)))
    assert key.public == PUBLIC
    signature = key.sign(CHECKPOINT, Checkpoint(3, "a" * 64, TIME, key.public).fields())
    said = (
        b'yochi audit checkpoint 1\n{"hash":"' + b"a" * 64 + b'","key":"' + PUBLIC.encode()
        + b'","sequence":3,"time":"2027-02-03T04:05:06.789Z"}'
    )  # fmt: skip
    Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET)).public_key().verify(
        bytes.fromhex(signature), said
    )


def test_no_changed_field_passes(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    key, public = read_key(tmp_path / "key"), read_public_key(tmp_path / "key.pub")
    whole = take_checkpoint(fill(tmp_path / "audit.db", 2), TIME, key)
    whole.check_signature(public)
    fields = whole.fields()

    @settings(max_examples=200)
    @given(st.sampled_from(sorted(fields)), st.data())
    def changed(name: str, data: st.DataObject) -> None:
        other: st.SearchStrategy[object] = st.text() | st.none()
        if name == "sequence":
            other = st.integers(1)
        if name == "signature":
            other = st.binary(min_size=64, max_size=64).map(bytes.hex) | other
        forged = fields | {name: data.draw(other.filter(lambda value: value != fields[name]))}
        with pytest.raises(Broken, match=r"is not signed by the key"):
            Checkpoint._make(map(forged.get, Checkpoint._fields)).check_signature(public)

    changed()


def test_a_signature_of_one_kind_is_none_of_another(keys: tuple[Path, Path]) -> None:
    key, public = read_key(keys[0]), read_public_key(keys[1])
    fields = {"sequence": 1}
    public.check("it", CHECKPOINT, fields, key.sign(CHECKPOINT, fields))
    with pytest.raises(Broken, match="it is not signed"):
        public.check("it", CHECKPOINT, fields, key.sign(TOMBSTONE, fields))


def _elliptic(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        if path.name == "key"
        else key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )


def _locked(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"x"))
    )


NO_KEYS: dict[str, Callable[[Path], object]] = {
    "absent": lambda path: path.unlink(missing_ok=True),
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_bytes(b""),
    "no key": lambda path: path.write_bytes(
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    ),
    "another kind": _elliptic,
    "locked": _locked,
}


@pytest.mark.parametrize("kind", NO_KEYS)
def test_what_is_no_key_is_one_line(tmp_path: Path, kind: str) -> None:
    for path, read in ((tmp_path / "key", read_key), (tmp_path / "key.pub", read_public_key)):
        NO_KEYS[kind](path)
        if path.is_file():
            path.chmod(0o600)
        with pytest.raises(UsageError) as failed:
            read(path)
        assert str(failed.value).startswith("expected ")
        assert str(path) in str(failed.value)


def test_the_halves_are_not_taken_for_each_other(keys: tuple[Path, Path]) -> None:
    keys[1].chmod(0o600)
    with pytest.raises(UsageError, match="expected a private key"):
        read_key(keys[1])
    with pytest.raises(UsageError, match="expected a public key"):
        read_public_key(keys[0])


def test_without_the_package_only_signatures_are_refused(
    yochi: Yochi, log_file: Path, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    kept = tmp_path / "kept"
    assert yochi("audit", "checkpoint", log_file, "--out", kept)[0] == 0
    assert yochi("audit", "verify", log_file, "--checkpoint", kept)[0] == 0
    for words in (
        ["keygen", tmp_path / "new"],
        ["checkpoint", log_file, "--key", keys[0], "--out", kept],
        ["verify", log_file, "--checkpoint", kept, "--public-key", keys[1]],
    ):
        code, out, err = yochi("audit", *words)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "expected the package cryptography for signatures" in err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"sequence":0,"hash":"","time":""}',
        '{"sequence":true,"hash":"","time":""}',
        '{"sequence":1,"hash":2,"time":""}',
        '{"sequence":1,"hash":"","time":"","more":1}',
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_what_is_no_checkpoint_is_misuse(tmp_path: Path, text: str) -> None:
    (tmp_path / "kept").write_text(text)
    with pytest.raises(UsageError, match="expected a checkpoint in "):
        read_checkpoint(tmp_path / "kept")


def test_a_checkpoint_survives_its_file(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    for key in (None, read_key(tmp_path / "key")):
        taken = take_checkpoint(fill(tmp_path / "audit.db", 1), TIME, key)
        (tmp_path / "kept").write_text(checkpoint_text(taken))
        assert read_checkpoint(tmp_path / "kept") == taken
    assert set(json.loads(checkpoint_text(taken))) == {"sequence", "hash", "time", "key", "signature"}
