"""The second token: what it changes, what is refused without it, the rows, and a kill between them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from yochi_devices.frame import CameraFrame
from yochi_devices.plant.line import Line
from yochi_runtime import rules_in_force as rules_module
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.audit.table import line as table_line
from yochi_runtime.audit.updates import Update
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import AuditError, EngineError, Reason, UsageError
from yochi_runtime.judge import Judge
from yochi_runtime.judgement import Judgement
from yochi_runtime.mode import Mode
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rules_in_force import RulesInForce
from yochi_runtime.serve import live as live_module
from yochi_runtime.serve.access import ADMIN_HEADER, Access, read_token
from yochi_runtime.serve.change_routes import change_routes
from yochi_runtime.serve.kept import Kept, KeptFile
from yochi_runtime.signalling import Signals

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle
from tests.runtime.conftest import Yochi, yochi
from tests.runtime.rulebooks import MINIMAL, PACK

from . import killed_change
from .conftest import Running, asked, opens, running, wait_until
from .test_access import BEARER, TOKEN
from .test_live import Eye, eye
from .test_modes import fails
from .test_page import Tags

__all__ = ["eye", "yochi"]  # fixtures
ADMIN_TOKEN = "fedcba9876543210fedcba9876543210"
ADMIN = {ADMIN_HEADER: ADMIN_TOKEN}
ACCESS = Access("127.0.0.1", admin=ADMIN_TOKEN)
SHADOW = {"mode": "shadow"}


def version(number: int) -> str:
    return MINIMAL.replace('version = "1"', f'version = "{number}"')


def told(log: Path) -> list[tuple[str, ...]]:
    """What the log says of changes, the newest last; it is whole, and people can read it."""
    if not log.exists():
        return []
    verify(log)
    held: list[tuple[str, ...]] = []
    for row in rows(log):
        assert table_line(row)
        found = json.loads(row.judgement).get("update")
        if found is not None:
            assert found["by"] == "admin"
            held.append((found["what"], found["did"], found.get("before", ""), found.get("after", "")))
    return held


def put_mode(server: Running, mode: str, headers: dict[str, str] = ADMIN) -> Any:
    return server.http.put("/v1/mode", json={"mode": mode}, headers=headers)


@pytest.fixture(scope="module")
def guarded(module_tiny: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that takes changes, and in these tests is asked for none that is taken."""
    log = tmp_path_factory.mktemp("guarded") / "audit.db"
    with running(opens(module_tiny), log, access=ACCESS) as started:
        yield started


WRONG = [
    ({}, "the second token"),
    ({ADMIN_HEADER: ""}, "the second token"),
    ({ADMIN_HEADER: ADMIN_TOKEN[:-1]}, "the second token"),
    ({ADMIN_HEADER: f"{ADMIN_TOKEN}x"}, "the second token"),
    ({ADMIN_HEADER: "Bearer \xe5"}, "the second token"),
    ({"authorization": f"Bearer {ADMIN_TOKEN}"}, "the second token"),
    ({**ADMIN, "origin": "http://evil.example"}, "another site"),
    ({**ADMIN, "sec-fetch-site": "cross-site"}, "another site"),
    ({**ADMIN, "host": "evil.example"}, "localhost as the host"),
]


def routes(server: Running) -> list[tuple[str, str]]:
    return [
        (next(iter(route.methods)), route.path)  # type: ignore[attr-defined]
        for route in change_routes(server.service).routes
    ]


@pytest.mark.parametrize(("headers", "said"), WRONG, ids=range(len(WRONG)))
def test_every_change_needs_the_second_token_and_the_same_site(
    guarded: Running, headers: dict[str, str], said: str
) -> None:
    assert len(routes(guarded)) == 3
    for method, path in routes(guarded):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        found = guarded.http.request(method, path, json=SHADOW, headers=raw)
        assert (found.status_code, said in found.json()["detail"]) == (403, True), path
        assert guarded.http.get(path, headers=ADMIN).status_code in (404, 405)
    assert guarded.service.desk.mode is Mode.ADVISE
    assert told(guarded.service.settings.log) == []


def test_without_a_second_token_nothing_is_changed(server: Running) -> None:
    for method, path in routes(server):
        for headers in ({}, ADMIN, {ADMIN_HEADER: ""}):
            found = server.http.request(method, path, json=SHADOW, headers=headers)
            assert found.status_code == 403
            assert "this service has none" in found.json()["detail"]
    assert server.http.get("/v1/engineer/state").json()["changes"] is False


