"""A verdict whose row is not on the disk is no verdict; what was acknowledged is never lost."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from yochi_runtime.audit import log as log_module
from yochi_runtime.audit import store
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import CALL_SUPERVISOR, Judgement, cannot_judge
from yochi_runtime.verdict import Verdict

from tests.runtime.test_judgement import full

from .conftest import PROCEED, ROWS, forge, writer


def unrecorded(found: Judgement, reason: Reason) -> str:
    assert (found.verdict, found.reasons, found.advice) == (
        Verdict.CANNOT_JUDGE,
        (reason,),
        CALL_SUPERVISOR,
    )
    assert found.message is not None
    assert found.message.startswith("expected ")
    assert Judgement.model_validate(found.model_dump()) == found
    return found.message


def test_a_full_disk_and_room_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.record(PROCEED, "first")
        db = log._db
        assert db is not None
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count={pages}")
        assert "full" in unrecorded(log.record(PROCEED, "x" * 20_000), Reason.AUDIT_FAILED)
        log.record(PROCEED, "after")  # opened anew, without that limit
    first, after = rows(path)
    assert (first.note, after.note, after.missed) == ("first", "after", 1)
    assert "1 judgements could not be recorded" in verify(path)


def test_a_disk_that_takes_no_more_bytes(tmp_path: Path) -> None:
    """The limit on a file's size stops the write itself, in the middle of whatever SQLite does."""
    path = tmp_path / "audit.db"
    out, _ = writer(path, 60, limit=100_000).communicate(timeout=120)
    told = out.splitlines()
    assert set(told) == {"proceed", "cannot_judge audit_failed"}
    kept = [row.note for row in rows(path)]
    assert {f"note {i}" for i, line in enumerate(told) if line == "proceed"} <= set(kept)
    with AuditLog(path) as log:  # without the limit
        assert log.record(PROCEED, "room again") is PROCEED


def test_a_log_in_a_read_only_folder(log_file: Path, read_only: Callable[..., Path]) -> None:
    path = read_only(log_file) / log_file.name
    with AuditLog(path) as log:
        assert str(path) in unrecorded(log.record(PROCEED, "note"), Reason.AUDIT_FAILED)
    with AuditLog(path.with_name("new.db")) as log:
        unrecorded(log.record(PROCEED, "note"), Reason.AUDIT_FAILED)
    assert verify(path).startswith(f"{ROWS} rows")  # it can still be checked there


def test_a_log_that_another_process_keeps_locked(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "DEADLINE", 0.05)
    with closing(sqlite3.connect(log_file, isolation_level=None)) as other, AuditLog(log_file) as log:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in unrecorded(log.record(PROCEED, "1"), Reason.AUDIT_FAILED)
        unrecorded(log.record(PROCEED, "2"), Reason.AUDIT_FAILED)
        other.execute("ROLLBACK")
        assert log.record(PROCEED, "3") is PROCEED
        assert log.record(PROCEED, "4") is PROCEED
    assert [(row.note, row.missed) for row in rows(log_file, last=2)] == [("3", 2), ("4", 0)]


def _scribble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name)")


def _unguarded(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER no_delete")


SPOILED: dict[str, Callable[[Path], object]] = {
    "no database": lambda path: path.write_bytes(b"no database, " * 1000),
    "scribbled over": _scribble,
    "somebody else's": _foreign,
    "without a trigger": _unguarded,
    "last row changed": lambda path: forge(path, f"UPDATE judgements SET note = 'x' WHERE sequence = {ROWS}"),
    "last row no text": lambda path: forge(
        path, f"UPDATE judgements SET note = CAST(note AS BLOB) WHERE sequence = {ROWS}"
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_log_is_not_written_to(log_file: Path, how: str) -> None:
    SPOILED[how](log_file)
    before = log_file.read_bytes()
    with AuditLog(log_file) as log:
        unrecorded(log.record(PROCEED, "note"), Reason.AUDIT_DAMAGED)
    assert log_file.read_bytes() == before


def test_a_log_that_is_moved_away_is_noticed(log_file: Path) -> None:
    with AuditLog(log_file) as log:
        log.record(PROCEED, "1")
        log_file.rename(log_file.with_name("moved.db"))
        unrecorded(log.record(PROCEED, "2"), Reason.AUDIT_FAILED)
        assert log.record(PROCEED, "3") is PROCEED
    assert [(row.sequence, row.note, row.missed) for row in rows(log_file)] == [(1, "3", 1)]


def test_a_note_that_is_no_text_is_not_recorded(log_file: Path) -> None:
    with AuditLog(log_file) as log:
        assert "surrogates" in unrecorded(log.record(PROCEED, "oil \udcff"), Reason.AUDIT_FAILED)
        assert log.record(PROCEED, "oil") is PROCEED
    assert [(row.note, row.missed) for row in rows(log_file, last=1)] == [("oil", 1)]


def test_no_fault_gives_an_unrecorded_verdict(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise RuntimeError("boom")

    monkeypatch.setattr(log_module, "row_hash", fail)
    with AuditLog(log_file) as log:
        assert "boom" in unrecorded(log.record(PROCEED, "note"), Reason.AUDIT_FAILED)


def test_what_the_judge_found_stays_to_be_seen(tmp_path: Path) -> None:
    gone = AuditLog(tmp_path / "gone" / "audit.db")
    danger, failed = full(), cannot_judge(Reason.FRAME_BLANK, "expected a picture, got none; take one")
    found = gone.record(danger, "weld")
    assert (found.verdict, found.factors, found.slots) == (Verdict.CANNOT_JUDGE, danger.factors, danger.slots)
    found = gone.record(failed, "weld")
    assert found.reasons == (Reason.FRAME_BLANK, Reason.AUDIT_FAILED)
    assert found.message is not None
    assert found.message.startswith(f"{failed.message}; and expected to add ")


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    process = writer(path, 100_000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(40)]
    process.kill()
    told += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    assert process.wait() == -9
    acknowledged = sum(line == "proceed\n" for line in told)
    kept = [row.note for row in rows(path)]
    assert acknowledged >= 40
    assert kept[:acknowledged] == [f"note {i}" for i in range(acknowledged)]
    with AuditLog(path) as log:
        assert log.record(PROCEED, "after") is PROCEED
    assert "none changed or missing" in verify(path)


def test_processes_that_begin_one_log_together(tmp_path: Path) -> None:
    path, count = tmp_path / "audit.db", 30
    processes = [writer(path, count) for _ in range(3)]
    outs = [process.communicate(timeout=240)[0].splitlines() for process in processes]
    assert outs == [["proceed"] * count] * 3
    assert verify(path).startswith(f"{3 * count} rows, none changed or missing; head ")


def test_a_copy_with_its_wal_is_whole(log_file: Path, tmp_path: Path) -> None:
    """What a box that died leaves behind: rows that stand in the -wal file only."""
    with AuditLog(log_file) as log:
        log.record(PROCEED, "in the wal")
        for name in ("audit.db", "audit.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")
    assert [row.note for row in rows(tmp_path / "copy-audit.db", last=1)] == ["in the wal"]
