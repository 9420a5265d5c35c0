"""A camera that is judged all the time: streamed, never older than it may be, and mended by itself."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from yochi_devices.camera import Camera, CameraError
from yochi_devices.frame import CameraFrame
from yochi_runtime.errors import Reason
from yochi_runtime.image import decode_frame
from yochi_runtime.inspection import Inspection
from yochi_runtime.judge import Judge
from yochi_runtime.run import WAITED, Looked, look
from yochi_runtime.serve import live as live_module
from yochi_runtime.serve.given import Given

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import PLAIN_NOTE, noise

from .conftest import Running, asked, opens, png, running, wait_until


class Eye(Camera):
    """A live camera of noise; `fault` is what it fails with. `opened` and `reads` count."""

    fault: str | None = None
    opened = reads = 0
    live = True

    def __init__(self, _: str) -> None:
        Eye.opened += 1
        self._read = 0

    def read(self) -> CameraFrame | None:
        if Eye.fault is not None:
            raise CameraError(Eye.fault)
        self._read += 1
        Eye.reads += 1
        return CameraFrame(noise(self._read).rgb, self._read, time.monotonic(), "eye", live=True)

    def close(self) -> None:
        pass


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> type[Eye]:
    monkeypatch.setattr(live_module, "open_camera", Eye)
    monkeypatch.setattr(live_module, "ERROR_PAUSE", 0.02)
    monkeypatch.setattr("yochi_runtime.run.ERROR_PAUSE", 0.02)
    monkeypatch.setattr(Eye, "fault", None)
    monkeypatch.setattr(Eye, "opened", 0)
    monkeypatch.setattr(Eye, "reads", 0)
    return Eye


@pytest.fixture
def watching(eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path) -> Iterator[Running]:
    assert eye.opened == 0
    with running(opens(module_tiny), tmp_path / "audit.db", camera="0", every=0.05) as server:
        yield server


def events(server: Running, count: int) -> list[tuple[str, Any]]:
    """The first events of the stream: their kind and data."""
    found: list[tuple[str, Any]] = []
    with server.http.stream("GET", "/v1/live/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((kind, json.loads(line.removeprefix("data: "))))
                if len(found) == count:
                    break
    return found


def judged(server: Running) -> Any:
    return server.http.get("/v1/live").json()["judgement"]


def test_verdicts_are_streamed_and_recorded(watching: Running) -> None:
    wait_until(lambda: judged(watching)["verdict"] == "proceed")
    found = [data for kind, data in events(watching, 4) if kind == "judgement"]
    assert len(found) >= 2
    ids = [data["id"] for data in found]
    assert ids == sorted(set(ids))
    for data in found:
        assert (data["origin"], data["note"]) == ("camera", PLAIN_NOTE)
        recorded = watching.http.get(f"/v1/judgements/{data['id']}").json()["judgement"]
        assert recorded == data["judgement"]
        assert {gate["reason"] for gate in recorded["gates"]} > {"frame_stale", "frame_frozen"}


def test_requests_are_judged_between_its_frames(watching: Running) -> None:
    found = watching.http.post("/v1/judgements", json=asked(png(99))).json()
    assert (found["origin"], found["judgement"]["identities"]["frame"]) == ("request", noise(99).sha256)


def test_a_frame_that_waited_for_the_desk_is_not_judged(watching: Running, eye: type[Eye]) -> None:
    begun, held = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        held.wait()

    desk = watching.service.desk
    busy = desk.run(hold)
    begun.wait()
    wait_until(lambda: len(desk._camera) == 1)  # the loop waits with its frame
    waiting = eye.reads
    time.sleep(2 * WAITED)  # which grows old
    held.set()
    busy.result()
    wait_until(lambda: eye.reads > waiting + 1)
    rows = watching.http.get("/v1/judgements", params={"limit": 50}).json()["entries"]
    seen = {row["judgement"]["identities"]["frame"] for row in rows if row["judgement"]}
    assert noise(waiting).sha256 not in seen
    assert noise(waiting + 1).sha256 in seen


@pytest.mark.parametrize("where", ["waiting for the desk", "being judged"])
def test_a_camera_lost_during_a_judgement_is_told_before_it_ends(
    watching: Running, eye: type[Eye], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    begun, free = threading.Event(), threading.Event()

    def held() -> None:
        begun.set()
        free.wait()

    def slowly(judge: Judge, inspection: Inspection) -> Looked:
        held()
        return look(judge, inspection)

    wait_until(lambda: judged(watching)["verdict"] == "proceed")
    if where == "being judged":
        monkeypatch.setattr(live_module, "look", slowly)
    else:
        watching.service.desk.run(held)
    begun.wait()
    before = watching.http.get("/v1/judgements").json()["entries"][0]["id"]
    eye.fault = "expected a frame, got none; check the cable"
    wait_until(lambda: judged(watching)["verdict"] == "cannot_judge")
    told = watching.http.get("/v1/live").json()
    assert (told["id"], told["judgement"]["reasons"]) == (None, [Reason.FRAME_UNREADABLE])
    seen: list[str] = []  # on the screen, whenever a judgement was given
    monkeypatch.setattr(watching.service.live, "_tell", lambda *_: seen.append(on_screen(watching)))
    free.set()
    wait_until(lambda: watching.http.get("/v1/live").json()["id"] is not None)
    assert set(seen) == {"cannot_judge"}  # the judgement of before is in the log and on no screen
    rows = watching.http.get("/v1/judgements", params={"limit": 50}).json()["entries"]
    after = [row["judgement"]["verdict"] for row in reversed(rows) if row["id"] > before]
    assert after[:2] == [
        "proceed" if where == "being judged" else "cannot_judge",
        "cannot_judge",
    ]
    eye.fault = None
    wait_until(lambda: judged(watching)["verdict"] == "proceed")


def on_screen(server: Running) -> str:
    live = server.service.live
    assert live is not None
    return str(live.shown.given.judgement.verdict)


def test_another_note_is_judged_from_the_next_frame_on(watching: Running, eye: type[Eye]) -> None:
    assert watching.http.put("/v1/live/note", json={"note": "床を掃く。"}).status_code == 200
    wait_until(lambda: judged(watching)["language"] == "ja")
    assert watching.http.get("/v1/live").json()["note"] == "床を掃く。"
    watching.http.put("/v1/live/note", json={"note": " "})
    wait_until(lambda: judged(watching)["reasons"] == [Reason.NOTE_EMPTY])
    for wrong in ({}, {"note": 1}, {"note": "x", "y": 1}):
        assert watching.http.put("/v1/live/note", json=wrong).status_code == 422
    assert eye.opened == 1  # the camera is not to blame for the note
    watching.http.put("/v1/live/note", json={"note": PLAIN_NOTE})
    wait_until(lambda: judged(watching)["verdict"] == "proceed")


def test_the_picture_is_the_one_that_was_judged(module_tiny: TinyBundle, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(noise(3).rgb).save(folder / "a.png")
    with running(opens(module_tiny), tmp_path / "audit.db", camera=folder) as server:
        wait_until(lambda: judged(server)["identities"]["frame"] is not None)
        sha256 = judged(server)["identities"]["frame"]
        assert sha256 == noise(3).sha256
        answer = server.http.get("/v1/live/frame", params={"sha256": sha256})
        assert answer.headers["content-type"] == "image/jpeg"
        gray = [rgb.mean(axis=2).ravel() for rgb in (decode_frame(answer.content).rgb, noise(3).rgb)]
        assert np.corrcoef(*gray)[0, 1] > 0.7  # another seed: 0.0
        for wrong, status in (("0" * 64, 404), ("..", 422)):
            assert server.http.get("/v1/live/frame", params={"sha256": wrong}).status_code == status


def test_a_camera_that_is_gone_is_cannot_judge_and_comes_back(watching: Running, eye: type[Eye]) -> None:
    wait_until(lambda: judged(watching)["verdict"] == "proceed")
    eye.fault = "expected a frame, got none; check the cable"
    wait_until(lambda: judged(watching)["verdict"] == "cannot_judge")
    assert judged(watching)["reasons"] == [Reason.FRAME_UNREADABLE]
    eye.fault = None
    wait_until(lambda: judged(watching)["verdict"] == "proceed")
    assert eye.opened == 1  # it opens itself again


def test_a_camera_that_cannot_be_opened_is_tried_again(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> Camera:
        raise RuntimeError("driver")

    monkeypatch.setattr(live_module, "open_camera", broken)
    with running(opens(module_tiny), tmp_path / "audit.db", camera="0") as server:
        wait_until(lambda: "got RuntimeError: driver" in str(judged(server)["message"]))
        monkeypatch.setattr(live_module, "open_camera", eye)
        wait_until(lambda: judged(server)["verdict"] == "proceed")


def test_a_verdict_expires(module_tiny: TinyBundle, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(noise(3).rgb).save(folder / "a.png")
    with running(opens(module_tiny), tmp_path / "audit.db", camera=folder, valid_s=0.3) as server:
        wait_until(lambda: server.service.live is not None and server.service.live.shown.given.id == 1)
        wait_until(lambda: judged(server)["reasons"] == [Reason.EXPIRED])
        found = server.http.get("/v1/live").json()
        assert (found["id"], found["valid_s"]) == (1, 0.3)
        assert found["age_s"] > 0.3
        assert server.http.get("/v1/judgements/1").json()["judgement"]["verdict"] == "proceed"
        kinds = [(kind, set(data)) for kind, data in events(server, 2)]
        assert kinds[1] == ("beat", {"age_s"})


def test_before_the_first_frame_there_is_no_verdict(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def slow(uri: str) -> Camera:
        free.wait()
        return eye(uri)

    monkeypatch.setattr(live_module, "open_camera", slow)
    with running(opens(module_tiny), tmp_path / "audit.db", camera="0") as server:
        found = server.http.get("/v1/live").json()
        free.set()
    assert (found["id"], found["judgement"]["verdict"]) == (None, "cannot_judge")


def test_a_stream_has_a_limited_number_of_listeners(watching: Running) -> None:
    streams = watching.service.streams
    taken = [streams.take() for _ in range(16)]
    for seat in taken:
        seat.__enter__()
    answer = watching.http.get("/v1/live/events")
    assert answer.status_code == 429
    for seat in taken:
        seat.__exit__(None, None, None)
    assert events(watching, 1)


def test_age_decides_between_verdict_and_expired(watching: Running) -> None:
    given = Given.model_validate(watching.http.post("/v1/judgements", json=asked()).json())
    assert given.at(given.valid_s).judgement == given.judgement
    old = given.at(given.valid_s + 0.001)
    assert (old.judgement.verdict, old.judgement.reasons) == ("cannot_judge", (Reason.EXPIRED,))
    assert old.judgement.identities == given.judgement.identities