@pytest.mark.parametrize("body", [b"", b"{}", b'{"mode": "Enforce"}', b'{"mode": "shadow", "why": 1}'])
def test_what_is_no_mode_is_refused(guarded: Running, body: bytes) -> None:
    assert guarded.http.put("/v1/mode", content=body, headers=ADMIN).status_code == 422


def test_behind_a_proxy_both_tokens_are_needed(module_tiny: TinyBundle, tmp_path: Path) -> None:
    access = Access("127.0.0.1", TOKEN, ADMIN_TOKEN)
    with running(opens(module_tiny), tmp_path / "audit.db", access=access) as server:
        assert put_mode(server, "shadow").status_code == 401
        assert put_mode(server, "shadow", BEARER).status_code == 403
        assert put_mode(server, "shadow", {ADMIN_HEADER: TOKEN, **BEARER}).status_code == 403
        assert put_mode(server, "shadow", {**ADMIN, **BEARER}).status_code == 200
        assert server.http.get("/v1/judgements", headers=ADMIN).status_code == 401


def test_the_second_token_is_read_as_the_first_and_is_another(tmp_path: Path, yochi: Yochi) -> None:
    file = tmp_path / "admin"
    file.write_text(ADMIN_TOKEN)
    file.chmod(0o644)
    code, _, err = yochi("serve", "--port", 0, "--audit", tmp_path / "a.db", "--admin-token-file", file)
    assert (code, len(err.splitlines()), "got mode 0644" in err) == (2, 1, True)
    assert read_token(None, {"YOCHI_ADMIN_TOKEN": ADMIN_TOKEN}, "YOCHI_ADMIN_TOKEN") == ADMIN_TOKEN
    assert read_token(None, {"YOCHI_TOKEN": TOKEN}, "YOCHI_ADMIN_TOKEN") is None
    with pytest.raises(UsageError, match="YOCHI_ADMIN_TOKEN, got something else"):
        read_token(None, {"YOCHI_ADMIN_TOKEN": "short"}, "YOCHI_ADMIN_TOKEN")
    with pytest.raises(UsageError, match="another token for changes"):
        Access("127.0.0.1", TOKEN, TOKEN)


@pytest.fixture
def hand(eye: type[Eye], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Running], Judgement]]:
    """Gives the camera one frame, and what is shown of it; without, it has none."""
    handed = threading.Semaphore(0)

    class Handed(eye):  # type: ignore[misc, valid-type]
        def read(self) -> CameraFrame | None:
            handed.acquire()
            return super().read()  # type: ignore[no-any-return]

    def give(server: Running) -> Judgement:
        live = server.service.live
        assert live is not None
        before = live.shown
        handed.release()
        wait_until(lambda: live.shown is not before)
        return live.shown.given.judgement

    monkeypatch.setattr(live_module, "open_camera", Handed)
    yield give
    handed.release()  # the camera's thread sees that it is over


def test_a_mode_counts_from_the_next_judgement_on(
    hand: Callable[[Running], Judgement], module_tiny: TinyBundle, tmp_path: Path
) -> None:
    """What was shown in the old one is not shown in the new one, not even until the next frame."""
    log = tmp_path / "audit.db"
    still = partial(running, opens(module_tiny), log, access=ACCESS, camera="0", every=0.0, valid_s=600.0)
    with still(mode=Mode.ENFORCE) as server:
        wait_until(lambda: hand(server).output == "release")  # a busy machine lets a frame grow old
        found = put_mode(server, "advise")
        assert found.status_code == 200
        assert (found.json()["before"], found.json()["after"]) == ("enforce", "advise")
        live = server.http.get("/v1/live").json()["judgement"]
        assert (live["verdict"], live["mode"], live["output"]) == ("cannot_judge", "advise", None)
        assert live["reasons"] == ["expired"]
        assert put_mode(server, "shadow").status_code == 200
        withheld = server.http.get("/v1/live").json()
        assert ("judgement" in withheld, withheld["recorded"]["mode"]) == (False, "shadow")
        assert put_mode(server, "enforce").status_code == 200
        assert server.http.post("/v1/judgements", json=asked()).json()["judgement"]["output"] == "release"
        assert server.http.get("/v1/engineer/state").json()["mode"] == "enforce"
    assert told(log) == [
        ("mode", did, before, after)
        for before, after in (("enforce", "advise"), ("advise", "shadow"), ("shadow", "enforce"))
        for did in ("begun", "changed")
    ]
    assert KeptFile(log).kept == Kept(mode=Mode.ENFORCE)


