"""What a row holds, how it is chained, where the log lies, and that its table only ever grows."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.audit.chain import GENESIS, Row, canonical, row_hash, rows
from yochi_runtime.audit.log import AuditLog, default_log, open_log
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import Reason, UsageError
from yochi_runtime.judgement import Judgement, cannot_judge

from .conftest import PROCEED, ROWS

GOLDEN = Row(3, "2027-02-03T04:05:06.789Z", 1, '床\n"é"\x1f', None, "b" * 64, "{}", GENESIS, "")
GOLDEN_JSON = (
    '{"bundle":"' + "b" * 64 + '","frame":null,"judgement":"{}","missed":1,"note":"床\\n\\"é\\"\\u001f",'
    '"previous":"' + GENESIS + '","sequence":3,"time":"2027-02-03T04:05:06.789Z"}'
)
GOLDEN_HASH = "a544d376a594440a76686a46ec83b5fa5f830d1735704eae10f08c5a3bf9763e"


def test_the_hash_is_that_of_these_very_bytes() -> None:
    fields = {key: value for key, value in GOLDEN._asdict().items() if key != "hash"}
    assert canonical(fields) == GOLDEN_JSON
    assert row_hash(GOLDEN) == GOLDEN_HASH  # printf %s "$GOLDEN_JSON" | sha256sum


def test_a_row_holds_the_judgement_and_what_was_judged(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    failed = cannot_judge(Reason.FRAME_BLANK, "expected a picture, got none; take one")
    with AuditLog(path) as log:
        assert log.record(PROCEED, "床を掃く。") is PROCEED
        assert log.record(failed, None) is failed
    first, second = rows(path)
    assert (first.sequence, first.note, first.missed, first.previous) == (1, "床を掃く。", 0, GENESIS)
    assert (first.frame, first.bundle) == ("f" * 64, "b" * 64)
    assert Judgement.model_validate_json(first.judgement) == PROCEED
    assert (second.sequence, second.note, second.frame, second.previous) == (2, None, None, first.hash)
    assert Judgement.model_validate_json(second.judgement) == failed
    assert first.time <= second.time


def test_another_process_goes_on_where_the_first_ended(log_file: Path) -> None:
    with AuditLog(log_file) as log:
        log.record(PROCEED, "one more")
    assert verify(log_file).startswith(f"{ROWS + 1} rows, none changed or missing; head ")


def test_a_row_is_synced_and_readers_do_not_block_it(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.db") as log:
        log.record(PROCEED, "note")
        assert log._db is not None
        assert log._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert log._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert [row.note for row in rows(tmp_path / "audit.db")] == ["note"]


FROM_LAST = """INSERT INTO judgements SELECT {sequence}, time, 0, '', '', '', '', {previous}, ''
FROM judgements WHERE sequence = 5"""
REFUSED = {
    "update": "UPDATE judgements SET note = 'x' WHERE sequence = 2",
    "delete": "DELETE FROM judgements WHERE sequence = 5",
    "replace": "INSERT OR REPLACE INTO judgements SELECT * FROM judgements WHERE sequence = 5",
    "gap": FROM_LAST.format(sequence=7, previous="hash"),
    "loose": FROM_LAST.format(sequence=6, previous="''"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_the_table_only_grows(log_file: Path, how: str) -> None:
    before = list(rows(log_file))
    with (
        closing(sqlite3.connect(log_file)) as db,
        pytest.raises(sqlite3.IntegrityError, match="a row of the"),
    ):
        db.execute(REFUSED[how])
    assert list(rows(log_file)) == before


def test_every_note_is_kept_as_it_was_given() -> None:
    with tempfile.TemporaryDirectory() as folder, AuditLog(Path(folder) / "audit.db") as log:

        @given(st.text() | st.text("\x00\x1b\x7f\r\n\u202e\u200d🔥⚠️é\u0301\ufeff\U0010ffff", min_size=1))
        def kept(note: str) -> None:
            assert log.record(PROCEED, note) is PROCEED
            assert [row.note for row in rows(Path(folder) / "audit.db", last=1)] == [note]

        kept()
        assert "none changed or missing" in verify(Path(folder) / "audit.db")


def test_the_log_lies_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with open_log(None) as log:
        assert log.record(PROCEED, "note") is PROCEED
    assert default_log() == tmp_path / "state" / "yochi" / "audit.db"
    assert (tmp_path / "state" / "yochi").stat().st_mode & 0o777 == 0o700  # notes may name people
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_log() == tmp_path / "home" / ".local" / "state" / "yochi" / "audit.db"


def test_none_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_log("none") as log:
        assert log.record(PROCEED, "note") is PROCEED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [".", "missing/audit.db"])
def test_a_path_that_cannot_be_a_log_is_misuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="expected a file for the audit log"):
        open_log(option)
