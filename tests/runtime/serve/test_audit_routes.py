"""The auditor's routes: search, one row, its picture, the chain, judging again, the table."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.audit import search as search_module
from yochi_runtime.audit.chain import Broken, row_at, rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.pictures import PictureStore
from yochi_runtime.audit.retention import retain
from yochi_runtime.audit.search import Wanted, newest_first, search
from yochi_runtime.audit.signing import create_key, read_key
from yochi_runtime.heads import HALVES
from yochi_runtime.image import decode_frame
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import NotKept
from yochi_runtime.replay import replay_with
from yochi_runtime.rules_in_force import rules_in_force
from yochi_runtime.serve.access import Access
from yochi_runtime.serve.view_words import view_words
from yochi_runtime.trust import __file__ as package

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle
from tests.runtime.audit.conftest import PROCEED, forge
from tests.runtime.conftest import noise

from .conftest import Running, asked, opens, png, running
from .test_access import TOKEN

EXAMPLE = Path(package).parent / "rules" / "example.toml"
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def flagging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyBundle]:
    made = make_bundle(tmp_path_factory.mktemp("flagging"), flags=["cue:fire"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_BASE", str(made.base))
        yield made


@pytest.fixture(scope="module")
def filled(flagging: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Row 1 and 2 with pictures, 3 `cannot_judge`, 4 feedback on 1, 5 feedback on 1 again."""
    log = tmp_path_factory.mktemp("audit") / "audit.db"
    rules = rules_in_force(EXAMPLE, None, flagging.folder, lambda _: None)
    with running(opens(flagging), log, keep_frames=True, rules=rules) as server:
        for body in (asked(note="プレスの横を掃く。"), asked(png(1)), asked(b"no picture")):
            assert server.http.post("/v1/judgements", json=body).status_code == 200
        for said in ({"says": "wrong"}, {"says": "correction", "verdict": "caution", "comment": "=1"}):
            assert server.http.post("/v1/judgements/1/feedback", json=said).status_code == 201
        yield server


def found(server: Running, **asks: Any) -> Any:
    return server.http.get("/v1/audit/search", params=asks).json()


FINDS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [3, 2, 1]),
    ({"verdict": "cannot_judge"}, [3]),
    ({"verdict": "stop"}, [2, 1]),
    ({"factor": "cue:fire"}, [2, 1]),
    ({"factor": "cue:forklift"}, []),
    ({"text": "ﾌﾟﾚｽ"}, [1]),
    ({"text": "PRESS"}, [3, 2]),
    ({"camera": "rtsp"}, []),
    ({"zone": "hall"}, []),
    ({"since": LATER}, []),
    ({"until": LATER}, [3, 2, 1]),
    ({"until": "2020-01-01"}, []),
    ({"before": 3}, [2, 1]),
]


@pytest.mark.parametrize(
    ("asks", "ids"), FINDS, ids=[f"{n}-{'-'.join(asks)}" for n, (asks, _) in enumerate(FINDS)]
)
def test_judgements_are_found(filled: Running, asks: dict[str, Any], ids: list[int]) -> None:
    answer = found(filled, **asks)
    assert [each["id"] for each in answer["found"]] == ids
    assert answer["before"] is None


def test_the_last_word_of_a_person_stands_in_the_list(filled: Running) -> None:
    assert [each["said"] for each in found(filled)["found"]] == [None, None, "correction"]


def test_what_is_no_time_is_refused(filled: Running) -> None:
    answer = filled.http.get("/v1/audit/search", params={"since": "yesterday"})
    assert (answer.status_code, "expected a time" in answer.json()["detail"]) == (422, True)