@pytest.mark.parametrize("opened", [True, False], ids=["unproved", "not open"])
def test_enforce_needs_a_proved_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: bool) -> None:
    made = make_bundle(tmp_path / "unproved", passed=False)
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    log = tmp_path / "audit.db"
    with running(opens(made) if opened else fails, log, access=ACCESS, ready=False) as server:
        if opened:
            wait_until(lambda: server.service.desk.opened is not None)
        found = put_mode(server, "enforce")
        assert (found.status_code, "a proved bundle for mode enforce" in found.json()["detail"]) == (
            409,
            True,
        )
        assert server.service.desk.mode is Mode.ADVISE
    assert told(log) == [("mode", "refused", "advise", "enforce")]
    assert KeptFile(log).kept.mode is None


def test_where_signals_cannot_follow_the_mode_stays(
    eye: type[Eye], module_tiny: TinyBundle, tmp_path: Path
) -> None:
    assert eye.opened == 0
    opened: list[Mode] = []

    def line_of(mode: Mode) -> Line | None:
        opened.append(mode)
        if mode is Mode.ENFORCE:
            raise UsageError("expected a secret, got none; set it")
        return Line([], [], None, lambda _: None)

    log = tmp_path / "audit.db"
    with (
        Signals(Mode.ADVISE, 1.0, line_of) as signals,
        running(opens(module_tiny), log, access=ACCESS, camera="0", every=0.05, signals=signals) as server,
    ):
        found = put_mode(server, "enforce")
        assert (found.status_code, found.json()["detail"]) == (409, "expected a secret, got none; set it")
        assert server.service.desk.mode is Mode.ADVISE
        assert signals.line is not None
        wait_until(lambda: signals.line is not None and signals.line.newest() is not None)
    assert opened == [Mode.ADVISE, Mode.ENFORCE, Mode.ADVISE]
    assert [did for _, did, *_ in told(log)] == ["begun", "undone"]
    assert KeptFile(log).kept.mode is None


def full_after(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """The log takes so many more rows of changes."""
    write, left = AuditLog.add_update, [rows]

    def add(log: AuditLog, update: Update) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise AuditError(Reason.AUDIT_FAILED, "expected to add a row, got: disk full; make room")
        return write(log, update)

    monkeypatch.setattr(AuditLog, "add_update", add)


@pytest.mark.parametrize("path", ["/v1/mode", "/v1/rules/rollback"])
@pytest.mark.parametrize("taken", [0, 1])
def test_without_its_rows_nothing_is_changed(
    module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, taken: int
) -> None:
    log, rules = tmp_path / "audit.db", two_rulebooks(tmp_path, monkeypatch)
    with running(opens(module_tiny), log, access=ACCESS, rules=rules) as server:
        assert judged(server)["rules"]["version"] == "2"
        kept = KeptFile(log).kept
        full_after(monkeypatch, taken)
        found = server.http.request("PUT" if path == "/v1/mode" else "POST", path, json=SHADOW, headers=ADMIN)
        assert (found.status_code, "disk full" in found.json()["detail"]) == (503, True)
        assert (judged(server)["rules"]["version"], server.service.desk.mode) == ("2", Mode.ADVISE)
    assert KeptFile(log).kept == kept
    assert [did for _, did, *_ in told(log)] == ["begun"] * taken


def test_where_nothing_can_be_kept_nothing_is_changed(module_tiny: TinyBundle, tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    (tmp_path / "audit.db-kept.next").mkdir()
    with running(opens(module_tiny), log, access=ACCESS) as server:
        found = put_mode(server, "shadow")
        assert (found.status_code, "expected to write" in found.json()["detail"]) == (409, True)
        assert server.service.desk.mode is Mode.ADVISE
    assert [did for _, did, *_ in told(log)] == ["refused"]


def test_what_was_kept_and_is_damaged_is_said(tmp_path: Path, yochi: Yochi) -> None:
    (tmp_path / "a.db-kept.json").write_text("{")
    code, _, err = yochi("serve", "--port", 0, "--audit", tmp_path / "a.db")
    assert (code, len(err.splitlines()), "remove it" in err) == (2, 1, True)


def two_rulebooks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[str], object] = lambda _: None
) -> RulesInForce:
    """Version 2 in force as soon as it is asked, and 1 before it."""
    monkeypatch.setattr(rules_module, "SETTLED", 0.0)
    file = folder / "rules.toml"
    file.write_text(version(1), encoding="utf-8")
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, said)
    file.write_text(version(2), encoding="utf-8")
    for _ in range(2):
        rules.current()
    return rules


