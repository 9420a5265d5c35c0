"""The outbox: kept, in order, bounded, of one process, and nothing lost where the process is killed."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_devices.plant.outbox import Outbox, Waiting
from yochi_devices.plant.signal import Message, SettingsError


def test_messages_stay_until_they_are_done_and_keep_their_order(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "new" / "outbox.db", ["a", "b"], 10)
    assert box.first("a") is None
    for id in ("x", "y"):
        assert box.put(id, "{}") == ()
    assert box.first("a") == Message("x", 1, 0, "{}")
    box.done("a", 1)
    assert (box.first("a"), box.first("b")) == (Message("y", 2, 0, "{}"), Message("x", 1, 0, "{}"))
    box.close()
    box.close()
    box = Outbox(tmp_path / "new" / "outbox.db", ["a"], 10)
    assert box.first("a") == Message("y", 2, 0, "{}")
    box.done("a", 2)
    box.put("z", "{}")
    assert box.first("a") == Message("z", 3, 0, "{}")  # numbers are never given twice
    assert box.waiting() == {"a": Waiting(1, 0), "b": Waiting(2, 0)}
    box.close()


def test_a_full_queue_refuses_counts_and_says_so_in_the_next_message(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.db", ["dead", "well"], 2)
    for id in "abcd":
        refused = box.put(id, "{}")
        box.done("well", "abcd".index(id) + 1)
    assert refused == ("dead",)
    assert box.waiting() == {"dead": Waiting(2, 2), "well": Waiting(0, 0)}
    box.done("dead", 1)
    assert box.put("e", "{}") == ()
    box.done("dead", 2)
    assert box.first("dead") == Message("e", 3, 2, "{}")
    assert box.first("well") == Message("e", 5, 0, "{}")
    assert box.waiting()["dead"] == Waiting(1, 0)
    box.close()


def unsynced(path: Path, limit: int) -> Outbox:
    """Does not wait for the disk, which is not what is looked at."""
    box = Outbox(path, ["a"], limit)
    box._in.execute("PRAGMA synchronous=OFF")
    return box


@settings(max_examples=10)
@given(st.lists(st.sampled_from(["put", "put", "done", "again"]), max_size=10), st.integers(1, 4))
def test_what_was_accepted_comes_out_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, work: list[str], limit: int
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    box, accepted, out, missed = unsynced(path, limit), list[str](), list[str](), 0
    for number, step in enumerate([*work, *["done"] * limit]):
        if step == "put":
            if box.put(str(number), "{}") == ():
                accepted.append(str(number))
        elif step == "again":
            box.close()
            box = unsynced(path, limit)
        elif (message := box.first("a")) is not None:
            out.append(message.id)
            assert message.sequence == len(out)
            missed += message.missed
            box.done("a", message.sequence)
    assert out == accepted
    assert missed + box.waiting()["a"].missed == work.count("put") - len(accepted)
    box.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.db", ["a"], 2)
    with pytest.raises(SettingsError, match="another one uses it"):
        Outbox(tmp_path / "outbox.db", ["a"], 2)
    box.close()
    Outbox(tmp_path / "outbox.db", ["a"], 2).close()


def test_a_file_that_is_no_outbox_is_left_alone(tmp_path: Path) -> None:
    other, broken = tmp_path / "other.db", tmp_path / "broken.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    broken.write_bytes(b"no database" * 100)
    for path, said in ((other, "another database"), (broken, "not a database"), (other / "x", "write the")):
        before = path.read_bytes() if path.exists() else b""
        with pytest.raises(SettingsError, match=said):
            Outbox(path, ["a"], 2)
        assert (path.read_bytes() if path.exists() else b"") == before


def test_a_full_disk_is_an_error_and_a_miss(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.db", ["a"], 10)
    box.put("x", "{}")
    (pages,) = box._in.execute("PRAGMA page_count").fetchone()
    box._in.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        box.put("y", f'{{"z": "{"z" * 20_000}"}}')
    assert box.waiting() == {"a": Waiting(1, 1)}
    box.put("z", "{}")
    box.done("a", 1)
    assert box.first("a") == Message("z", 2, 1, "{}")
    box.close()


KEEPER = """
import sys
from pathlib import Path
from yochi_devices.plant.outbox import Outbox
box = Outbox(Path(sys.argv[1]), ["a"], 1_000_000)
for number in range(int(sys.argv[2]), 10**9):
    box.put(str(number), "{}")
    print(number, flush=True)
"""


def test_what_a_killed_process_said_to_be_kept_is_kept(tmp_path: Path) -> None:
    path, said = tmp_path / "outbox.db", list[str]()
    for run in range(2):
        command = [sys.executable, "-c", KEEPER, str(path), str(run * 10**6)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said += [process.stdout.readline() for _ in range(8)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.communicate()[0].splitlines(keepends=True)
    box, kept = Outbox(path, ["a"], 1), list[str]()
    while (message := box.first("a")) is not None:
        kept.append(message.id)
        box.done("a", message.sequence)
    box.close()
    whole = [line.strip() for line in said if line.endswith("\n")]
    assert [id for id in kept if id in set(whole)] == whole
    assert len(kept) <= len(whole) + 2  # one more a kill: kept, and not said yet
