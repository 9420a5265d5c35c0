"""Kept pictures: before their row, under their hash, deleted with a tombstone or missed out loud."""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.audit import log as log_module
from yochi_runtime.audit import retention
from yochi_runtime.audit.chain import GENESIS, Broken, Row, canonical, row_hash, rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.pictures import PictureLedger, PictureStore
from yochi_runtime.audit.retention import Deleted, retain
from yochi_runtime.audit.signing import SigningKey, create_key, read_key, read_public_key
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.image import Frame, decode_frame
from yochi_runtime.judgement import Judgement
from yochi_runtime.verdict import Verdict

from tests.runtime.conftest import PLAIN_NOTE as NOTE
from tests.runtime.conftest import Yochi, noise, the_judgement

from .conftest import PROCEED, forge
from .test_verify_log import ALONE, check_log, raw

FUTURE = "2999-01-01T00:00:00.000Z"
DAY = timedelta(days=1)


def frame(seed: int) -> Frame:
    return noise(seed, 40, 40)


class Clock:
    """The log's time, turned by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.today = datetime(2027, 2, 3, tzinfo=UTC)
        monkeypatch.setattr(log_module, "now", self.now)

    def now(self, ago: timedelta = timedelta()) -> str:
        return (self.today - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    create_key(tmp_path / "key")
    return read_key(tmp_path / "key")


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Path:
    """A log of days 0, 1 and 2, with the pictures 0, 1 and again 0."""
    path = tmp_path / "audit.db"
    with AuditLog(path, keep_frames=True) as log:
        for seed in (0, 1, 0):
            log.record(PROCEED, f"note {seed}", frame(seed))
            clock.today += DAY
    return path


def names(path: Path) -> set[str]:
    return {file.name for file in PictureStore(path).folder.glob("*/*")}


def sha256(seed: int) -> str:
    return hashlib.sha256(frame(seed).encoded()).hexdigest()


def both(path: Path, key: Path | None = None) -> str:
    """What both verifiers say of the pictures, or of what is wrong."""
    found = []
    public = [read_public_key(key)] if key else []
    checks: list[Callable[[], str]] = [
        lambda: verify(path, None, public),
        lambda: check_log(path, None, raw(public)),
    ]
    for check in checks:
        try:
            found.append(check().partition("; ")[2].partition("; ")[2])
        except (Broken, ALONE["Wrong"]) as e:
            found.append(str(e))
    assert found[0] == found[1]
    return found[0]


def test_what_was_judged_is_kept_byte_for_byte(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--json", "--audit", db, "--keep-frames")
    name = hashlib.sha256(picture.read_bytes()).hexdigest()
    assert (code, the_judgement(out).identities.picture) == (0, name)
    (row,) = rows(db)
    assert Judgement.model_validate_json(row.judgement) == the_judgement(out)
    path = PictureStore(db).path(name)
    assert path.read_bytes() == picture.read_bytes()
    assert [p.stat().st_mode & 0o077 for p in (path, path.parent, path.parent.parent)] == [0, 0, 0]
    assert yochi("judge", picture, "--note", NOTE, "--json", "--audit", db)[0] == 0  # without --keep-frames
    assert list(rows(db))[1].judgement.count('"picture":null') == 1
    assert yochi("audit", "verify", db)[1].endswith(
        "; 1 pictures kept, 0 gone by tombstone, 0 missing without one\n"
    )


def test_a_cameras_frame_is_kept_without_loss(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(picture, folder / "a.png")
    (folder / "b.png").write_bytes(b"broken")
    db = tmp_path / "audit.db"
    assert yochi("watch", folder, "--note", NOTE, "--audit", db, "--keep-frames")[0] == 0
    good, broken = (Judgement.model_validate_json(row.judgement).identities for row in rows(db))
    assert good.picture is not None
    assert decode_frame(PictureStore(db).read(good.picture)).sha256 == good.frame == noise().sha256
    assert (broken.picture, len(names(db))) == (None, 1)


def test_a_frame_without_a_log_is_misuse(yochi: Yochi, picture: Path) -> None:
    code, out, err = yochi("judge", picture, "--note", NOTE, "--audit", "none", "--keep-frames")
    assert (code, out, "expected a log to keep frames beside" in err) == (2, "", True)


def test_without_its_picture_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    path = tmp_path / "audit.db"
    with AuditLog(path, keep_frames=True) as log:
        with monkeypatch.context() as patch:
            patch.setattr(PictureStore, "keep", full)
            found = log.record(PROCEED, "note", frame(0))
        assert (found.verdict, found.reasons) == (Verdict.CANNOT_JUDGE, (Reason.AUDIT_FAILED,))
        assert "No space left" in str(found.message)
        assert log.record(PROCEED, "note", frame(0)).verdict is Verdict.PROCEED
    assert [(row.sequence, row.missed) for row in rows(path)] == [(1, 1)]
    assert clock.today.year == 2027


def test_a_rotten_picture_is_kept_anew(kept: Path) -> None:
    PictureStore(kept).path(sha256(1)).write_bytes(b"rotten")
    assert both(kept) == f"picture {sha256(1)} was changed: its bytes do not give its name"
    with AuditLog(kept, keep_frames=True) as log:
        log.record(PROCEED, "note", frame(1))
    assert both(kept) == "2 pictures kept, 0 gone by tombstone, 0 missing without one"


def test_a_picture_lives_as_long_as_its_last_use(kept: Path, clock: Clock, key: SigningKey) -> None:
    # today is day 3; the pictures were last used on day 2 (number 0) and day 1 (number 1)
    size = len(frame(1).encoded())
    assert retain(kept, clock.now(3 * DAY), key) == Deleted(0, 0, 0)
    assert retain(kept, clock.now(2 * DAY), key) == Deleted(0, 0, 0)  # used on that very moment
    assert len(list(rows(kept))) == 3  # nothing to say, nothing said
    assert retain(kept, clock.now(DAY), key) == Deleted(1, size, 0)
    assert names(kept) == {sha256(0)}
    assert (
        both(kept, kept.with_name("key.pub")) == "1 pictures kept, 1 gone by tombstone, 0 missing without one"
    )
    with AuditLog(kept, keep_frames=True) as log:  # seen again: kept again
        log.record(PROCEED, "note", frame(1))
    assert both(kept) == "2 pictures kept, 0 gone by tombstone, 0 missing without one"
    assert retain(kept, FUTURE, key).pictures == 2
    assert (names(kept), both(kept)) == (
        set(),
        "0 pictures kept, 2 gone by tombstone, 0 missing without one",
    )


def test_what_is_missing_gets_no_tombstone(kept: Path, key: SigningKey) -> None:
    PictureStore(kept).delete(sha256(0))
    wrong = "1 pictures kept, 0 gone by tombstone, 1 missing without one, the first of row 3"
    assert both(kept) == wrong
    assert retain(kept, FUTURE, key) == Deleted(1, len(frame(1).encoded()), 1)
    assert both(kept) == "0 pictures kept, 1 gone by tombstone, 1 missing without one, the first of row 3"
    assert verify(kept, pictures=False).endswith("; pictures not checked")


def test_a_crash_between_tombstone_and_deletion_is_made_good(
    kept: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PictureStore, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            retain(kept, FUTURE, key)
    assert len(names(kept)) == 2
    assert verify(kept).endswith("(2 not deleted yet: run `yochi audit retain` again)")
    assert retain(kept, "2000", key).pictures == 2
    assert (names(kept), len(list(rows(kept)))) == (set(), 4)


def test_what_no_row_names_is_deleted(kept: Path, key: SigningKey) -> None:
    """A kill between picture and row, or in the middle of the picture."""
    PictureStore(kept).keep(b"a picture whose row was never written")
    (PictureStore(kept).folder / sha256(0)[:2] / ".part").write_bytes(b"half")
    assert retain(kept, "2000", key) == Deleted(0, 0, 0)
    assert names(kept) == {sha256(0), sha256(1)}


def test_a_picture_that_is_judged_meanwhile_stays(
    kept: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process records between the tombstone and the deletion."""
    batches = retention._batches

    def record(found: list[str]) -> Any:
        if set(found) == names(kept) and len(list(rows(kept))) == 4:
            with AuditLog(kept, keep_frames=True) as log:
                log.record(PROCEED, "again", frame(1))
        return batches(found)

    monkeypatch.setattr(retention, "_batches", record)
    assert retain(kept, FUTURE, key).pictures == 1
    assert names(kept) == {sha256(1)}
    assert both(kept) == "1 pictures kept, 1 gone by tombstone, 0 missing without one"


