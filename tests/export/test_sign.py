"""Signing a bundle: who may read the key, where it may lie, and that the box believes what comes of it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from yochi_export import stages
from yochi_export.cli import command
from yochi_export.pack import parts_of, without_proof, write_bundle
from yochi_runtime.admission import admit
from yochi_runtime.bundle import MANIFEST, Bundle, open_bundle
from yochi_runtime.errors import BundleError
from yochi_runtime.signature import SIGNATURE
from yochi_runtime.trust_store import add_key

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .tiny_run import TinyRun


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def bundle(made: TinyBundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder, tmp_path / "bundle"))


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert command(["keygen", str(tmp_path / "key")]) == 0
    shown = capsys.readouterr().out
    assert "keep it off the boxes" in shown
    return tmp_path / "key"


def test_from_keygen_to_the_box(
    bundle: Path,
    key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YOCHI_TRUST", str(tmp_path / "trust"))
    assert key.stat().st_mode & 0o777 == 0o600
    assert command(["sign", str(bundle), "--key", str(key)]) == 0
    name, public = add_key(key.with_name("key.pub"), "plant")
    assert capsys.readouterr().out.endswith(f"signed by {public}\n")
    opened, standing = admit(bundle)
    assert (name, standing.trusted) == ("plant", True)
    first = (bundle / SIGNATURE).read_bytes()
    assert command(["sign", str(bundle), "--key", str(key)]) == 0
    assert (bundle / SIGNATURE).read_bytes() == first  # the same bytes every time
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in bundle.iterdir())
    # What is packed anew in its place is another bundle, and nobody has signed that.
    write_bundle(replace(without_proof(parts_of(opened)), version="2"), bundle)
    with pytest.raises(BundleError, match="not signed"):
        admit(bundle)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_signs_nothing(
    bundle: Path, key: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    key.chmod(mode)
    assert command(["sign", str(bundle), "--key", str(key)]) == 2
    assert f"got mode {mode:04o}" in capsys.readouterr().err
    assert not (bundle / SIGNATURE).exists()


@pytest.mark.parametrize("where", ["bundle", "bundle/deeper", "repository", "repository/a/b"])
def test_no_private_key_in_a_bundle_or_repository(
    bundle: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / where).mkdir(parents=True, exist_ok=True)
    inside = tmp_path / where / "key2"
    assert command(["keygen", str(inside)]) == 2
    assert not inside.exists()
    shutil.copy(key, inside)
    inside.chmod(0o600)
    assert command(["sign", str(bundle), "--key", str(inside)]) == 2
    linked = tmp_path / "linked"
    linked.symlink_to(inside)
    assert command(["sign", str(bundle), "--key", str(linked)]) == 2
    shown = capsys.readouterr().err
    assert shown.count("expected a private key outside of") == len(shown.splitlines()) == 3
    assert not (bundle / SIGNATURE).exists()


def test_a_bundle_that_is_not_proved_is_not_signed(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = make_bundle(tmp_path / "failed", passed=False)
    assert command(["sign", str(failed.folder), "--key", str(key)]) == 2
    assert "proof passed" in capsys.readouterr().err
    assert open_bundle(failed.folder).manifest.proof.passed is False


@pytest.mark.parametrize("said", ['{"passed": false}', "{}", "[]", '{"passed": "true"}'])
def test_a_report_that_does_not_say_what_the_manifest_says_is_not_signed(
    bundle: Path, key: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """The manifest fits the file, and still lies about it."""
    text = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    name = text["proof"]["report"]
    (bundle / name).write_text(said, encoding="utf-8")
    text["files"][name] = {"bytes": len(said), "sha256": hashlib.sha256(said.encode()).hexdigest()}
    (bundle / MANIFEST).write_text(json.dumps(text), encoding="utf-8")
    assert open_bundle(bundle).manifest.proof.passed
    assert command(["sign", str(bundle), "--key", str(key)]) == 2
    error = capsys.readouterr().err
    assert f"expected {name} to say that the proof passed" in error
    assert len(error.splitlines()) == 1
    assert not (bundle / SIGNATURE).exists()


def test_all_signs_at_its_end_and_looks_at_the_key_before_its_beginning(
    bundle: Path,
    key: Path,
    tiny_run: TinyRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The steps between are others' tests; here they give a bundle that is proved, and one that is not."""
    began: list[bool] = []

    def exported(passed: bool) -> Callable[..., Bundle]:
        opened = open_bundle(bundle)
        proof = opened.manifest.proof.model_copy(update={"passed": passed})
        manifest = opened.manifest.model_copy(update={"proof": proof})

        def export(*_: object) -> Bundle:
            began.append(passed)
            return replace(opened, manifest=manifest)

        return export

    call = ["all", str(tiny_run.folder), str(tmp_path / "out"), "--records", "r", "--photos", "p", "--key"]
    monkeypatch.setattr(stages, "export_all", exported(passed=True))
    key.chmod(0o644)
    assert command([*call, str(key)]) == 2
    assert command([*call, str(tmp_path / "none")]) == 2
    assert began == [], "not after the minutes of an export"
    key.chmod(0o600)
    monkeypatch.setattr(stages, "export_all", exported(passed=False))
    assert command([*call, str(key)]) == 4
    assert not (bundle / SIGNATURE).exists()
    monkeypatch.setattr(stages, "export_all", exported(passed=True))
    assert command([*call, str(key)]) == 0
    monkeypatch.setenv("YOCHI_TRUST", str(tmp_path / "trust"))
    add_key(key.with_name("key.pub"), "plant")
    assert admit(bundle)[1].trusted
    assert "signed by" in capsys.readouterr().out
