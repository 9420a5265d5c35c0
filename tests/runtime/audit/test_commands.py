"""`yochi audit`, and what `judge` and `watch` record."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.commands import audit_app
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import Judgement

from tests.runtime.conftest import PLAIN_NOTE as NOTE
from tests.runtime.conftest import Yochi, noise, refused, the_judgement
from tests.runtime.test_judgement import full

from .conftest import PROCEED, ROWS, forge


def test_judge_records_what_it_says(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--json", "--audit", db)
    assert code == 0
    (tmp_path / "note.txt").write_text("\ufeff床を掃く。", encoding="utf-8")
    assert yochi("judge", picture, "--note-file", tmp_path / "note.txt", "--audit", db)[0] == 0
    assert yochi("judge", picture, "--note", "", "--audit", db)[0] == 3
    first, second, third = rows(db)
    assert Judgement.model_validate_json(first.judgement) == the_judgement(out)
    assert (first.note, first.frame) == (NOTE, noise().sha256)
    assert (second.note, third.note) == ("床を掃く。", None)
    assert json.loads(third.judgement)["reasons"] == ["note_empty"]


def test_judge_records_in_the_state_directory_unless_told_not_to(
    yochi: Yochi, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert yochi("judge", picture, "--note", NOTE, "--audit", "none")[0] == 0
    assert not (tmp_path / "state").exists()
    assert yochi("judge", picture, "--note", NOTE)[0] == 0
    code, out, err = yochi("audit", "verify")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path}/state/yochi/audit.db: 1 rows, none changed or missing; head ")


def test_watch_records_every_judgement(yochi: Yochi, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(noise().rgb).save(pictures / "a.png")
    (pictures / "b.png").write_bytes(b"broken")
    code, out, _ = yochi("watch", pictures, "--note", NOTE, "--audit", tmp_path / "audit.db")
    said = [Judgement.model_validate_json(line) for line in out.splitlines()]
    kept = list(rows(tmp_path / "audit.db"))
    assert (code, [Judgement.model_validate_json(row.judgement) for row in kept]) == (0, said)
    assert [row.note for row in kept] == [NOTE, NOTE]


def test_without_a_row_there_is_no_verdict(yochi: Yochi, picture: Path, tmp_path: Path) -> None:
    db = tmp_path / "audit.db"
    db.write_bytes(b"no database, " * 1000)
    found = refused(yochi("judge", picture, "--note", NOTE, "--json", "--audit", db))
    assert found.reasons == (Reason.AUDIT_DAMAGED,)
    code, out, _ = yochi("judge", picture, "--note", NOTE, "--lang", "ja", "--audit", db)
    assert (code, out.splitlines()[0]) == (3, "判定不能")
    assert "監督者を呼ぶこと" in out
    assert refused(yochi("watch", picture.parent, "--note", NOTE, "--count", 1, "--audit", db)).reasons


def test_verify_names_the_wrong_row(yochi: Yochi, log_file: Path) -> None:
    forge(log_file, "UPDATE judgements SET note = 'nothing' WHERE sequence = 3")
    said = f"yochi: {log_file}: row 3 was changed: its content does not give its hash\n"
    out = log_file.with_name("out")
    for command in (["verify"], ["show"], ["export", "--csv", out], ["checkpoint", "--out", out]):
        code, _, err = yochi("audit", *command, log_file)
        assert (code, err) == (1, said)
    assert not list(log_file.parent.glob("out*"))


def test_a_checkpoint_shows_a_cut_end(yochi: Yochi, log_file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint.json"
    code, out, _ = yochi("audit", "checkpoint", log_file, "--out", kept)
    assert (code, out.startswith(f"{kept}: row {ROWS}, ")) == (0, True)
    code, out, _ = yochi("audit", "verify", log_file, "--checkpoint", kept)
    assert (code, "as in the checkpoint of 20" in out) == (0, True)
    forge(log_file, f"DELETE FROM judgements WHERE sequence = {ROWS}")
    assert yochi("audit", "verify", log_file)[0] == 0
    code, out, err = yochi("audit", "verify", log_file, "--checkpoint", kept)
    assert (code, out) == (1, "")
    assert f"row {ROWS} is missing, the checkpoint of" in err


def test_show_is_a_line_a_row_that_cannot_steer_the_terminal(yochi: Yochi, log_file: Path) -> None:
    with AuditLog(log_file) as log:
        log.record(full(), "weld\x1b[2J\nhere\u202e")
        log.record(PROCEED, "oil \udcff")
        log.record(PROCEED, None)
    code, out, err = yochi("audit", "show", log_file, "--last", 3)
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 3)
    assert lines[0].split()[0::2] == ["5", "proceed", '"note']
    assert lines[1].endswith('stop          cue:fire 0.90  "weld[2J here"')
    assert lines[2].endswith("proceed       -  (1 before it not recorded)  no note")


def test_export_is_a_table_that_runs_nothing(yochi: Yochi, log_file: Path, tmp_path: Path) -> None:
    notes = ["=1+1", "-5 °C", "@SUM(A1)", 'comma, "quote"\nline', "床を掃く。", None]
    with AuditLog(log_file) as log:
        for note in notes:
            log.record(full(), note)
    table = tmp_path / "table.csv"
    assert yochi("audit", "export", log_file, "--csv", table) == (
        0,
        f"{table}: {ROWS + len(notes)} rows\n",
        "",
    )
    assert table.read_bytes().startswith(b"\xef\xbb\xbf")
    with table.open(encoding="utf-8-sig", newline="") as source:
        found = list(csv.DictReader(source))[ROWS:]
    assert [row["note"] for row in found] == ["'=1+1", "'-5 °C", "'@SUM(A1)", *notes[3:5], ""]
    assert {(row["verdict"], row["reasons"], row["risks"]) for row in found} == {
        ("stop", "", "cue:fire 0.90")
    }
    assert [row["hash"] for row in found] == [row.hash for row in rows(log_file, last=len(notes))]
    assert Judgement.model_validate_json(found[0]["judgement"]) == full()


MISUSED = [
    ["audit"],
    ["audit", "verify", "none.db"],
    ["audit", "verify", "FOLDER"],
    ["audit", "verify", "DB", "--checkpoint", "DB"],
    ["audit", "verify", "DB", "--checkpoint", "none"],
    ["audit", "show", "DB", "--last", "0"],
    ["audit", "export", "DB"],
    ["audit", "export", "DB", "--csv", "FOLDER/none/table.csv"],
    ["audit", "export", "DB", "--csv", "DB"],
    ["audit", "checkpoint", "DB", "--out", "DB"],
    ["audit", "checkpoint", "DB", "--out", "FOLDER"],
    ["audit", "checkpoint", "EMPTY", "--out", "FOLDER/kept"],
    ["audit", "checkpoint", "DB", "--key", "none", "--out", "FOLDER/kept"],
    ["audit", "checkpoint", "DB", "--key", "DB", "--out", "DB"],
    ["audit", "verify", "DB", "--public-key", "DB"],
    ["audit", "keygen"],
    ["audit", "keygen", "DB"],
    ["audit", "keygen", "FOLDER/none/key"],
    ["judge", "none.jpg", "--note", NOTE, "--audit", "FOLDER"],
    ["watch", "FOLDER", "--note", NOTE, "--audit", "FOLDER/none/audit.db"],
]


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_misuse_is_one_line_on_stderr(
    yochi: Yochi, log_file: Path, tmp_path: Path, arguments: list[str]
) -> None:
    empty = tmp_path / "empty.db"
    empty.write_bytes(log_file.read_bytes())
    forge(empty, "DELETE FROM judgements")
    places = {"DB": str(log_file), "EMPTY": str(empty), "FOLDER": str(tmp_path)}
    words = [places.get(word, word.replace("FOLDER/", f"{tmp_path}/")) for word in arguments]
    code, out, err = yochi(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("yochi: ")
    assert len(list(rows(log_file))) == ROWS


@pytest.mark.parametrize(
    "command", [c.callback.__name__ for c in audit_app.registered_commands if c.callback]
)
def test_every_command_explains_itself(yochi: Yochi, command: str) -> None:
    code, out, err = yochi("audit", command, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: yochi audit {command}" in out
