"""The standalone verifier, as an auditor runs it, against the real log and against our own verifier."""

import runpy
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.audit import chain
from yochi_runtime.audit.chain import Broken, Row
from yochi_runtime.audit.checkpoint import checkpoint_text, read_checkpoint, take_checkpoint
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.signing import PublicKey, create_key, read_key
from yochi_runtime.audit.verifier import verify

from tests.runtime.test_judgement import full

from .conftest import PROCEED, ROWS, fill, forge

SCRIPT = Path(chain.__file__).with_name("verify_log.py")
ALONE: dict[str, Any] = runpy.run_path(str(SCRIPT))  # a module of its own, that imports nothing of Yochi
check_log: Callable[..., str] = ALONE["check_log"]
TIME = "2027-02-03T04:05:06.789Z"
# What SQLite can hold, in a column whatever it was declared for.
VALUES = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.none()
)


def raw(keys: Sequence[PublicKey]) -> list[bytes]:
    """As `check_log` takes them."""
    return [bytes.fromhex(key.public) for key in keys]


def alone(*arguments: object, site: bool = False) -> "subprocess.CompletedProcess[str]":
    """As on another machine: isolated, and without site-packages where nothing is signed."""
    options = ["-I"] if site else ["-I", "-S"]
    command = [sys.executable, *options, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said_alone(log: Path) -> str:
    """The wrong row's number and what is wrong, or nothing."""
    try:
        check_log(log, None)
    except ALONE["Wrong"] as e:
        return str(e)
    return ""


def said(log: Path) -> str:
    try:
        verify(log)
    except Broken as e:
        return str(e)
    return ""


def test_it_is_short_and_stands_alone(log_file: Path, tmp_path: Path) -> None:
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 150  # what somebody is asked to read
    kept = tmp_path / "kept"
    kept.write_text(checkpoint_text(take_checkpoint(log_file, TIME, None)))
    whole = alone(log_file, "--checkpoint", kept)
    assert (whole.returncode, whole.stderr) == (0, "")
    head = read_checkpoint(kept).hash
    assert whole.stdout == f"{log_file}: {ROWS} rows, none changed or missing; head {head}\n"
    forge(log_file, "DELETE FROM judgements WHERE sequence = 5")
    broken = alone(log_file, "--checkpoint", kept)
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr == f"{log_file}: row 5 is missing, the checkpoint counts 5: cut\n"


def test_it_checks_the_signature(log_file: Path, tmp_path: Path) -> None:
    for name in ("key", "other"):
        create_key(tmp_path / name)
    kept = tmp_path / "kept"
    kept.write_text(checkpoint_text(take_checkpoint(log_file, TIME, read_key(tmp_path / "key"))))
    good = alone(log_file, "--checkpoint", kept, "--public-key", tmp_path / "key.pub", site=True)
    assert (good.returncode, good.stderr) == (0, "")
    other = alone(log_file, "--checkpoint", kept, "--public-key", tmp_path / "other.pub", site=True)
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr == f"{log_file}: the checkpoint is not signed by the key in force\n"
    lacking = alone(log_file, "--checkpoint", kept, "--public-key", tmp_path / "key.pub")
    assert (lacking.returncode, "No module named 'cryptography'" in lacking.stderr) == (2, True)


@pytest.mark.parametrize("field", Row._fields)
def test_no_value_of_any_field_of_any_row_passes(field: str) -> None:
    """Both verifiers find it, in the same row, and say the same."""
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "audit.db"
        with AuditLog(log) as writer:
            for number in range(3):
                writer.record(full(), f"弁を閉める {number}")
        whole = log.read_bytes()
        written, tried = values(log), list[object]()

        @settings(max_examples=60)
        @given(st.integers(1, 3), VALUES)
        def changed(number: int, value: object) -> None:
            log.write_bytes(whole)
            try:
                forge(log, f"UPDATE judgements SET {field} = ? WHERE sequence = ?", value, number)
            except sqlite3.IntegrityError:  # NULL, a number twice, no number where it must be one
                return
            if values(log) == written:
                return
            tried.append(value)
            wrong = said_alone(log)
            assert wrong.startswith("row ")
            assert wrong == said(log)

        changed()
    assert len(tried) > 10


def values(log: Path) -> list[Any]:
    with closing(sqlite3.connect(log)) as db:
        return db.execute("SELECT * FROM judgements ORDER BY sequence").fetchall()


def test_no_flipped_bit_is_judged_differently() -> None:
    """Whatever rots in the file, the two verifiers agree on whole or not, and no bit ends in a traceback."""
    with tempfile.TemporaryDirectory() as name:
        log = fill(Path(name) / "audit.db", 3)
        data, found = log.read_bytes(), set()

        @settings(max_examples=150)
        @given(st.integers(0, len(data) - 1), st.integers(0, 7))
        def rotten(place: int, bit: int) -> None:
            spoiled = bytearray(data)
            spoiled[place] ^= 1 << bit
            log.write_bytes(spoiled)
            assert bool(said_alone(log)) == bool(said(log))
            found.add(said(log))

        rotten()
    assert len(found) > 3


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["drop", "swap", "repeat", "rechain"]), min_size=1, max_size=2), st.data())
def test_rows_dropped_swapped_or_forged_with_their_hash(how: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        log = fill(Path(name) / "audit.db", 4)
        rows = list(chain.rows(log))
        head = rows[-1].hash
        for step in how:
            at = data.draw(st.integers(0, len(rows) - 1))
            if step == "drop":
                del rows[at]
            elif step == "swap":
                rows[at], rows[0] = rows[0]._replace(sequence=at + 1), rows[at]._replace(sequence=1)
            elif step == "repeat":
                rows.append(rows[at]._replace(sequence=len(rows) + 1))
            else:  # as somebody would who forges all that follows, too
                rows[at] = rows[at]._replace(note="nothing")
                for i in range(at, len(rows)):
                    previous = rows[i - 1].hash if i else chain.GENESIS
                    rows[i] = rows[i]._replace(sequence=i + 1, previous=previous)
                    rows[i] = rows[i]._replace(hash=chain.row_hash(rows[i]))
            if not rows:
                return
        put_all(log, rows)
        assert said_alone(log) == said(log)
        kept = {"sequence": 4, "hash": head, "time": TIME}
        unchanged = [row.hash for row in rows][3:4] == [head] and not said(log)
        try:
            check_log(log, kept)
            passed = True
        except ALONE["Wrong"]:
            passed = False
        assert passed == unchanged


def put_all(log: Path, rows: list[Row]) -> None:
    forge(log, "DELETE FROM judgements")
    for row in rows:
        forge(log, f"INSERT OR IGNORE INTO judgements VALUES ({', '.join('?' * len(row))})", *row)


def test_rows_in_a_wal_are_seen_or_missed_loudly(
    log_file: Path, tmp_path: Path, read_only: Callable[..., Path]
) -> None:
    with AuditLog(log_file) as log:
        log.record(PROCEED, "in the wal")
        assert check_log(log_file, None).startswith(f"{ROWS + 1} rows")
        copies = [
            Path(shutil.copy(tmp_path / name, tmp_path / f"copy-{name}"))
            for name in ("audit.db", "audit.db-wal")
        ]
    folder = read_only(*copies)
    with pytest.raises(ALONE["Wrong"], match="cannot be read"):
        check_log(folder / copies[0].name, None)


def test_a_log_where_nothing_may_be_written(log_file: Path, read_only: Callable[..., Path]) -> None:
    folder = read_only(log_file)
    assert check_log(folder / log_file.name, None).startswith(f"{ROWS} rows")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000], ids=range(4))
def test_misuse_is_2_without_a_traceback(log_file: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "kept").write_text(text)
    for words in (
        [tmp_path / "none.db"],
        [log_file, "--checkpoint", tmp_path / "kept"],
        [log_file, "--checkpoint", tmp_path / "none"],
        [log_file, "--public-key", log_file],
    ):
        done = alone(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
