"""Whatever is done to a log behind its back, the verifier names the first row that is wrong."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.audit.chain import Broken, Row, row_hash, rows
from yochi_runtime.audit.checkpoint import Checkpoint
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.verifier import verify

from .conftest import PROCEED, ROWS, fill, forge

WITH_WAL = ("audit.db", "audit.db-wal")
TEXTS = ("time", "note", "frame", "bundle", "judgement", "previous", "hash")


@pytest.mark.parametrize("field", TEXTS)
def test_a_flipped_bit_of_a_text_names_its_row(log_file: Path, field: str) -> None:
    with closing(sqlite3.connect(log_file)) as db:
        stored = db.execute(f"SELECT CAST({field} AS BLOB) FROM judgements WHERE sequence = 3").fetchone()[0]

    @settings(max_examples=12)
    @given(st.integers(0, 8 * len(stored) - 1))
    def flipped(bit: int) -> None:
        spoiled = bytearray(stored)
        spoiled[bit // 8] ^= 1 << bit % 8
        statement = f"UPDATE judgements SET {field} = CAST(? AS TEXT) WHERE sequence = 3"
        forge(log_file, statement, bytes(spoiled))
        with pytest.raises(Broken, match=r"^row 3 (was changed|cannot be read)"):
            verify(log_file)

    flipped()
    forge(log_file, f"UPDATE judgements SET {field} = CAST(? AS TEXT) WHERE sequence = 3", stored)
    assert verify(log_file).startswith(f"{ROWS} rows")


CHANGES = {
    "UPDATE judgements SET missed = 1 WHERE sequence = 3": "row 3 was changed",
    "UPDATE judgements SET note = NULL WHERE sequence = 1": "row 1 was changed",
    "UPDATE judgements SET note = CAST(note AS BLOB) WHERE sequence = 4": "row 4 was changed",
    "UPDATE judgements SET hash = x'00' WHERE sequence = 5": "row 5 was changed",
    "UPDATE judgements SET sequence = 7 WHERE sequence = 3": "row 3 is missing, the next one found is row 4",
    "UPDATE judgements SET sequence = 6 WHERE sequence = 5": "row 5 is missing, the next one found is row 6",
    "UPDATE judgements SET sequence = -3 WHERE sequence = 1": "row 1 is missing, the next one found",
    "DELETE FROM judgements WHERE sequence = 1": "row 1 is missing, the next one found is row 2",
    "DELETE FROM judgements WHERE sequence IN (2, 3)": "row 2 is missing, the next one found is row 4",
    "DROP TABLE judgements": "row 1 cannot be read: no such table",
}


@pytest.mark.parametrize("statement", CHANGES)
def test_a_change_names_the_first_wrong_row(log_file: Path, statement: str) -> None:
    if statement.startswith("DROP"):
        with closing(sqlite3.connect(log_file)) as db:
            db.execute(statement)
    else:
        forge(log_file, statement)
    with pytest.raises(Broken, match=f"^{CHANGES[statement]}"):
        verify(log_file)


def put(path: Path, row: Row) -> None:
    marks = ", ".join("?" * len(row))
    forge(path, f"INSERT OR REPLACE INTO judgements VALUES ({marks})", *row._replace(hash=row_hash(row)))


def test_a_row_forged_with_its_hash_shows_in_the_next(log_file: Path) -> None:
    put(log_file, list(rows(log_file))[2]._replace(note="nothing happened"))
    with pytest.raises(Broken, match=r"^row 4 does not follow row 3: one of them was replaced"):
        verify(log_file)


def checkpoint_of(path: Path) -> Checkpoint:
    (head,) = rows(path, last=1)
    return Checkpoint(head.sequence, head.hash, "2027-02-03T04:05:06.789Z")


def test_a_cut_end_shows_against_a_checkpoint_only(log_file: Path) -> None:
    checkpoint = checkpoint_of(log_file)
    forge(log_file, "DELETE FROM judgements WHERE sequence > 3")
    assert verify(log_file).startswith("3 rows, none changed or missing")
    with pytest.raises(
        Broken, match=r"^row 4 is missing, the checkpoint of 2027\S+ counts 5: the end was cut"
    ):
        verify(log_file, checkpoint)
    with AuditLog(log_file) as log:  # and it does not help to go on
        for _ in range(3):
            log.record(PROCEED, "later")
    with pytest.raises(
        Broken, match=r"^row 5 is not the one of the checkpoint of 2027\S+: the log was rewri"
    ):
        verify(log_file, checkpoint)


def test_a_log_that_grew_agrees_with_its_checkpoint(log_file: Path) -> None:
    checkpoint = checkpoint_of(log_file)
    with AuditLog(log_file) as log:
        log.record(PROCEED, "later")
        # while it is open for writing, too
        assert ", as in the checkpoint of 2027-02-03T04:05:06.789Z (not signed); head " in verify(
            log_file, checkpoint
        )


def test_the_last_rows_alone(log_file: Path) -> None:
    assert [row.sequence for row in rows(log_file, last=2)] == [4, 5]
    assert [row.sequence for row in rows(log_file, last=50)] == [1, 2, 3, 4, 5]
    forge(log_file, "DELETE FROM judgements WHERE sequence = 4")
    with pytest.raises(Broken, match=r"^row 4 is missing"):
        list(rows(log_file, last=2))


def test_what_verifies_is_what_was_written_whatever_byte_rots() -> None:
    """A flipped bit of the file hits nothing that is read, or is found; it never ends in a traceback."""
    with tempfile.TemporaryDirectory() as name:
        whole = fill(Path(name) / "audit.db", 3)
        written, data = list(rows(whole)), whole.read_bytes()
        found: list[str] = []

        @settings(max_examples=150)
        @given(st.integers(0, len(data) - 1), st.integers(0, 7))
        def rotten(place: int, bit: int) -> None:
            spoiled = bytearray(data)
            spoiled[place] ^= 1 << bit
            whole.write_bytes(spoiled)
            try:
                assert list(rows(whole)) == written
            except Broken as e:
                found.append(str(e))

        rotten()
    assert len(found) > 10  # three rows fill a good part of the file


def test_rows_that_cannot_be_seen_are_not_passed_over(
    log_file: Path, tmp_path: Path, read_only: Callable[..., Path]
) -> None:
    """Read-only, SQLite cannot join the -wal file with the log; then nothing is said to be whole."""
    with AuditLog(log_file) as log:
        log.record(PROCEED, "in the wal")
        copies = [Path(shutil.copy(tmp_path / name, tmp_path / f"copy-{name}")) for name in WITH_WAL]
    folder = read_only(*copies)
    with pytest.raises(Broken, match="cannot be read"):
        verify(folder / copies[0].name)
