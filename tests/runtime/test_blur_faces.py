"""`--blur-faces`: what is kept, what the row says of it, and what a replay may claim."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_runtime import heads
from yochi_runtime.audit.chain import row_at, rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import Reason
from yochi_runtime.heads import HALVES
from yochi_runtime.image import decode_frame
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Coverage, Identities, Judgement, NotKept, SlotResult
from yochi_runtime.replay import BLURRED, compare
from yochi_runtime.scene import Scene

from .audit.conftest import PROCEED
from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi, noise, the_judgement
from .test_judgement import full

KEPT = ["--keep-frames", "--blur-faces"]


def stored(db: Path) -> list[Path]:
    return [path for path in PictureStore(db).folder.rglob("*") if path.is_file()]


def test_the_blurred_picture_is_kept_and_both_hashes(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    code, out, err = yochi("judge", picture, "--note", NOTE, "--json", "--audit", db, *KEPT)
    found = the_judgement(out).identities
    assert (code, err) == (0, "")
    assert found.frame == noise().sha256
    assert found.picture is not None
    data = PictureStore(db).read(found.picture)
    kept = decode_frame(data)
    assert kept.sha256 == found.blurred != found.frame
    # The tiny bundle sees heads everywhere: nothing of the picture is left.
    with Judge.open() as judge:
        mask = heads.head_mask(judge.bundle.pack, (), np.ones((49, len(judge.bundle.pack.cue)), np.float32))
    assert mask is not None
    assert mask.all()
    assert kept.sha256 == heads.blurred(noise(), mask).sha256
    assert len(stored(db)) == 1
    assert noise().rgb.tobytes()[:3000] not in data
    assert "1 pictures kept" in verify(db)


def test_a_camera_as_well(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    folder, db = tmp_path / "pictures", tmp_path / "audit.db"
    folder.mkdir()
    shutil.copy(picture, folder / "a.png")
    assert yochi("watch", folder, "--note", NOTE, "--audit", db, *KEPT)[0] == 0
    (row,) = rows(db)
    found = Judgement.model_validate_json(row.judgement).identities
    assert decode_frame(PictureStore(db).read(str(found.picture))).sha256 == found.blurred != row.frame


def test_without_blurring_a_row_is_as_it_was(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    assert yochi("judge", picture, "--note", NOTE, "--audit", db, "--keep-frames")[0] == 0
    text = row_at(db, 1).judgement
    assert "blurred" not in json.loads(text)["identities"]
    assert "not_kept" not in json.loads(text)


def test_what_was_not_looked_at_is_not_kept(yochi: Yochi, tmp_path: Path) -> None:
    """A dark frame is refused before any cue looks at it."""
    db, dark = tmp_path / "audit.db", tmp_path / "dark.png"
    Image.fromarray(noise().rgb // 64).save(dark)
    code, out, err = yochi("judge", dark, "--note", NOTE, "--json", "--audit", db, *KEPT)
    found = the_judgement(out)
    assert (code, found.not_kept, found.identities.picture) == (3, NotKept.NOT_LOOKED, None)
    assert err == (
        "yochi: The picture was not kept: heads were not looked for in it, so they could not be blurred.\n"
    )
    assert Judgement.model_validate_json(row_at(db, 1).judgement) == found
    assert not stored(db)
    code, _, err = yochi("replay", 1, "--audit", db)
    assert (code, "The picture was not kept" in err) == (2, True)


def test_where_the_cues_fail_the_judgement_goes_on(
    yochi: Yochi, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "audit.db"
    words = ["judge", picture, "--note", NOTE, "--json", "--audit", db, *KEPT]
    plain = the_judgement(yochi(*words)[1])
    for path in stored(db):
        path.unlink()
    monkeypatch.setattr("yochi_runtime.judge.head_mask", lambda *_: None)
    code, out, err = yochi(*words)
    found = the_judgement(out)
    assert (code, found.verdict, found.not_kept) == (0, plain.verdict, NotKept.NO_CUES)
    assert "this bundle does not see heads" in err
    monkeypatch.setattr(Scene, "seen", lambda *_: None)
    assert the_judgement(yochi(*words)[1]).not_kept is NotKept.NOT_LOOKED
    assert not stored(db)


def test_no_fault_of_the_blur_keeps_the_picture(
    yochi: Yochi, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    db = tmp_path / "audit.db"
    monkeypatch.setattr("yochi_runtime.audit.log.blurred", fail)
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--json", "--audit", db, *KEPT)
    assert (code, the_judgement(out).reasons) == (3, (Reason.AUDIT_FAILED,))
    assert not stored(db)


def test_a_log_told_nothing_of_heads_keeps_nothing(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.db", keep_frames=True, blur_faces=True) as log:
        assert log.record(PROCEED, "note", noise()).not_kept is NotKept.NOT_LOOKED
        kept = log.record(PROCEED, "note", noise(), np.zeros((HALVES, HALVES), bool))
    assert kept.identities.blurred == noise().sha256  # nothing was seen, and it says that it was looked for
    assert len(stored(tmp_path / "audit.db")) == 1


def test_heads_are_those_of_the_frame_that_was_judged(tiny_judge: Judge) -> None:
    from yochi_runtime.inspection import Inspection, Note

    tiny_judge.judge(Inspection(noise(1), Note(NOTE)))
    assert isinstance(tiny_judge.heads(noise(1)), np.ndarray)
    assert tiny_judge.heads(noise(2)) is NotKept.NOT_LOOKED


def test_blurring_needs_kept_pictures(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    words = ["--note", NOTE, "--audit", tmp_path / "audit.db", "--blur-faces"]
    for command in (["judge", picture], ["watch", picture.parent]):
        code, out, err = yochi(*command, *words)
        assert (code, out, "give --keep-frames" in err) == (2, "", True)


def test_a_replay_says_that_it_is_of_a_blurred_picture(
    yochi: Yochi, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, top = tmp_path / "audit.db", np.zeros((HALVES, HALVES), bool)
    top[:4] = True
    words = ["judge", picture, "--note", NOTE, "--audit", db, *KEPT]
    yochi(*words)
    code, _, err = yochi("replay", 1, "--audit", db)
    assert (code, "expected a picture that can be judged again, the blurred one cannot" in err) == (2, True)
    monkeypatch.setattr("yochi_runtime.judge.head_mask", lambda *_: top)
    yochi(*words)
    code, out, err = yochi("replay", 2, "--audit", db)
    assert (code, err) == (0, "")
    assert out.startswith("what the note alone says is the same; the largest difference is ")
    assert f"what the note alone says may differ by {BLURRED:g}, what the picture is part of by any" in out
    assert "identical" not in out


def test_a_blurred_picture_that_was_changed_is_found(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    yochi("judge", picture, "--note", NOTE, "--audit", db, *KEPT)
    (path,) = stored(db)
    shutil.copy(picture, path)
    assert yochi("replay", 1, "--audit", db)[0] == 1
    assert yochi("audit", "verify", db)[0] == 1


def blurred_one() -> Judgement:
    found = full()
    note = SlotResult(id="note_content:fall", coverage=Coverage.JUDGED, probability=0.3, threshold=0.5)
    identities = Identities(**{**found.identities.model_dump(), "blurred": "d" * 64})
    return found.model_copy(update={"identities": identities, "slots": (*found.slots, note)})


def test_what_a_blurred_picture_may_change_and_what_not() -> None:
    recorded = blurred_one()

    def moved(start: str, by: float) -> Judgement:
        slots = tuple(
            slot.model_copy(update={"probability": abs(slot.probability - by)})
            if slot.probability is not None and slot.id.startswith(start)
            else slot
            for slot in recorded.slots
        )
        return recorded.model_copy(update={"slots": slots})

    same = compare(recorded, recorded)
    assert (same.differences, same.blurred) == ((), True)
    assert not same.text().startswith("identical")
    cue = compare(recorded, moved("cue:", 0.5))
    assert (cue.differences, bool(cue.loose)) == ((), True)
    assert "may differ: slots.cue:" in cue.text()
    assert not compare(recorded, moved("note_", BLURRED / 2)).differences
    assert len(compare(recorded, moved("note_", 2 * BLURRED)).differences) == 1
    for key in ("bundle", "note", "prompt"):
        other = recorded.model_copy(
            update={"identities": recorded.identities.model_copy(update={key: "0" * 64})}
        )
        assert [line.split(":")[0] for line in compare(recorded, other).differences] == [f"identities.{key}"]
