"""Judging over HTTP: what comes in, what comes out, what is recorded, and nothing that leads to `proceed`."""

import json
import socket
import sqlite3
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import Reason
from yochi_runtime.run import Judged
from yochi_runtime.serve import intake

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import PLAIN_NOTE, noise

from .conftest import Running, asked, opens, png, running, wait_until


def posted(server: Running, **request: Any) -> Any:
    return server.http.post("/v1/judgements", **request)


def form(picture: bytes, note: str | bytes = PLAIN_NOTE) -> dict[str, Any]:
    return {"files": {"image": ("frame.png", picture)}, "data": {"note": note}}


def test_json_and_form_are_the_same_judgement(server: Running) -> None:
    first, second = posted(server, json=asked(png(1))), posted(server, **form(png(1)))
    assert (first.status_code, second.status_code) == (200, 200)
    one, two = first.json(), second.json()
    assert one["judgement"]["verdict"] == "proceed"
    assert one["judgement"]["identities"]["frame"] == noise(1).sha256
    assert two["judgement"]["slots"] == one["judgement"]["slots"]
    assert two["id"] == one["id"] + 1
    assert (one["note"], one["origin"], one["age_s"], one["valid_s"]) == (PLAIN_NOTE, "request", 0.0, 10.0)
    assert "decode" in one["judgement"]["timings_ms"]


def test_a_japanese_note_arrives_in_both_forms(server: Running) -> None:
    note = "床を掃く。"
    for request in ({"json": asked(note=note)}, form(png(), note)):
        found = posted(server, **request).json()
        assert (found["note"], found["judgement"]["language"]) == (note, "ja")


REFUSED = [
    (b"", PLAIN_NOTE, Reason.FRAME_UNREADABLE),
    (b"no picture", PLAIN_NOTE, Reason.FRAME_UNREADABLE),
    (png()[:300], PLAIN_NOTE, Reason.FRAME_TRUNCATED),
    (png(), "", Reason.NOTE_EMPTY),
    (png(), "x" * 2001, Reason.NOTE_TOO_LONG),
    (png(), "Подметите пол у пресса.", Reason.LANGUAGE_NOT_PROVED),
]


@pytest.mark.parametrize(("picture", "note", "reason"), REFUSED, ids=[str(r) for *_, r in REFUSED])
def test_what_cannot_be_judged_is_recorded(
    server: Running, picture: bytes, note: str, reason: Reason
) -> None:
    answer = posted(server, json=asked(picture, note))
    found = answer.json()
    assert (answer.status_code, found["judgement"]["verdict"]) == (200, "cannot_judge")
    assert found["judgement"]["reasons"] == [reason]
    assert server.http.get(f"/v1/judgements/{found['id']}").json()["judgement"] == found["judgement"]


def bomb() -> bytes:
    """60,000 x 60,000 pixels in 100 bytes of a PNG's header."""
    head = bytearray(png()[:33])
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    return bytes(head) + png()[33:]


def test_a_bomb_is_not_unpacked(server: Running) -> None:
    found = posted(server, json=asked(bomb())).json()
    assert found["judgement"]["reasons"] == [Reason.FRAME_TOO_LARGE]