def test_one_judgement_is_shown_whole(filled: Running) -> None:
    shown, row = filled.http.get("/v1/audit/rows/1").json(), row_at(filled.service.settings.log, 1)
    assert (shown["hash"], shown["previous"], shown["picture"]) == (row.hash, row.previous, "kept")
    assert [(each["says"], each.get("comment")) for each in shown["feedback"]] == [
        ("wrong", None),
        ("correction", "=1"),
    ]
    assert shown["judgement"]["factors"][0]["slot"] == "cue:fire"
    assert filled.http.get("/v1/audit/rows/2").json()["feedback"] == []
    assert filled.http.get("/v1/audit/rows/3").json()["picture"] == "not_kept"


def test_its_picture_is_the_judged_one(filled: Running) -> None:
    answer = filled.http.get("/v1/audit/rows/1/picture")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(answer.content)).size == (128, 96)


@pytest.mark.parametrize("path", ["rows/4", "rows/99", "rows/3/picture", "rows/4/picture"])
def test_what_is_no_judgement_is_not_found(filled: Running, path: str) -> None:
    answer = filled.http.get(f"/v1/audit/{path}")
    assert (answer.status_code, answer.json()["detail"].startswith("expected ")) == (404, True)


def test_the_chain_is_verified(filled: Running) -> None:
    answer = filled.http.post("/v1/audit/verify").json()
    assert answer["whole"] is True
    assert answer["said"].startswith("5 rows, none changed or missing; head ")
    assert "2 pictures kept" in answer["said"]


def test_a_row_is_judged_again_and_leaves_none(filled: Running) -> None:
    for number in (1, 2):
        answer = filled.http.post(f"/v1/audit/rows/{number}/replay").json()
        assert answer == {"identical": True, "within_blur": False, "said": "identical"}
    assert len(list(rows(filled.service.settings.log))) == 5
    refused = filled.http.post("/v1/audit/rows/3/replay")
    assert (refused.status_code, "was not" in refused.json()["detail"]) == (409, True)
    assert filled.http.post("/v1/audit/rows/4/replay").status_code == 404


