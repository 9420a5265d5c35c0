"""Bundles: one changed byte anywhere is refused or is another bundle, and a manifest cannot reach outside."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.bundle import (
    CALIBRATION,
    FORMAT,
    GLOSSARY,
    LORA,
    MANIFEST,
    MIN_POSITIVES,
    PACK,
    REQUIRED,
    TOKENIZER,
    VISION,
    BaseModelEntry,
    Calibration,
    FileEntry,
    check_file,
    file_sha256,
    open_bundle,
    parse_manifest,
)
from yochi_runtime.errors import BundleError, Reason, UsageError
from yochi_runtime.taxonomy import load_pack, pack_text

REPORT = "parity.json"
SLOTS = [slot.id for slot in load_pack().slots]
Data = dict[str, Any]


def calibration() -> Data:
    slot = {"temperature": 1.0, "bias": 0.0, "threshold": 0.5}
    return {
        "slots": {s: slot for s in SLOTS if s != "verdict"},
        "verdict": {"temperature": 1.0, "threshold_caution": 0.5, "threshold_stop": 0.5},
    }


def contents() -> dict[str, bytes]:
    """The files of a bundle; the models are any bytes, for nothing here runs them."""
    return {
        VISION: b"onnx" * 16,
        LORA: b"GGUF" * 16,
        TOKENIZER: b"{}",
        GLOSSARY: b"\xe8\xb6\xb3\tfoot\n",
        PACK: pack_text().encode(),
        CALIBRATION: json.dumps(calibration()).encode(),
        REPORT: b'{"verdict_flips": 0}',
    }


def manifest_of(files: dict[str, bytes]) -> Data:
    def entry(data: bytes) -> Data:
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return {
        "format": FORMAT,
        "name": "tiny",
        "version": "1",
        "files": {name: entry(data) for name, data in files.items()},
        "base": {"file": "base.gguf", "package": "a-base==1.0", **entry(b"base")},
        "prompt": {"version": "slots-1", "sha256": "0" * 64},
        "preparation": "lite0-448-bilinear-v1",
        "pack_id": "factory",
        "slots": SLOTS,
        "positives": dict.fromkeys(SLOTS, MIN_POSITIVES),
        "languages": ["en", "ja"],
        "proof": {"passed": True, "report": REPORT},
    }


def write(folder: Path, files: dict[str, bytes], manifest: Data | None = None) -> Path:
    """A bundle in `folder`; a manifest that fits `files` unless one is given."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    described = manifest_of(files) if manifest is None else manifest
    (folder / MANIFEST).write_text(json.dumps(described), encoding="utf-8")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write(tmp_path / "bundle", contents())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that put back what they change."""
    return write(tmp_path_factory.mktemp("bundles") / "shared", contents())


def refused(path: Path, reason: Reason) -> str:
    with pytest.raises(BundleError) as raised:
        open_bundle(path)
    assert raised.value.reason is reason, raised.value
    message = str(raised.value)
    assert "; " in message  # what to do
    assert "\n" not in message
    return message


def test_a_whole_bundle_opens(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.path == bundle
    assert opened.sha256 == hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    assert opened.pack == load_pack()
    assert opened.manifest.slots == tuple(SLOTS)
    assert opened.calibration == Calibration.model_validate(calibration())
    assert opened.not_trained() == frozenset()


def test_few_positives_are_not_trained(bundle: Path) -> None:
    manifest = manifest_of(contents())
    manifest["positives"] = {SLOTS[0]: MIN_POSITIVES - 1, SLOTS[1]: MIN_POSITIVES}  # and none for the others
    opened = open_bundle(write(bundle, contents(), manifest))
    assert opened.not_trained() == set(SLOTS) - {SLOTS[1], "verdict"}


@given(data=st.data())
def test_any_changed_byte_is_refused_or_another_bundle(shared: Path, data: st.DataObject) -> None:
    trusted = open_bundle(shared).sha256
    name = data.draw(st.sampled_from([*contents(), MANIFEST]))
    original = (shared / name).read_bytes()
    changed = bytearray(original)
    changed[data.draw(st.integers(0, len(original) - 1))] ^= data.draw(st.integers(1, 255))
    (shared / name).write_bytes(changed)
    try:
        if name == MANIFEST:  # a word in it may change and it still reads, but then trust in it is gone
            assert manifest_identity(shared) != trusted
        else:
            assert name in refused(shared, Reason.BUNDLE_CHANGED)
    finally:
        (shared / name).write_bytes(original)
    assert open_bundle(shared).sha256 == trusted


def manifest_identity(path: Path) -> str | None:
    try:
        return open_bundle(path).sha256
    except BundleError:
        return None


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(manifest_of(contents()))), JSON)
def test_any_value_in_a_manifest_is_read_or_refused(key: str, value: Any) -> None:
    raised: BundleError | None = None
    try:
        parse_manifest(json.dumps(manifest_of(contents()) | {key: value}).encode())
    except BundleError as e:
        raised = e
    assert raised is None or raised.reason in (Reason.BUNDLE_INVALID, Reason.BUNDLE_NEWER)


@pytest.mark.parametrize("change", [lambda d: d + b"x", lambda d: d[:-1], lambda _: b""])
@pytest.mark.parametrize("name", [*REQUIRED, REPORT])
def test_a_file_of_another_length(bundle: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (bundle / name).write_bytes(change((bundle / name).read_bytes()))
    assert "bytes" in refused(bundle, Reason.BUNDLE_CHANGED)


@pytest.mark.parametrize("name", [*REQUIRED, REPORT])
def test_a_file_that_is_gone_a_link_or_a_folder(bundle: Path, name: str) -> None:
    file = bundle / name
    aside = bundle.parent / "aside"
    file.rename(aside)
    refused(bundle, Reason.BUNDLE_CHANGED)
    file.symlink_to(aside)  # the right bytes, but from outside
    assert "links are not followed" in refused(bundle, Reason.BUNDLE_CHANGED)
    file.unlink()
    file.mkdir()
    refused(bundle, Reason.BUNDLE_CHANGED)


@pytest.mark.parametrize("name", [*REQUIRED, REPORT])
def test_a_required_file_must_be_named(bundle: Path, name: str) -> None:
    manifest = manifest_of({n: d for n, d in contents().items() if n != name})
    write(bundle, contents(), manifest)
    assert name in refused(bundle, Reason.BUNDLE_INVALID)


BAD_NAMES = ["../x", "..", ".", "", "a/b", "/x", "a\\b", "x\0y", "a\nb", ".hidden", "\ud800", "n" * 300, "é"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_name_that_is_not_plain(name: str, bundle: Path) -> None:
    (bundle.parent / "x").write_bytes(b"outside")
    manifest = manifest_of(contents())
    outside = manifest["files"] | {name: {"bytes": 7, "sha256": hashlib.sha256(b"outside").hexdigest()}}
    for key, value in (
        ("files", outside),
        ("base", manifest["base"] | {"file": name}),
        ("proof", {"passed": True, "report": name}),
    ):
        write(bundle, contents(), manifest | {key: value})
        refused(bundle, Reason.BUNDLE_INVALID)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"proof": {"passed": True, "report": REPORT, "by": "me"}},
        {"files": {}},
        {"languages": "en"},
        {"positives": {"verdict": "many"}},
        {"prompt": {"version": "1", "sha256": "F" * 64}},
        {"base": {"file": "b", "bytes": 0, "sha256": "0" * 64, "package": "x==1"}},
    ],
)
def test_a_manifest_with_a_wrong_key_or_value(bundle: Path, change: Data) -> None:
    write(bundle, contents(), manifest_of(contents()) | change)
    assert MANIFEST in refused(bundle, Reason.BUNDLE_INVALID)


@pytest.mark.parametrize("key", sorted(manifest_of(contents())))
def test_a_manifest_without_one_of_its_keys(bundle: Path, key: str) -> None:
    write(bundle, contents(), {k: v for k, v in manifest_of(contents()).items() if k != key})
    assert key in refused(bundle, Reason.BUNDLE_INVALID)


def test_a_newer_format_has_its_own_reason(bundle: Path) -> None:
    newer = manifest_of(contents()) | {"format": FORMAT + 1, "of_the_future": True}
    write(bundle, contents(), newer)
    assert "update Yochi" in refused(bundle, Reason.BUNDLE_NEWER)


@pytest.mark.parametrize("version", [0, -1, "1", "2", 1.5, True, None, [1]])
def test_a_format_that_is_none(bundle: Path, version: Any) -> None:
    write(bundle, contents(), manifest_of(contents()) | {"format": version})
    refused(bundle, Reason.BUNDLE_INVALID)


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 9_999])
def test_a_manifest_that_is_no_json_object(bundle: Path, data: bytes) -> None:
    (bundle / MANIFEST).write_bytes(data)
    refused(bundle, Reason.BUNDLE_INVALID)


def test_no_bundle_at_all(bundle: Path) -> None:
    with pytest.raises(UsageError, match="found nothing there"):
        open_bundle(bundle / "none")
    refused(bundle / VISION, Reason.BUNDLE_MISSING)  # a file
    refused(bundle.parent / ("b" * 300), Reason.BUNDLE_MISSING)
    shutil.rmtree(bundle)
    bundle.mkdir()
    refused(bundle, Reason.BUNDLE_MISSING)


def with_calibration(bundle: Path, data: Data) -> Path:
    return write(bundle, contents() | {CALIBRATION: json.dumps(data).encode()})


@pytest.mark.parametrize("slot", [SLOTS[0], SLOTS[-2]])
def test_a_slot_without_calibration(bundle: Path, slot: str) -> None:
    data = calibration()
    del data["slots"][slot]
    assert "calibration for every slot" in refused(with_calibration(bundle, data), Reason.BUNDLE_INVALID)


def test_a_calibration_of_an_unknown_slot(bundle: Path) -> None:
    data = calibration()
    data["slots"]["cue:unicorn"] = data["slots"][SLOTS[0]]
    refused(with_calibration(bundle, data), Reason.BUNDLE_INVALID)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("temperature", v) for v in (0, -1, float("nan"), float("inf"), None)),
        *(("bias", v) for v in (float("nan"), float("inf"))),
        *(("threshold", v) for v in (-0.1, 1.1, float("nan"))),
        ("colour", 1),
    ],
)
def test_a_calibration_that_is_none(bundle: Path, key: str, value: Any) -> None:
    data = calibration()
    data["slots"][SLOTS[0]] = data["slots"][SLOTS[0]] | {key: value}
    assert CALIBRATION in refused(with_calibration(bundle, data), Reason.BUNDLE_INVALID)


def test_a_pack_that_does_not_fit(bundle: Path) -> None:
    text = pack_text()
    swapped = text.replace('id = "smoke"', 'id = "steam"')
    for pack in (swapped.encode(), b"id = ", b"\xff", b"x = " + b"[" * 50_000):
        refused(write(bundle, contents() | {PACK: pack}), Reason.BUNDLE_INVALID)


def test_a_file_check_names_the_reason_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    path.write_bytes(b"base")
    entry = BaseModelEntry(file="base.gguf", bytes=4, sha256=file_sha256(path), package="a==1")
    check_file(path, entry, Reason.BASE_CHANGED)
    path.write_bytes(b"bass")
    for changed in (path, tmp_path / ("n" * 300)):
        with pytest.raises(BundleError, match="get it again") as raised:
            check_file(changed, entry, Reason.BASE_CHANGED)
        assert raised.value.reason is Reason.BASE_CHANGED


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    golden = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == golden
    check_file(path, FileEntry(bytes=3, sha256=golden), Reason.BUNDLE_CHANGED)
