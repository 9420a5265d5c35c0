"""`records validate --keep-going`: good and bad rows together are all rows, whatever happens on the way."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_train.validate import Report, validate

from .made import command
from .rows import Row, folder_of, line_of, row

BAD = (b"\n", b"{\n", b"\xff\xfe\n", b'{"id": 1}\n', b"\x00\n", b"null\n")
CHILD = """
import os, signal, sys
from pathlib import Path
from yochi_train.validate import validate

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moves, replace = int(sys.argv[2]), Path.replace

def move(self, target):
    global moves
    if not moves:
        die()
    moves -= 1
    return replace(self, target)

Path.replace = move
validate(Path(sys.argv[1]), None, True, die if moves < 0 else print)
"""


def sort(folder: Path) -> Report:
    return validate(folder, None, keep_going=True, say=lambda _: None)


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True) if file.exists() else []


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


Corrupt = st.one_of(
    st.sampled_from(BAD),
    st.binary(max_size=30).map(lambda junk: junk.replace(b"\n", b"") + b"\n"),
    st.integers(1, 150).map(lambda n: line_of(row("9"))[:n].rstrip(b"\n") + b"\n"),
    st.just(line_of(row("0"))),  # an id that is there already
)


@settings(max_examples=60)
@given(st.dictionaries(st.integers(1, 11), Corrupt), st.booleans())
def test_good_and_bad_rows_are_all_rows(corrupted: dict[int, bytes], cut: bool) -> None:
    rows = [corrupted.get(i, line_of(row(str(i)))) for i in range(12)]
    if cut:
        rows[-1] = rows[-1].removesuffix(b"\n")  # the last line need not end
    expected_bad = [rows[i] for i in sorted(corrupted) if rows[i]]
    with tempfile.TemporaryDirectory() as name:
        folder = folder_of(Path(name), train=rows)
        report = sort(folder)
        taken = folder / "quarantine" / "train.jsonl"
        assert b"".join(lines(taken)) == b"".join(expected_bad)
        good = [line for i, line in enumerate(rows) if i not in corrupted]
        assert (folder / "train.jsonl").read_bytes() == b"".join(good)
        assert report.bad == len(expected_bad)
        assert report.passed
        after = names(folder)
        again = sort(folder)
        assert (again.bad, again.records, names(folder)) == (0, len(good), after)


def test_the_reasons_stand_beside_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, train=[row("1"), b"{\n", row("2"), row("1")], val=[row("3", split="val")])
    untouched = (folder / "val.jsonl").read_bytes()
    assert command(["records", "validate", str(folder), "--keep-going"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "2 bad rows (moved to quarantine)" in out[-1]
    assert lines(folder / "train.jsonl") == [line_of(row("1")), line_of(row("2"))]
    assert lines(folder / "quarantine" / "train.jsonl") == [b"{\n", line_of(row("1"))]
    reasons = (folder / "quarantine" / "train.jsonl.reasons").read_text(encoding="utf-8").splitlines()
    assert reasons[:-1] == out[:-1]
    assert reasons[0].startswith(f"{folder / 'train.jsonl'}:2: expected a JSON object, got ")
    assert reasons[-1].startswith("2 rows of train.jsonl with sha256 ")
    assert (folder / "val.jsonl").read_bytes() == untouched
    assert names(folder / "quarantine") == ["train.jsonl", "train.jsonl.reasons"]


def test_a_good_folder_gets_no_quarantine(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, train=[row("1")])
    assert sort(folder).passed
    assert names(folder) == ["pack.toml", "train.jsonl"]
    assert not (folder / "quarantine").exists()


def test_a_later_run_writes_over_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, train=[row("1"), b"{\n"])
    sort(folder)
    folder_of(tmp_path, train=[row("1"), row("2"), b"{\n", b"}\n"])
    sort(folder)
    assert lines(folder / "quarantine" / "train.jsonl") == [b"{\n"]
    assert lines(folder / "quarantine" / "train.2.jsonl") == [b"{\n", b"}\n"]


def test_a_leak_is_not_quarantined_and_not_passed(tmp_path: Path) -> None:
    held = row("2", split="val", note=row("1")["note"])
    folder = folder_of(tmp_path, train=[row("1")], val=[held])
    report = sort(folder)
    assert (report.near_notes, report.bad, report.passed) == (1, 0, False)
    assert command(["records", "validate", str(folder), "--keep-going"]) == 1


@pytest.mark.parametrize("moves", [-1, 0, 1, 2, 4], ids=lambda n: f"before move {n}" if n >= 0 else "reading")
def test_kill_9_loses_and_doubles_nothing(moves: int, tmp_path: Path) -> None:
    """Three moves a shard: bad rows, reasons, good rows. The next run ends as if nothing had happened."""
    train: list[Row] = [row("1"), b"{\n", row("2")]
    val: list[Row] = [row("3", split="val"), b"\xff\n"]
    folder, calm = (folder_of(tmp_path / name, train=train, val=val) for name in ("killed", "calm"))
    before = (folder / "train.jsonl").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(moves)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = lines(folder / "train.jsonl")
    assert b"".join(left) == before or lines(folder / "quarantine" / "train.jsonl") == [b"{\n"]
    sort(folder)
    sort(calm)
    assert names(folder) == names(calm)
    for name in names(calm):
        told = (folder / name).read_bytes().replace(str(folder).encode(), str(calm).encode())
        assert told == (calm / name).read_bytes()


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, train=[row("1"), b"{\n"])
    before = (folder / "train.jsonl").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        sort(folder)
    assert (folder / "train.jsonl").read_bytes() == before
    assert names(folder) == ["pack.toml", "train.jsonl"]
