"""Who a box lets in: the real files of a tiny bundle, signed, and everything that can be done to them."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime import trust
from yochi_runtime.admission import admit
from yochi_runtime.audit.signing import SigningKey, create_key, read_key
from yochi_runtime.bundle import CALIBRATION, LORA, MANIFEST, VISION, open_bundle
from yochi_runtime.errors import BundleError, Reason
from yochi_runtime.judge import Judge
from yochi_runtime.signature import PURPOSE, SIGNATURE, Signature, write_signature
from yochi_runtime.trust_store import add_key, store_folder

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle, write_manifest

from .conftest import Yochi

SPARSE = 10 * 2**30  # bytes
# RFC 8032, section 7.1, test 1
SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; its public half beside it."""
    path = tmp_path_factory.mktemp("keys") / "plant"
    create_key(path)
    return path


@pytest.fixture(scope="module")
def shared(shared_tiny: TinyBundle, signer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A signed copy, for tests that put back what they change, on a box that trusts its key."""
    folder = tmp_path_factory.mktemp("signed") / "bundle"
    shutil.copytree(shared_tiny.folder, folder)
    write_signature(open_bundle(folder), read_key(signer))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_TRUST", str(tmp_path_factory.mktemp("trust")))
        add_key(signer.with_name("plant.pub"), None)
        yield folder


@pytest.fixture
def bundle(shared: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled, on a box that trusts its key."""
    return Path(shutil.copytree(shared, tmp_path / "bundle"))


def refused(folder: Path, *reasons: Reason) -> str:
    with pytest.raises(BundleError) as raised:
        admit(folder)
    message = str(raised.value)
    assert raised.value.reason in (reasons or set(Reason)), message
    assert message.startswith(("expected ", f"{MANIFEST}: "))
    assert "; " in message  # what to do
    assert "\n" not in message
    return message


def resign(folder: Path, keyfile: Path) -> None:
    """Sign whatever manifest lies there, as somebody with the key could."""
    key, sha256 = read_key(keyfile), hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    fields = {"key": key.public, "manifest": sha256}
    made = Signature(**fields, signature=key.sign(PURPOSE, dict(fields)))
    (folder / SIGNATURE).write_text(made.text(), encoding="utf-8")


def test_the_signature_is_over_these_very_bytes(bundle: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET))
    sha256 = hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    said = f'yochi bundle 1\n{{"key":"{KEY}","manifest":"{sha256}"}}'
    signature = private.sign(said.encode()).hex()  # Ed25519 is deterministic
    file = write_signature(open_bundle(bundle), SigningKey(private))
    golden = f'{{\n "key": "{KEY}",\n "manifest": "{sha256}",\n "signature": "{signature}"\n}}\n'
    assert file.read_text(encoding="utf-8") == golden