WRONG: list[tuple[int, dict[str, Any]]] = [
    (415, {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    (415, {}),
    (422, {"json": {"note": PLAIN_NOTE}}),
    (422, {"json": {"image": "", "note": PLAIN_NOTE, "extra": 1}}),
    (422, {"json": {"image": "not base64!", "note": PLAIN_NOTE}}),
    (422, {"json": {"image": "aa==", "note": 3}}),
    (422, {"content": b'{"image": "", "note": "\\ud800"}', "headers": {"Content-Type": "application/json"}}),
    (422, {"content": b"[" * 15_000, "headers": {"Content-Type": "application/json"}}),
    (422, {"data": {"note": PLAIN_NOTE}, "files": {"picture": b"x"}}),
    (422, {"data": {"note": "床".encode("shift_jis")}, "files": {"image": png()}}),
    (400, {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}),
    (422, {"content": b"--a\r\nx", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}),
    (400, {"data": {"note": [PLAIN_NOTE, "x"]}, "files": {"image": png()}}),
    (413, {"content": bytes(intake.MAX_BODY + 1), "headers": {"Content-Type": "application/json"}}),
]


@pytest.mark.parametrize(("status", "request_"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_request_is_one_line(server: Running, status: int, request_: dict[str, Any]) -> None:
    answer = posted(server, **request_)
    assert answer.status_code == status, answer.text
    assert len(answer.json()["detail"].splitlines()) == 1


def test_a_body_without_a_length_is_counted(server: Running) -> None:
    pieces = (bytes(1 << 20) for _ in range(17))
    answer = posted(server, content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BODY_SECONDS", 0.05)
    host, port = server.http.base_url.host, server.http.base_url.port
    with socket.create_connection((host, port)) as slow:
        head = f"POST /v1/judgements HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 9\r\n\r\n{{".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    assert server.service.seats.taken == 0


anything = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda image, note: json.dumps({"image": image, "note": note}).encode(),
        st.text(max_size=20) | st.binary(max_size=30).map(lambda b: asked(b)["image"]),
        st.text(max_size=40),
    ),
)
kinds = st.sampled_from(
    ["application/json", "multipart/form-data; boundary=a", "multipart/form-data", "text/plain", "\xff", ""]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=anything, kind=kinds)
def test_no_body_is_a_5xx_or_a_verdict(server: Running, body: bytes, kind: str) -> None:
    answer = posted(server, content=body, headers={"Content-Type": kind.encode("latin-1")})
    assert answer.status_code < 500
    if answer.status_code == 200:  # there is no picture among them
        assert answer.json()["judgement"]["verdict"] == "cannot_judge"


@settings(max_examples=40)
@given(
    parts=st.lists(
        st.sampled_from(
            [
                b"--a", b"--a--", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data; ", b'name="note"',
                b'name="image"; ', b'filename="f"', b"\xff\xfe", b"x" * 50,
            ]
        ),
        max_size=14,
    )
)  # fmt: skip
def test_no_form_is_a_5xx(server: Running, parts: list[bytes]) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=a"}
    assert posted(server, content=b"".join(parts), headers=kind).status_code < 500


def test_eight_clients_at_once(server: Running) -> None:
    """Each gets its own judgement, and the chain holds."""
    before = server.http.get("/v1/judgements?limit=1").json()["entries"]
    seeds = [10 + i for i in range(8)]

    def client(seed: int) -> list[Any]:
        return [posted(server, json=asked(png(seed), f"Sweep the floor {seed} {i}.")) for i in range(3)]

    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(seeds, pool.map(client, seeds), strict=True))
    ids = set()
    for seed, own in answers.items():
        for i, answer in enumerate(own):
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["note"] == f"Sweep the floor {seed} {i}."
            assert found["judgement"]["identities"]["frame"] == noise(seed).sha256
            ids.add(found["id"])
    first = before[0]["id"] + 1 if before else 1
    assert ids == set(range(first, first + 24))
    assert "none changed or missing" in verify(server.service.settings.log)


def held(server: Running) -> tuple[threading.Event, "Future[Any]"]:
    """The desk is busy until the event is set."""
    begun, free = threading.Event(), threading.Event()

    def work() -> Judged:
        begun.set()
        free.wait()
        raise RuntimeError("only to keep it busy")

    asked_for = server.service.desk.ask(work, lambda: None)
    begun.wait()
    return free, asked_for


def test_more_than_the_seats_are_sent_away(module_tiny: TinyBundle, tmp_path: Any) -> None:
    with (
        running(opens(module_tiny), tmp_path / "audit.db", waiting=2) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        free, _ = held(server)
        try:
            two = [pool.submit(posted, server, json=asked()) for _ in range(2)]
            wait_until(lambda: server.service.seats.taken == 2)
            answer = posted(server, json=asked())
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) >= 1
        finally:
            free.set()
        assert [f.result().status_code for f in two] == [200, 200]
        assert posted(server, json=asked()).status_code == 200
        assert 'yochi_http_responses_total{status="429"} 1.0' in server.http.get("/metrics").text


def test_a_request_past_its_deadline_is_cannot_judge_and_not_begun(
    module_tiny: TinyBundle, tmp_path: Any
) -> None:
    with running(opens(module_tiny), tmp_path / "audit.db", deadline=0.2) as server:
        free, busy = held(server)
        try:
            found = posted(server, json=asked()).json()
        finally:
            free.set()
        assert found["id"] is None
        assert found["judgement"]["reasons"] == [Reason.ENGINE_TIMEOUT]
        assert busy.result().judged.judgement.reasons == (Reason.ENGINE_FAILED,)
        assert server.http.get("/v1/judgements").json() == {"entries": [], "before": None}


def test_without_its_row_there_is_no_verdict(module_tiny: TinyBundle, tmp_path: Any) -> None:
    log = tmp_path / "audit.db"
    with running(opens(module_tiny), log) as server:
        assert posted(server, json=asked()).json()["id"] == 1
        with closing(sqlite3.connect(log)) as db:
            db.execute("DROP TRIGGER no_update")
            db.execute("UPDATE judgements SET note = 'another'")
            db.commit()
        found = posted(server, json=asked()).json()
        assert (found["id"], found["judgement"]["verdict"]) == (None, "cannot_judge")
        assert found["judgement"]["reasons"] == [Reason.AUDIT_DAMAGED]
        answer = server.http.get("/v1/judgements/1")
        assert (answer.status_code, "row 1 was changed" in answer.text) == (503, True)
        say = server.http.post("/v1/judgements/1/feedback", json={"says": "right"})
        assert say.status_code == 503