def test_a_blurred_picture_is_never_the_same(
    flagging: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = np.zeros((HALVES, HALVES), bool)
    top[:4] = True
    monkeypatch.setattr("yochi_runtime.judge.head_mask", lambda *_: top)
    log = tmp_path / "audit.db"
    with running(opens(flagging), log, keep_frames=True, blur_faces=True) as server:
        dim = io.BytesIO()
        Image.fromarray(noise().rgb // 64).save(dim, "PNG")
        for body in (asked(), asked(dim.getvalue())):
            assert server.http.post("/v1/judgements", json=body).status_code == 200
        one, dark = (server.http.get(f"/v1/audit/rows/{number}").json() for number in (1, 2))
        assert (one["picture"], one["judgement"]["identities"]["frame"]) == ("kept", noise().sha256)
        shown = decode_frame(server.http.get("/v1/audit/rows/1/picture").content).rgb
        assert shown[:20].std() < 0.5 * shown[40:].std()
        assert (dark["picture"], dark["judgement"]["not_kept"]) == ("not_kept", "not_looked")
        answer = server.http.post("/v1/audit/rows/1/replay").json()
        assert (answer["identical"], answer["within_blur"]) == (False, True)
        assert "judged again with the blurred picture that was kept" in answer["said"]
    words = view_words("audit", "ja")
    assert {"blurred", "within_blur", *(f"unkept_{why}" for why in NotKept)} <= words.keys()


def test_another_bundle_or_rulebook_is_refused(filled: Running, module_tiny: TinyBundle) -> None:
    log = filled.service.settings.log
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_BASE", str(module_tiny.base))
        with (
            Judge.open(module_tiny.folder, trust=frozenset({module_tiny.sha256}), threads=1) as other,
            pytest.raises(Exception, match=r"expected the bundle .* of row 1, the one in use is"),
        ):
            replay_with(log, 1, other, None)
    fire = filled.service.desk.opened
    assert fire is not None
    with pytest.raises(Exception, match=r"expected the rulebook .* of row 1, got none"):
        replay_with(log, 1, fire, None)


def test_without_an_engine_nothing_is_judged_again(filled: Running) -> None:
    def broken() -> Judge:
        raise OSError("no memory")

    with running(broken, filled.service.settings.log, ready=False) as server:
        answer = server.http.post("/v1/audit/rows/1/replay")
    assert (answer.status_code, answer.json()["detail"].startswith("expected ")) == (503, True)


def test_the_table_is_that_of_the_command_line(filled: Running) -> None:
    answer = filled.http.get("/v1/audit/export.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    table = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [line["sequence"] for line in table] == ["1", "2", "3", "4", "5"]
    assert table[0]["note"] == "プレスの横を掃く。"


def test_a_search_goes_back_so_far_and_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        for number in range(1, 8):
            log.record(PROCEED, f"note {number}")
    monkeypatch.setattr(search_module, "SCAN", 3)
    first = search(path, Wanted(text="note 1"))
    assert (first.hits, first.before, first.read) == ((), 5, 3)
    second = search(path, Wanted(text="note 1"), first.before)
    third = search(path, Wanted(text="note 1"), second.before)
    assert (second.before, [hit.row.sequence for hit in third.hits], third.before) == (2, [1], None)
    monkeypatch.setattr(search_module, "PAGE", 2)
    page = search(path, Wanted())
    assert ([hit.row.sequence for hit in page.hits], page.before) == ([7, 6], 6)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE judgements SET note = 'x' WHERE sequence = 2", "row 2 was changed"),
        ("DELETE FROM judgements WHERE sequence = 2", "row 2 is missing"),
        ("UPDATE judgements SET previous = hash WHERE sequence = 3", "row 3 was changed"),
    ],
)
def test_a_spoiled_log_is_not_searched(tmp_path: Path, statement: str, said: str) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        for number in range(3):
            log.record(PROCEED, f"note {number}")
    forge(path, statement)
    with pytest.raises(Broken, match=said):
        list(newest_first(path))


def test_a_deleted_and_a_lost_picture_are_told_apart(flagging: TinyBundle, tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    create_key(tmp_path / "key")
    with running(opens(flagging), log, keep_frames=True) as server:
        for seed in (0, 1):
            server.http.post("/v1/judgements", json=asked(png(seed)))
        PictureStore(log).delete(
            server.http.get("/v1/audit/rows/2").json()["judgement"]["identities"]["picture"]
        )
        assert server.http.get("/v1/audit/rows/2").json()["picture"] == "missing"
        verified = server.http.post("/v1/audit/verify").json()
        assert (verified["whole"], "1 missing without one" in verified["said"]) == (False, True)
        retain(log, LATER.replace("+00:00", "Z"), read_key(tmp_path / "key"))
        gone = server.http.get("/v1/audit/rows/1").json()
        assert (gone["picture"], gone["deleted_in"]) == ("deleted", 3)


def test_an_empty_log_is_whole_and_searched(module_tiny: TinyBundle, tmp_path: Path) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db") as server:
        assert found(server) == {"found": [], "before": None, "read": 0}
        assert server.http.post("/v1/audit/verify").json()["whole"] is True
        assert server.http.get("/v1/audit/rows/1").status_code == 404
        assert server.http.get("/v1/audit/export.csv").text.count("\n") == 1


def test_beyond_the_box_all_of_it_needs_the_token(module_tiny: TinyBundle, tmp_path: Path) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db", access=Access("127.0.0.1", TOKEN)) as server:
        http = server.http
        for path in ("/v1/audit/search", "/v1/audit/rows/1", "/v1/audit/export.csv", "/v1/engineer/state"):
            assert http.get(path).status_code == 401
        for path in ("/audit", "/engineer"):
            http.cookies.clear()
            login = http.get(path)
            assert (login.status_code, f'name="to" value="{path}"' in login.text) == (401, True)
            assert http.post("/login", data={"token": TOKEN, "to": path}).headers["location"] == path
        away = http.post("/login", data={"token": TOKEN, "to": "https://evil.example/"})
        assert away.headers["location"] == "/"