def test_a_signed_bundle_is_let_in_and_signing_changes_no_identity(
    bundle: Path, shared_tiny: TinyBundle
) -> None:
    opened, standing = admit(bundle)
    assert opened.sha256 == shared_tiny.sha256
    assert standing.trusted
    assert standing.said.startswith("signed by plant (")


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_refused(shared: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(p.name for p in shared.iterdir() if p.stat().st_size)))
    original = (shared / name).read_bytes()
    changed = bytearray(original)
    changed[data.draw(st.integers(0, len(original) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (shared / name).write_bytes(changed)
    try:
        refused(shared)
    finally:
        (shared / name).write_bytes(original)


@settings(max_examples=30)
@given(data=st.data())
def test_other_bytes_are_no_signature(shared: Path, data: st.DataObject) -> None:
    """Of any length, or the right ones cut, joined with others, or said in another form."""
    original = (shared / SIGNATURE).read_bytes()
    spoiled = st.one_of(
        st.binary(max_size=300),
        st.integers(0, len(original) - 1).map(lambda end: original[:end]),
        st.binary(min_size=1, max_size=8).map(lambda tail: original + tail),
        st.just(json.dumps(json.loads(original)).encode()),
        st.just(original.replace(b"a", b"A")),
    )
    (shared / SIGNATURE).write_bytes(data.draw(spoiled.filter(lambda b: b != original)))
    try:
        refused(shared, Reason.BUNDLE_SIGNATURE)
    finally:
        (shared / SIGNATURE).write_bytes(original)


def test_any_two_files_that_changed_places(bundle: Path) -> None:
    names = sorted(path.name for path in bundle.iterdir())
    for one in names:
        for other in names:
            if one < other:
                swap(bundle / one, bundle / other)
                refused(bundle)
                swap(bundle / one, bundle / other)
    admit(bundle)


def swap(one: Path, other: Path) -> None:
    aside = one.with_name(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_stripped_foreign_and_wrong(bundle: Path, tmp_path: Path, signer: Path) -> None:
    create_key(tmp_path / "stranger")
    own = (bundle / SIGNATURE).read_bytes()
    (bundle / SIGNATURE).unlink()
    assert "got one not signed" in refused(bundle, Reason.BUNDLE_UNSIGNED)
    resign(bundle, tmp_path / "stranger")
    assert "whom this box does not trust" in refused(bundle, Reason.BUNDLE_SIGNATURE)
    # The stranger's signature under a name that is trusted, and the right one of another manifest.
    made = json.loads((bundle / SIGNATURE).read_text(encoding="utf-8"))
    claimed = Signature(**{**made, "key": read_key(signer).public})
    (bundle / SIGNATURE).write_text(claimed.text(), encoding="utf-8")
    assert "it is none" in refused(bundle, Reason.BUNDLE_SIGNATURE)
    (bundle / SIGNATURE).write_bytes(own)
    text = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    write_manifest(bundle, {**text, "version": "2"})
    assert "a signature of manifest" in refused(bundle, Reason.BUNDLE_SIGNATURE)


def test_a_signature_of_the_log_is_none_of_a_bundle(bundle: Path, signer: Path) -> None:
    key, sha256 = read_key(signer), open_bundle(bundle).sha256
    fields = {"key": key.public, "manifest": sha256}
    made = Signature(**fields, signature=key.sign("yochi audit checkpoint 1", dict(fields)))
    (bundle / SIGNATURE).write_text(made.text(), encoding="utf-8")
    refused(bundle, Reason.BUNDLE_SIGNATURE)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b", "..", "a\\b"])
def test_no_signature_makes_a_manifest_reach_outside(bundle: Path, signer: Path, name: str) -> None:
    text = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    text["files"][name] = {"bytes": 7, "sha256": hashlib.sha256(b"outside").hexdigest()}
    (bundle.parent / "outside").write_bytes(b"outside")
    (bundle / MANIFEST).write_text(json.dumps(text), encoding="utf-8")
    resign(bundle, signer)
    assert "plain file names" in refused(bundle, Reason.BUNDLE_INVALID)


def linked(path: Path) -> None:
    aside = path.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


def sparse(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(SPARSE)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, VISION, LORA, CALIBRATION])
@pytest.mark.parametrize("spoil", [linked, sparse, piped], ids=lambda spoil: str(spoil.__name__))
def test_a_link_a_sparse_file_and_a_pipe_are_refused_unread(
    bundle: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(bundle / name)
    refused(bundle, Reason.BUNDLE_CHANGED, Reason.BUNDLE_SIGNATURE)


@pytest.mark.parametrize("name", [VISION, CALIBRATION])
def test_a_manifest_that_names_a_huge_file_is_refused_before_it_is_hashed(
    bundle: Path, signer: Path, name: str
) -> None:
    sparse(bundle / name)
    text = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    text["files"][name]["bytes"] = SPARSE
    (bundle / MANIFEST).write_text(json.dumps(text), encoding="utf-8")
    resign(bundle, signer)
    assert f"got {SPARSE}" in refused(bundle, Reason.BUNDLE_INVALID)


WAYS = [  # keys in the store, YOCHI_ENFORCE, signature; the reason, or whether it is trusted
    (False, "", "none", False),
    (False, "", "foreign", False),
    (False, "0", "none", False),
    (False, "1", "none", Reason.BUNDLE_UNSIGNED),
    (False, "1", "foreign", Reason.BUNDLE_SIGNATURE),
    (False, "", "pinned", True),
    (False, "1", "pinned", True),
    (True, "", "pinned", True),
    (True, "", "none", Reason.BUNDLE_UNSIGNED),
    (True, "0", "foreign", Reason.BUNDLE_SIGNATURE),
]


@pytest.mark.parametrize(("keys", "enforce", "signed", "expected"), WAYS)
def test_the_table_of_who_is_let_in(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: bool,
    enforce: str,
    signed: str,
    expected: Reason | bool,
) -> None:
    create_key(tmp_path / "stranger")
    if not keys:
        monkeypatch.setenv("YOCHI_TRUST", str(tmp_path / "none"))
    monkeypatch.setenv("YOCHI_ENFORCE", enforce)
    (bundle / SIGNATURE).unlink()
    if signed == "foreign":
        resign(bundle, tmp_path / "stranger")
    if signed == "pinned":
        monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", open_bundle(bundle).sha256)
    if isinstance(expected, Reason):
        refused(bundle, expected)
    else:
        assert admit(bundle)[1].trusted is expected


def test_a_signature_does_not_make_up_for_a_proof_that_failed(
    shared: Path, tmp_path: Path, signer: Path
) -> None:
    assert shared.is_dir()  # the box has a key
    made = make_bundle(tmp_path / "failed", passed=False)
    resign(made.folder, signer)
    refused(made.folder, Reason.UNPROVED)


def test_nothing_is_loaded_before_it_is_let_in(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / SIGNATURE).unlink()
    for client in ("VisionClient", "LanguageClient"):
        monkeypatch.setattr(f"yochi_runtime.judging_engines.{client}", lambda *_, **__: pytest.fail("loaded"))
    monkeypatch.setattr("yochi_runtime.bundle.check_file", lambda *_: pytest.fail("read"))
    with pytest.raises(BundleError):
        Judge.open(bundle)


def test_trust_from_the_first_key_to_the_next(
    yochi: Yochi, bundle: Path, tmp_path: Path, signer: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is added, replaced and removed, and the very same bundle gives verdicts, or none."""
    monkeypatch.setenv("YOCHI_TRUST", str(tmp_path / "trust"))
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", "")
    create_key(tmp_path / "plant-2")
    verify = ("bundle", "verify", bundle)
    assert "no key in" in yochi("bundle", "trust", "list")[1]
    assert "does not trust; proof passed: every judgement will be unproved" in yochi(*verify)[1]
    public = read_key(signer).public
    assert yochi("bundle", "trust", "add", signer.with_name("plant.pub"), "--name", "old")[0] == 0
    assert yochi("bundle", "trust", "list")[1] == f"old: {public}\n"
    assert "signed by old (" in yochi(*verify)[1]
    judged = yochi("judge", picture, "--note", "Sweep the floor.", "--bundle", bundle)
    assert (judged[0], judged[1].splitlines()[0]) == (0, "PROCEED")
    assert yochi("bundle", "trust", "add", tmp_path / "plant-2.pub")[0] == 0
    assert yochi("bundle", "trust", "remove", public[:12])[1].startswith("old: ")
    code, out, err = yochi(*verify)
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert err.endswith("(bundle_signature)\n")
    resign(bundle, tmp_path / "plant-2")
    assert "signed by plant-2 (" in yochi(*verify)[1]


@pytest.mark.parametrize("wrong", ["twice", "name", "private", "none", "stranger"])
def test_a_key_that_is_not_taken(
    yochi: Yochi, shared: Path, tmp_path: Path, signer: Path, wrong: str
) -> None:
    before = sorted(path.name for path in store_folder().iterdir())
    public = signer.with_name("plant.pub")
    arguments = {
        "twice": ("add", public, "--name", "again"),
        "name": ("add", public, "--name", "../again"),
        "private": ("add", signer),
        "none": ("add", tmp_path / "none.pub"),
        "stranger": ("remove", "ab"),
    }[wrong]
    code, out, err = yochi("bundle", "trust", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert sorted(path.name for path in store_folder().iterdir()) == before
    assert shared.is_dir()


def test_a_store_that_others_can_write_or_that_is_damaged_believes_nobody(
    bundle: Path, tmp_path: Path, signer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    monkeypatch.setenv("YOCHI_TRUST", str(store))
    add_key(signer.with_name("plant.pub"), None)
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", open_bundle(bundle).sha256)
    for path in (store, store / "plant.pub"):
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | 0o020)
        assert f"of {path}" in refused(bundle, Reason.TRUST_DAMAGED)
        path.chmod(mode)
    (store / "other.pub").write_bytes(b"no key")
    refused(bundle, Reason.TRUST_DAMAGED)
    (store / "other.pub").unlink()
    admit(bundle)
