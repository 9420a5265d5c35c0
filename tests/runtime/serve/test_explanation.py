"""An explanation over HTTP: after its judgement, of no other one, and in nobody's way."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from yochi_runtime.audit.chain import rows
from yochi_runtime.errors import Dropped
from yochi_runtime.explainer import Explained
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode
from yochi_runtime.taxonomy import Text

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .conftest import Running, asked, opens, png, running, wait_until
from .test_live import Eye, eye

__all__ = ["eye"]
SSE = {"Accept": "text/event-stream"}
STEERED = 'No hat; "exit"\n\ndata: {}\u2028event: judgement <script> shut'


@pytest.fixture(scope="module")
def explains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyBundle]:
    flags = ("cue:no_hard_hat", "note_content:egress")
    made = make_bundle(tmp_path_factory.mktemp("explains"), flags=flags, explanation="explain-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_BASE", str(made.base))
        yield made


@pytest.fixture(scope="module")
def server(explains: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(opens(explains), tmp_path_factory.mktemp("serve") / "audit.db") as started:
        yield started


def posted(server: Running, note: str = "No hat; exit shut.", seed: int = 0) -> list[tuple[str, Any]]:
    """The events that a picture and a note are answered with."""
    answer = server.http.post("/v1/judgements", json=asked(png(seed), note), headers=SSE)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    found = []
    for event in answer.text.split("\n\n")[:-1]:
        kind, data = event.split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def counted(server: Running) -> dict[str, float]:
    families = text_string_to_metric_families(server.http.get("/metrics").text)
    (family,) = (f for f in families if f.name == "yochi_explanations")
    return {s.labels["end"]: s.value for s in family.samples if s.name.endswith("_total")}


@pytest.mark.parametrize("note", ["No hat; exit shut.", "帽子なし。出口が閉鎖。", STEERED])
def test_a_judgement_and_then_its_explanation(server: Running, note: str) -> None:
    before = counted(server).get("said", 0.0)
    (first, given), *told = posted(server, note)
    assert (first, given["judgement"]["verdict"], given["note"]) == ("judgement", "caution", note)
    assert {kind for kind, _ in told} == {"explanation"}
    assert {one["id"] for _, one in told} == {given["id"]}
    *steps, end = (Explained.model_validate(one["explanation"]) for _, one in told)
    assert all(step.text is None and step.dropped is None for step in steps)
    assert end.text is not None
    assert end.text.en.startswith("Seen: ")
    assert counted(server)["said"] == before + 1


def test_whoever_does_not_ask_for_it_waits_for_none(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "explain", lambda *_, **__: pytest.fail("nobody reads it"))
    answer = server.http.post("/v1/judgements", json=asked())
    assert answer.json()["judgement"]["verdict"] == "caution"
    assert server.service.desk.alive


def test_the_log_has_the_judgement_alone(server: Running) -> None:
    (_, given), *_ = posted(server)
    row = next(row for row in rows(server.service.settings.log) if row.sequence == given["id"])
    assert "Seen" not in row.judgement
    assert sum(1 for _ in rows(server.service.settings.log)) == given["id"]


def test_a_request_that_cannot_be_meant_is_refused_before_any_event(server: Running) -> None:
    answer = server.http.post("/v1/judgements", json={"note": "x"}, headers=SSE)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")


def test_what_cannot_be_judged_has_no_explanation(server: Running) -> None:
    ((kind, given),) = posted(server, "проверить")
    assert (kind, given["judgement"]["verdict"]) == ("judgement", "cannot_judge")


def test_a_fault_in_it_is_counted_and_the_next_is_judged(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counted(server).get("invalid", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr("yochi_runtime.explainer.holds", lambda *_: False)
        *_, (_, told) = posted(server)
    assert (told["explanation"]["dropped"], told["explanation"]["text"]) == ("invalid", None)
    assert counted(server)["invalid"] == before + 1
    assert posted(server)[-1][1]["explanation"]["text"] is not None


def test_somebody_else_who_wants_a_judgement_interrupts_it(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first explanation goes on until it is stopped, which the second request does."""
    begun, ended = threading.Event(), []

    def endless(_: Judge, shown: object, *, stop: Any) -> Iterator[Explained]:
        assert shown is not None
        begun.set()
        wait_until(stop)
        ended.append(True)
        yield Explained(
            lang="en", said="", tokens=0, chosen=0, first_ms=None, ms=1.0, dropped=Dropped.INTERRUPTED
        )

    answers: list[list[tuple[str, Any]]] = []
    before = counted(server).get("interrupted", 0.0)
    with monkeypatch.context() as slow:
        slow.setattr(Judge, "explain", endless)
        first = threading.Thread(target=lambda: answers.append(posted(server)))
        first.start()
        assert begun.wait(60)
        second = server.http.post("/v1/judgements", json=asked(png(1))).json()
        first.join()
    assert second["judgement"]["verdict"] == "caution"
    assert ended == [True]
    assert answers[0][-1][1]["explanation"]["dropped"] == "interrupted"
    assert counted(server)["interrupted"] == before + 1


# The camera.


@pytest.fixture
def watching(eye: type[Eye], explains: TinyBundle, tmp_path: Path) -> Iterator[Running]:
    assert eye.opened == 0
    with running(opens(explains), tmp_path / "audit.db", camera="0", every=0.5) as server:
        yield server


def heard(server: Running, kinds: list[str]) -> list[tuple[str, Any]]:
    """Events of the stream until those of `kinds` have come in their order."""
    found: list[tuple[str, Any]] = []
    with server.http.stream("GET", "/v1/live/events") as stream:
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((kind, json.loads(line.removeprefix("data: "))))
                if kinds and kind == kinds[0]:
                    kinds = kinds[1:]
                if not kinds:
                    break
    return found


def test_the_camera_s_verdicts_are_explained_to_who_listens(watching: Running) -> None:
    wait_until(lambda: watching.http.get("/v1/live").json()["judgement"]["verdict"] == "caution")
    assert counted(watching) == {}  # nobody has listened
    last = None
    for kind, data in heard(watching, ["judgement", "explanation", "judgement", "explanation"]):
        if kind == "judgement":
            last = data["id"]
        elif kind == "explanation":
            assert data["id"] == last
    assert sum(counted(watching).values()) > 0


def test_in_shadow_nothing_is_said(eye: type[Eye], explains: TinyBundle, tmp_path: Path) -> None:
    assert eye.opened == 0
    with running(opens(explains), tmp_path / "audit.db", camera="0", every=0.05, mode=Mode.SHADOW) as server:
        kinds = {kind for kind, _ in heard(server, ["judgement"] * 3)}
        assert "explanation" not in kinds
        assert [kind for kind, _ in posted(server)] == ["judgement"]
        assert counted(server) == {}


def test_what_is_shown_otherwise_is_not_explained(watching: Running) -> None:
    live = watching.service.live
    assert live is not None
    told = Explained(
        lang="en", said="x", tokens=1, chosen=0, first_ms=1.0, ms=1.0, text=Text(en="Seen.", ja="根拠。")
    )
    wait_until(lambda: live.shown.given.judgement.verdict == "caution")
    shown = live.shown._replace(explained=told)
    found = shown.told(Mode.ADVISE)
    assert found is not None
    assert (found.id, found.explanation) == (shown.given.id, told)
    assert shown.told(Mode.SHADOW) is None
    assert shown.told(Mode.ENFORCE) is None  # made in another mode: it is a cannot_judge now
    assert shown._replace(since=shown.since - 100).told(Mode.ADVISE) is None  # expired