def judged(server: Running) -> Any:
    return server.http.post("/v1/judgements", json=asked()).json()["judgement"]


@pytest.mark.parametrize("what", ["mode", "rules"])
def test_killed_anywhere_the_next_start_has_the_old_or_the_new(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, work = tmp_path / "box", tmp_path / "work"
    box.mkdir()
    two_rulebooks(box, monkeypatch).resume(None, lambda rules: keep(box, Kept(rules=rules)))
    command = [sys.executable, killed_change.__file__, str(box), str(work), what]
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
    states = set()
    for folder in work.iterdir():
        kept, last = KeptFile(folder / "audit.db"), [did for _, did, *_ in told(folder / "audit.db")][-1:]
        rules = killed_change.rules_of(folder, kept).rules.file.book.version
        states.add((kept.kept.mode or rules, *last))
    old, new, done = ("2", Mode.SHADOW, "changed") if what == "mode" else ("2", "1", "rolled_back")
    assert states == {(old,), (old, "begun"), (new, "begun"), (new, done)}


def keep(box: Path, kept: Kept) -> None:
    file = KeptFile(box / "audit.db")
    file.stage(kept)
    file.put()


def test_the_page_has_a_form_for_each_and_it_works(
    module_tiny: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its script does, from what the page says: method, address, token as a header."""
    rules = two_rulebooks(tmp_path, monkeypatch)
    with running(opens(module_tiny), tmp_path / "audit.db", access=ACCESS, rules=rules) as server:
        html = server.http.get("/engineer").text
        tags = Tags(html).tags
        (form,) = [own for tag, own in tags if tag == "form" and own.get("id") == "change-form"]
        (field,) = [own for _, own in tags if own.get("type") == "password"]
        assert form["method"] == "post"  # where no script runs no browser puts the token into an address
        assert (field["autocomplete"], "name" in field, "value" in field) == ("off", False, False)
        assert ADMIN_TOKEN not in html
        code = server.http.get("/page/change.js").text
        assert f'"{ADMIN_HEADER}": token' in code
        assert "Storage" not in code + server.http.get("/page/views.js").text
        buttons = {own["id"]: own for _, own in tags if "data-path" in own}
        assert {(b["data-method"], b["data-path"]) for b in buttons.values()} == set(routes(server))
        options = [own["value"] for tag, own in tags if tag == "option"]
        assert options == list(Mode)
        for button in ("change-mode", "change-rules", "change-bundle"):
            sent = SHADOW if button == "change-mode" else None
            ask = (str(buttons[button]["data-method"]), str(buttons[button]["data-path"]))
            assert server.http.request(*ask, json=sent).status_code == 403
            found = server.http.request(*ask, json=sent, headers={**ADMIN, "origin": server.url})
            assert found.status_code == (409 if button == "change-bundle" else 200)
        assert server.http.post("/engineer").status_code == 405


def test_openapi_names_the_changes_and_their_token(guarded: Running) -> None:
    found = guarded.http.get("/openapi.json").json()
    (name,) = [
        name for name, one in found["components"]["securitySchemes"].items() if one["name"] == ADMIN_HEADER
    ]
    for method, path in routes(guarded):
        said = found["paths"][path][method.lower()]
        assert said["security"] == [{name: []}]
        assert {"200", "403", "409", "429", "503"} <= set(said["responses"])


def test_a_judge_that_fails_to_open_changes_nothing(tmp_path: Path) -> None:
    """The desk goes on saying why; nothing is released."""

    def never() -> Judge:
        raise EngineError(Reason.ENGINE_FAILED, "expected an engine, got none; restart Yochi")

    with running(never, tmp_path / "audit.db", access=ACCESS, ready=False, mode=Mode.ENFORCE) as server:
        assert put_mode(server, "advise").status_code == 200
        assert put_mode(server, "enforce").status_code == 409
        assert judged(server)["verdict"] == "cannot_judge"
