"""What people say of a judgement: rows of the chain, seen by every reader of the log, taken back by none."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.audit.chain import Broken, rows
from yochi_runtime.audit.feedback import Feedback
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import AuditError, Reason, UsageError

from tests.runtime.audit.conftest import fill, forge
from tests.runtime.audit.test_verify_log import ALONE, check_log
from tests.runtime.conftest import Yochi

from .conftest import Running, asked, png


def test_feedback_is_a_row_behind_the_judgement(server: Running) -> None:
    number = server.http.post("/v1/judgements", json=asked()).json()["id"]
    say = {"says": "correction", "verdict": "stop", "comment": "手が入っている。"}
    answer = server.http.post(f"/v1/judgements/{number}/feedback", json=say)
    assert (answer.status_code, answer.json()) == (201, {"id": number + 1})
    found = server.http.get("/v1/judgements?limit=2").json()
    newest, judged = found["entries"]
    assert (newest["id"], newest["judgement"], judged["id"], judged["feedback"]) == (
        number + 1,
        None,
        number,
        None,
    )
    stored = list(rows(server.service.settings.log))
    assert newest["feedback"] == {**say, "row": number, "hash": stored[number - 1].hash}
    assert server.http.get(f"/v1/judgements/{number + 1}").json() == newest
    assert "none changed or missing" in verify(server.service.settings.log)
    assert server.http.post(f"/v1/judgements/{number + 1}/feedback", json=say).status_code == 404


WRONG: list[Any] = [
    {},
    {"says": "perhaps"},
    {"says": "correction"},
    {"says": "right", "verdict": "stop"},
    {"says": "correction", "verdict": "cannot_judge"},
    {"says": "right", "comment": "x" * 501},
    {"says": "right", "by": "me"},
    [],
]


@pytest.mark.parametrize("body", WRONG, ids=json.dumps)
def test_what_is_no_feedback_is_refused(server: Running, body: Any) -> None:
    number = server.http.post("/v1/judgements", json=asked()).json()["id"]
    answer = server.http.post(f"/v1/judgements/{number}/feedback", json=body)
    assert (answer.status_code, len(answer.json()["detail"].splitlines())) == (422, 1)
    assert server.http.get("/v1/judgements?limit=1").json()["entries"][0]["id"] == number


@pytest.mark.parametrize(("number", "status"), [(10**6, 404), (0, 422), (2**63, 422), ("x", 422), (-1, 422)])
def test_feedback_needs_its_judgement(server: Running, number: Any, status: int) -> None:
    server.http.post("/v1/judgements", json=asked())
    for answer in (
        server.http.post(f"/v1/judgements/{number}/feedback", json={"says": "right"}),
        server.http.get(f"/v1/judgements/{number}"),
    ):
        assert answer.status_code == status, answer.text


def test_the_log_is_read_page_by_page(server: Running) -> None:
    for seed in range(3):
        server.http.post("/v1/judgements", json=asked(png(seed)))
    every, before = [], None
    while True:
        query = {"limit": 2} if before is None else {"limit": 2, "before": before}
        page = server.http.get("/v1/judgements", params=query).json()
        every += [entry["id"] for entry in page["entries"]]
        before = page["before"]
        if before is None:
            break
    assert every == list(range(every[0], 0, -1))
    assert server.http.get("/v1/judgements?limit=101").status_code == 422
    assert server.http.get("/v1/judgements?before=0").status_code == 422


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Five judgements, and of the second that it was wrong."""
    log = fill(tmp_path / "audit.db", 5)
    with AuditLog(log) as writer:
        assert writer.add_feedback(2, Feedback(says="wrong", comment="\x1b[31mred\n=1+1")) == 6
    return log


def test_every_reader_of_the_log_knows_feedback(said: Path, yochi: Yochi, tmp_path: Path) -> None:
    assert "6 rows, none changed" in verify(said)
    assert "6 rows, none changed" in check_log(said)
    code, out, _ = yochi("audit", "show", said, "--last", 1)
    assert code == 0
    assert out.split(maxsplit=2)[2].startswith("feedback")
    assert 'row 2 is wrong: "[31mred =1+1"' in out
    assert yochi("audit", "export", said, "--csv", tmp_path / "log.csv")[0] == 0
    with (tmp_path / "log.csv").open(encoding="utf-8-sig", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert (last["verdict"], last["sequence"]) == ("feedback", "6")
    code, _, err = yochi("replay", 6, "--audit", said)
    assert (code, "expected row 6 to hold a judgement" in err) == (2, True)


def test_feedback_cannot_be_taken_back(said: Path) -> None:
    with closing(sqlite3.connect(said)) as db:
        for statement in ("DELETE FROM judgements", "UPDATE judgements SET judgement = '{}'"):
            with pytest.raises(sqlite3.IntegrityError, match="cannot be"):
                db.execute(f"{statement} WHERE sequence = 6")
    forge(said, "UPDATE judgements SET judgement = replace(judgement, 'wrong', 'right') WHERE sequence = 6")
    with pytest.raises(Broken, match="row 6 was changed"):
        verify(said)
    with pytest.raises(ALONE["Wrong"], match="row 6 was changed"):
        check_log(said)


def test_feedback_that_cannot_be_written_is_an_error(said: Path) -> None:
    with AuditLog(said) as writer:
        with pytest.raises(UsageError, match="got 7, which it has not"):
            writer.add_feedback(7, Feedback(says="right"))
        with pytest.raises(UsageError, match="row 6 is something else"):
            writer.add_feedback(6, Feedback(says="right"))
        assert writer.add_feedback(1, Feedback(says="right")) == 7  # what failed was undone
    forge(said, "UPDATE judgements SET note = 'another' WHERE sequence = 3")
    with AuditLog(said) as writer, pytest.raises(AuditError) as e:
        writer.add_feedback(3, Feedback(says="right"))
    assert e.value.reason is Reason.AUDIT_DAMAGED
    with pytest.raises(UsageError, match="there is none"):
        AuditLog(None).add_feedback(1, Feedback(says="right"))
