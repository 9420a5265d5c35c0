"""Judged again: identical from the same things, refused from others, and what differs is told in numbers."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from yochi_runtime import trust
from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.audit.retention import retain
from yochi_runtime.audit.signing import create_key, read_key
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.judgement import Identities, Judgement
from yochi_runtime.limits import MOVED, STALE
from yochi_runtime.mode import Mode
from yochi_runtime.replay import ELSEWHERE, compare
from yochi_runtime.rules_in_force import RulesInForce, _Seen
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import make_bundle

from .audit.conftest import forge
from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi
from .test_judgement import factor, full

EXAMPLE = Path(trust.__file__).parent / "rules" / "example.toml"


def test_a_mode_a_camera_and_a_changed_rulebook_are_no_difference(
    yochi: Yochi, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, db, file = tmp_path / "pictures", tmp_path / "watched.db", tmp_path / "rules.toml"
    folder.mkdir()
    shutil.copy(picture, folder / "a.png")
    file.write_bytes(EXAMPLE.read_bytes())
    monkeypatch.setattr(RulesInForce, "_look", lambda _: _Seen(None, "the file is gone"))
    words = ["--rules", file, "--audit", db, "--keep-frames", "--mode", "enforce"]
    code, out, _ = yochi("watch", folder, "--note", NOTE, *words)
    recorded = Judgement.model_validate_json(out)
    assert (code, recorded.output, recorded.camera) == (0, "release", str(folder))
    assert recorded.rules is not None
    assert recorded.rules.not_taken == "the file is gone"
    code, out, err = yochi("replay", 1, "--audit", db, "--rules", EXAMPLE)
    assert (code, out.splitlines()[0], err) == (0, "identical", "")


@pytest.fixture
def log(yochi: Yochi, picture: Path, tmp_path: Path) -> Path:
    """Row 1 with its picture, row 2 without."""
    db = tmp_path / "audit.db"
    assert yochi("judge", picture, "--note", NOTE, "--audit", db, "--keep-frames")[0] == 0
    assert yochi("judge", picture, "--note", NOTE, "--audit", db)[0] == 0
    return db


def test_the_same_things_give_the_same_judgement(yochi: Yochi, log: Path) -> None:
    assert yochi("replay", 1, "--audit", log) == (0, "identical\n", "")


def test_a_cameras_frame_is_judged_again(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    folder, db = tmp_path / "pictures", tmp_path / "watched.db"
    folder.mkdir()
    shutil.copy(picture, folder / "a.png")
    words = ["--reference", picture, "--audit", db, "--keep-frames"]
    assert yochi("watch", folder, "--note", NOTE, *words)[0] == 0
    code, out, err = yochi("replay", 1, "--audit", db)
    assert (code, err) == (0, "")
    first, *rest = out.splitlines()
    assert first == "identical"
    assert [line for line in rest if not line.startswith("not judged again, the camera's: frame_")] == []


def test_another_bundle_only_when_told(
    yochi: Yochi, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_bundle(tmp_path / "stop", flags=["note_content:fall"])
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    monkeypatch.setattr(trust, "SHIPPED_MANIFEST_SHA256", made.sha256)
    monkeypatch.setattr(trust, "shipped_bundle", lambda: made.folder)
    code, out, err = yochi("replay", 1, "--audit", log)
    assert (code, out) == (2, "")
    assert f"this box has {made.sha256[:12]}...; give that one, or" in err
    code, out, err = yochi("replay", 1, "--audit", log, "--bundle", made.folder)
    assert (code, err) == (1, "")
    said = dict(line.split(": ", 1) for line in out.splitlines())
    assert said["verdict"] == "proceed, now stop"
    assert said["identities.bundle"].endswith(f", now {made.sha256}")
    assert said["factors.note_content:fall.slot"] == "none, now note_content:fall"


def test_rules_are_asked_for_the_time_they_were_asked_for(
    yochi: Yochi, picture: Path, tmp_path: Path
) -> None:
    db, other = tmp_path / "ruled.db", tmp_path / "other.toml"
    other.write_text(EXAMPLE.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    judged = yochi("judge", picture, "--note", NOTE, "--audit", db, "--keep-frames", "--rules", EXAMPLE)
    assert judged[0] == 0
    assert yochi("replay", 1, "--audit", db, "--rules", EXAMPLE) == (0, "identical\n", "")
    for words in ([], ["--rules", other]):
        code, out, err = yochi("replay", 1, "--audit", db, *words)
        assert (code, out) == (2, "")
        assert "expected the rulebook " in err


def test_what_cannot_be_judged_again_is_one_line(yochi: Yochi, log: Path, tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    small = tmp_path / "small.png"
    Image.new("RGB", (8, 8)).save(small)  # too small to be a frame
    yochi("judge", small, "--note", NOTE, "--audit", log, "--keep-frames")
    wrong = {
        (2,): "expected a picture kept with row 2, found none",
        (3,): "expected a row that was judged, got one that was not: expected a picture of at least 32",
        (4,): "expected a row from 1 to 3 of ",
        (1, "--rules", EXAMPLE): "expected no --rules, as row 1 was judged without",
        (1, "--bundle", "none"): "expected a bundle folder at none",
        (0,): "",
        ("x",): "",
    }
    for words, said in wrong.items():
        code, out, err = yochi("replay", *words, "--audit", log)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert said in err
    assert yochi("replay", 1, "--audit", tmp_path / "none.db")[0] == 2
    retain(log, "2999", read_key(tmp_path / "key"))
    code, out, err = yochi("replay", 1, "--audit", log)
    assert (code, out) == (2, "")
    assert "the picture of row 1, it was deleted by retention (row 4)" in err
    assert "hold a judgement that this Yochi knows" in yochi("replay", 4, "--audit", log)[2]


def test_evidence_that_was_tampered_with_is_1(yochi: Yochi, log: Path) -> None:
    (picture,) = PictureStore(log).folder.glob("*/*")
    data = picture.read_bytes()
    picture.write_bytes(data + b"x")
    code, out, err = yochi("replay", 1, "--audit", log)
    assert (code, out, "was changed: its bytes do not give its name" in err) == (1, "", True)
    picture.unlink()
    code, out, err = yochi("replay", 1, "--audit", log)
    assert (code, out) == (1, "")
    assert "the picture of row 1 is missing, and no tombstone says why" in err
    picture.write_bytes(data)
    forge(log, "UPDATE judgements SET note = 'Jump.' WHERE sequence = 1")
    assert "row 1 was changed" in yochi("replay", 1, "--audit", log)[2]


def on(engine: str, probability: float = 0.9) -> Judgement:
    return full().model_copy(
        update={
            "factors": (factor(probability=probability),),
            "identities": Identities(engine=engine),
        }
    )


def test_differences_are_told_in_numbers() -> None:
    found = compare(on("a"), on("a", 0.75))
    assert found.differences == ("factors.cue:fire.probability: 0.9, now 0.75 (-0.15)",)
    assert compare(on("a"), on("a").model_copy(update={"timings_ms": {}})).text() == "identical"


@given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_may_differ_a_little_on_another_engine_only(old: float, new: float) -> None:
    assert bool(compare(on("a", old), on("a", new)).differences) == (old != new)
    elsewhere = compare(on("a", old), on("b", new))
    assert bool(elsewhere.differences) == (abs(old - new) > ELSEWHERE)
    assert elsewhere.text().endswith("another engine: a, now b")
    assert elsewhere.largest <= ELSEWHERE


def test_a_refusal_by_the_camera_is_not_judged_again() -> None:
    seen = full().model_copy(update={"gates": (STALE.gate(0.1), MOVED.gate(1.0))})
    assert compare(seen, full()).skipped == (Reason.FRAME_STALE, Reason.FRAME_MOVED)
    moved = full().model_copy(update={"gates": (MOVED.gate(50.0),)})
    with pytest.raises(UsageError, match="the camera's gate frame_moved refused it"):
        compare(moved, full())


CHANGES: dict[str, object] = {
    "verdict": Verdict.PROCEED,
    "reasons": (Reason.ENGINE_FAILED,),
    "message": "x",
    "factors": (),
    "slots": (),
    "advice": factor().name,
    "language": "en",
    "decoded_tokens": 3,
    "identities": Identities(note="x"),
    "camera": "0",
    "mode": Mode.ENFORCE,
}
# Has one value; not repeated; tested above; no part of what was judged.
OTHERWISE = {"schema_version", "timings_ms", "rules", "gates", "not_kept"}


def test_every_field_of_a_judgement_is_compared() -> None:
    """A field that is added to a Judgement must be added here."""
    assert CHANGES.keys() | OTHERWISE == Judgement.model_fields.keys()
    for name, value in CHANGES.items():
        assert compare(full(), full().model_copy(update={name: value})).differences