def test_many_pictures_are_several_tombstones(
    kept: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch, yochi: Yochi
) -> None:
    assert key.public
    monkeypatch.setattr(retention, "BATCH", 1)
    code, out, _ = yochi("audit", "retain", kept, "--days", 0, "--key", kept.with_name("key"))
    assert (code, out, names(kept)) == (0, f"{kept}: 2 pictures deleted (0.0 MB)\n", set())
    assert len(list(rows(kept))) == 5
    code, out, _ = yochi("audit", "show", kept, "--last", 1)
    assert (code, "  tombstone     1 pictures last used before " in out) == (0, True)
    table = kept.with_name("table.csv")
    assert yochi("audit", "export", kept, "--csv", table)[0] == 0
    assert table.read_text(encoding="utf-8-sig").count("\ntombstone,1 pictures last used before ") == 2
    with AuditLog(kept) as log:
        assert log.record(PROCEED, "after").verdict is Verdict.PROCEED


def rechain(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the tombstone in the last row as somebody would who can compute hashes, and has no key."""
    row = list(rows(path))[-1]
    held = json.loads(row.judgement)
    change(held)
    row = row._replace(judgement=canonical(held))
    forge(
        path,
        "UPDATE judgements SET judgement = ?, hash = ? WHERE sequence = ?",
        row.judgement,
        row_hash(row),
        row.sequence,
    )


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "one more": lambda held: held["tombstone"]["pictures"].append(sha256(0)),
    "another time": lambda held: held["tombstone"].update(before="2000"),
    "another key": lambda held: held["tombstone"].update(key="0" * 64),
    "no signature": lambda held: held["tombstone"].pop("signature"),
    "a number": lambda held: held["tombstone"].update(signature=7),
    "one field more": lambda held: held["tombstone"].update(more=1),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_tombstone_is_not_signed(kept: Path, clock: Clock, key: SigningKey, how: str) -> None:
    retain(kept, clock.now(DAY), key)
    public = kept.with_name("key.pub")
    assert "gone by tombstone" in both(kept, public)
    rechain(kept, FORGED[how])
    with pytest.raises(Broken, match="the tombstone in row 4 is not signed by the key"):
        verify(kept, None, [read_public_key(public)])
    with pytest.raises(ALONE["Wrong"], match="the tombstone in row 4 is not signed by the key in force"):
        check_log(kept, None, raw([read_public_key(public)]))


def test_a_tombstone_counts_at_its_place_only(kept: Path, clock: Clock, key: SigningKey) -> None:
    retain(kept, clock.now(DAY), key)
    copied = list(rows(kept))[-1]
    row = copied._replace(sequence=5, previous=copied.hash)
    forge(kept, f"INSERT INTO judgements VALUES ({', '.join('?' * 9)})", *row._replace(hash=row_hash(row)))
    with pytest.raises(Broken, match="the tombstone in row 5 is not signed"):
        verify(kept, None, [read_public_key(kept.with_name("key.pub"))])


@settings(max_examples=60)
@given(
    st.recursive(st.none() | st.integers() | st.text(), st.lists)
    | st.dictionaries(st.text(), st.integers())
    | st.sampled_from(["../../../etc/passwd", "F" * 64, "f" * 63 + "\n"]).map(
        lambda name: {"identities": {"picture": name}}
    )
    | st.sampled_from([1, {}, [], {"pictures": 3}, {"pictures": [3]}, {"pictures": ["../x"]}]).map(
        lambda found: {"tombstone": found}
    )
)
def test_a_row_that_holds_no_judgement_is_broken(held: Any) -> None:
    row = Row(1, "2027", 0, None, None, None, canonical(held), GENESIS, "")
    with pytest.raises(Broken, match="row 1 holds no judgement"):
        PictureLedger().see(row)


def test_a_broken_log_gets_no_tombstone(kept: Path, key: SigningKey) -> None:
    forge(kept, "UPDATE judgements SET note = 'x' WHERE sequence = 1")
    with pytest.raises(Broken, match="row 1 was changed"):
        retain(kept, FUTURE, key)
    assert len(names(kept)) == 2


def test_where_nothing_may_be_written_nothing_is_deleted(
    kept: Path, key: SigningKey, read_only: Callable[..., Path]
) -> None:
    folder = read_only(kept, PictureStore(kept).folder)
    with pytest.raises(UsageError, match=r"expected to change .*check rights and room"):
        retain(folder / kept.name, FUTURE, key)
    with pytest.raises(UsageError, match=r"expected to read the pictures in .*Permission denied"):
        verify(folder / kept.name)
    assert "3 rows" in verify(folder / kept.name, pictures=False)
