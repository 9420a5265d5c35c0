"""The first run: who may, what it looks at, what it keeps, and a kill anywhere in between."""

import base64
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from yochi_devices.login import LOGIN, NETRC
from yochi_runtime.audit.chain import rows
from yochi_runtime.audit.table import line as table_line
from yochi_runtime.audit.verifier import verify
from yochi_runtime.errors import UsageError
from yochi_runtime.serve.access import ADMIN_HEADER, Access
from yochi_runtime.serve.kept import Kept, KeptFile
from yochi_runtime.serve.kept_address import check_choice
from yochi_runtime.serve.made_tokens import MadeTokens, TokensFile, make_tokens

from tests.fixtures.rtsp_server import RtspServer, State, noise
from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import copy, flip

from . import killed_change
from .conftest import Running, opens, running
from .test_access import BEARER, TOKEN
from .test_changes import ADMIN, ADMIN_TOKEN, full_after
from .test_modes import fails

__all__ = ["copy"]  # fixtures
NOTE = "Sweep the floor."
SECRET = "hunter2hunter2"
ROUTES = [("GET", ""), ("POST", "/camera"), ("POST", "/bundle"), ("PUT", "")]


def wanted(camera: str | None = None, **more: str) -> dict[str, str | None]:
    return {"language": "ja", "note": NOTE, "camera": camera, **more}


def told(log: Path) -> list[tuple[str, str, str | None]]:
    """What the log says of changes; it is whole, and people can read it."""
    if not log.exists():
        return []
    verify(log)
    found = [(row, json.loads(row.judgement).get("update")) for row in rows(log)]
    assert all(table_line(row) for row, _ in found)
    return [(one["what"], one["did"], one.get("after")) for _, one in found if one is not None]


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Iterator[RtspServer]:
    """A network camera with a picture that can be judged."""
    monkeypatch.delenv(LOGIN, raising=False)
    monkeypatch.delenv(NETRC, raising=False)
    with RtspServer(state=State(draw=lambda number: noise(number, (128, 96)))) as server:
        yield server


bare = partial(running, fails, ready=False)  # no engine is needed, so none is waited for


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    with bare(tmp_path / "audit.db") as server:
        yield server


def ask(server: Running, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
    return server.http.request(method, f"/v1/setup{path}", json=body, headers=headers)


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (Access("127.0.0.1"), {}, 200),
        (Access("127.0.0.1"), {"x-forwarded-for": "10.0.0.9"}, 401),
        (Access("127.0.0.1"), {"host": "evil.example"}, 403),
        (Access("127.0.0.1", TOKEN), BEARER, 403),  # a proxy's whole network would be the box
        (Access("0.0.0.0", TOKEN), {}, 200),
        (Access("0.0.0.0", TOKEN), {"x-forwarded-for": "10.0.0.9", **BEARER}, 403),
        (Access("127.0.0.1", admin=ADMIN_TOKEN), {}, 403),
        (Access("127.0.0.1", admin=ADMIN_TOKEN), {ADMIN_HEADER: ADMIN_TOKEN[:-1]}, 403),
        (Access("127.0.0.1", admin=ADMIN_TOKEN), ADMIN, 200),
        (Access("127.0.0.1", TOKEN, ADMIN_TOKEN), ADMIN, 401),
        (Access("127.0.0.1", TOKEN, ADMIN_TOKEN), {**ADMIN, **BEARER}, 200),
    ],
)
def test_without_a_token_only_from_the_box_and_only_before_it_has_one(
    tmp_path: Path, access: Access, headers: dict[str, str], status: int
) -> None:
    with bare(tmp_path / "audit.db", access=access) as server:
        for method, path in ROUTES:
            body = {"camera": "rtps://x"} if path == "/camera" else {}
            found = ask(server, method, path, body, **headers)
            passed = found.status_code in (200, 422)  # which is about what it was asked
            assert passed if status == 200 else found.status_code == status, (method, path, found.text)
        page = server.http.get("/setup", headers=headers)
        assert page.status_code == (status if status == 401 or "host" in headers else 200)
    assert told(tmp_path / "audit.db") == []


def test_another_sites_page_sets_nothing_up(fresh: Running) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        for method, path in ROUTES[1:]:
            assert ask(fresh, method, path, wanted(), **headers).status_code == 403
    assert told(fresh.service.settings.log) == []
    assert fresh.service.settings.access.admin is None


def test_it_looks_through_a_camera(fresh: Running, yard: RtspServer) -> None:
    found = ask(fresh, "POST", "/camera", {"camera": yard.uri}).json()
    assert (found["fault"], found["reason"]) == (None, None)
    looked = found["looked"]
    assert (looked["width"], looked["height"], looked["failures"], looked["failure"]) == (128, 96, 0, None)
    assert looked["frames"] >= 1
    assert looked["rate"] > 0
    assert 0 <= looked["oldest"] < 60
    assert "frame_dark" in [gate["reason"] for gate in found["gates"]]
    assert all(gate["passed"] for gate in found["gates"])
    head, _, data = found["picture"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (128, 96)


def test_what_is_wrong_with_it_is_said(
    fresh: Running, yard: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = partial(ask, fresh, "POST", "/camera")
    yard.state.draw = lambda _: Image.new("RGB", (128, 96))
    dark = look({"camera": yard.uri}).json()
    assert (dark["reason"], dark["picture"][:10]) == ("frame_blank", "data:image")
    assert dark["fault"].startswith("expected ")
    assert [gate["passed"] for gate in dark["gates"] if gate["reason"] == "frame_blank"] == [False]
    yard.state.login = ("admin", SECRET)
    refused = look({"camera": yard.uri}).json()
    assert (refused["picture"], refused["reason"]) == (None, "frame_unreadable")
    assert "asks for user and password" in refused["fault"]
    monkeypatch.setenv(LOGIN, "admin:wrong")
    assert "wrong user or password" in look({"camera": yard.uri}).json()["fault"]
    yard.cut()
    assert "refused: nothing listens there" in look({"camera": yard.uri}).json()["fault"]


REFUSED = [
    f"rtsp://admin:{SECRET}@yard/live",
    f"rtsp://{SECRET}@yard/live",
    f"rtsp://yard/live?user=admin&password={SECRET}",
    f"rtsp://yard/live?channel=1;pwd={SECRET}",
    f"rtsp://yard/live?{SECRET}",
    f"rtsp://yard/user=admin_password={SECRET}_channel=1.sdp",
    f"rtsp://yard/user%3Dadmin_password%3D{SECRET}",
    f"rtsp://yard/user%253Dadmin_password%253D{SECRET}",
    f"rtsp://yard/admin:{SECRET}/live",
    f"rtsp://yard/live;pw={SECRET}",
    f"rtsp://yard/live#{SECRET}",
    f"http://admin:{SECRET}@yard/live",
    f"{SECRET}://yard",
    f"/etc/{SECRET}",
    f"rtsp://yard/{SECRET * 30}",
    "",
    "0 ",
]


@pytest.mark.parametrize("uri", REFUSED)
def test_no_password_in_an_address_is_kept_or_repeated(fresh: Running, uri: str) -> None:
    for found in (
        ask(fresh, "POST", "/camera", {"camera": uri}),
        ask(fresh, "PUT", "", wanted(uri)),
    ):
        assert (found.status_code, SECRET in found.text) == (422, False)
        assert found.json()["detail"].startswith("expected ")
        assert "\n" not in found.json()["detail"]
    log = fresh.service.settings.log
    assert told(log) == []
    assert all(SECRET.encode() not in file.read_bytes() for file in log.parent.iterdir())


ORDINARY = [
    *("0", "12", "rtsp://yard", "rtsp://10.0.0.7:8554/Streaming/Channels/101", "rtsp://[::1]/live"),
    "rtsp://yard/cam/realmonitor?channel=1&subtype=0",
    "rtsp://yard/axis-media/media.amp?videocodec=h264",
]


@pytest.mark.parametrize("uri", ORDINARY)
def test_ordinary_addresses_are_taken(uri: str) -> None:
    check_choice(uri)


def test_what_is_chosen_is_kept_and_recorded_and_the_tokens_are_shown_once(tmp_path: Path) -> None:
    log, again = tmp_path / "audit.db", list[bool]()
    with bare(log) as server:
        server.service.start_again = lambda: again.append(True)
        state = ask(server, "GET").json()
        assert (state["camera"], state["makes_tokens"], state["camera_named"]) == (None, True, False)
        assert (state["bundle"], state["fault"]) == (None, "expected an engine, got none; restart Yochi")
        done = ask(server, "PUT", "", wanted("rtsp://yard/live?channel=1"))
        made = done.json()
        assert (done.status_code, made["starts_again"]) == (200, True)
        assert done.headers["cache-control"] == "no-store"
        file = Path(made["tokens_file"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept = TokensFile(log).read()
        assert kept == MadeTokens(reading=made["reading"], admin=made["admin"])
        # From now on the second token alone opens it, and no token is told any more.
        for method, path in ROUTES:
            assert ask(server, method, path, wanted()).status_code == 403
        headers = {ADMIN_HEADER: made["admin"]}
        seen = [ask(server, "GET", **headers), ask(server, "PUT", "", wanted("1", language="en"), **headers)]
        seen += [server.http.get(path) for path in ("/setup", "/v1/engineer/state", "/metrics")]
        assert [found.status_code for found in seen] == [200] * 5
        assert all(token not in found.text for found in seen for token in kept.model_dump().values())
        assert seen[1].json() | {"starts_again": True} == {
            "reading": None, "admin": None, "tokens_file": None, "starts_again": True,
        }  # fmt: skip
        assert '<html lang="en">' in server.http.get("/", headers={"accept-language": "ja"}).text
        # It is the second token for every other change, too.
        assert server.http.put("/v1/mode", json={"mode": "shadow"}, headers=headers).status_code == 200
    assert again == [True, True]
    assert KeptFile(log).kept.model_dump(exclude_none=True) == {
        "mode": "shadow", "camera": "1", "note": NOTE, "language": "en",
    }  # fmt: skip
    both = [("language", "ja"), ("note", NOTE), ("camera", "rtsp://yard/live"), ("tokens", "made")]
    both += [("language", "en"), ("camera", "1"), ("mode", "shadow")]
    assert told(log) == [(what, did, after) for what, after in both for did in ("begun", "changed")]
    text = log.read_bytes() + b"".join(file.read_bytes() for file in tmp_path.glob("audit.db-w*"))
    assert all(token.encode() not in text for token in kept.model_dump().values())


def test_the_second_of_two_first_runs_changes_nothing(fresh: Running) -> None:
    """Both were let in before either was done; the first shows tokens that stay true."""
    access = fresh.service.settings.access
    fresh.service.desk.run(lambda: setattr(access, "admin", ADMIN_TOKEN))
    found = ask(fresh, "PUT", "", wanted("0"))
    assert found.status_code in (403, 409)
    assert "was a moment ago" in found.text or "second token" in found.text
    assert told(fresh.service.settings.log) == []


def test_without_its_rows_there_are_no_tokens(fresh: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    log = fresh.service.settings.log
    for taken in (6, 7):  # of eight: before and after the tokens' file
        (log.with_name("audit.db-kept.json")).unlink(missing_ok=True)
        fresh.service.kept.kept = Kept()
        with monkeypatch.context() as patch:
            full_after(patch, taken)
            found = ask(fresh, "PUT", "", wanted("0"))
        assert (found.status_code, "disk full" in found.text) == (503, True)
        assert TokensFile(log).read() is None
        assert fresh.service.settings.access.admin is None


def test_a_camera_that_an_option_names_is_not_chosen(tmp_path: Path) -> None:
    with bare(tmp_path / "audit.db", camera_named=True) as server:
        assert ask(server, "GET").json()["camera_named"] is True
        assert ask(server, "PUT", "", wanted("0")).status_code == 409
        assert told(tmp_path / "audit.db") == []
        assert ask(server, "PUT", "", wanted()).json()["starts_again"] is False
    assert KeptFile(tmp_path / "audit.db").kept == Kept(language="ja")


def test_the_bundle_is_checked_byte_by_byte(copy: TinyBundle, tmp_path: Path) -> None:
    with running(opens(copy), tmp_path / "audit.db") as server:
        assert ask(server, "GET").json()["bundle"]["sha256"] == copy.sha256
        found = ask(server, "POST", "/bundle").json()
        assert (found["whole"], "the base model are whole" in found["said"]) == (True, True)
        flip(copy.folder / "lora.gguf")
        found = ask(server, "POST", "/bundle").json()
        assert (found["whole"], "lora.gguf" in found["said"]) == (False, True)


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    file, made = TokensFile(tmp_path / "audit.db"), make_tokens()
    assert file.read() is None
    file.write(made)
    assert file.read() == made
    for token in (made.reading, made.admin):
        assert len(set(token.split("-"))) == 5
        Access("127.0.0.1", token)
    assert made != make_tokens()
    for mode in (0o640, 0o604, 0o660):
        file.path.chmod(mode)
        with pytest.raises(UsageError, match="chmod 600"):
            file.read()
    file.path.chmod(0o600)
    file.path.write_text("{}")
    with pytest.raises(UsageError, match="set the box up again"):
        file.read()


def test_killed_anywhere_every_choice_is_the_old_or_the_new(tmp_path: Path) -> None:
    box, work = tmp_path / "box", tmp_path / "work"
    box.mkdir()
    (box / "rules.toml").write_text(killed_change.RULES, encoding="utf-8")
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, killed_change.__file__, str(box), str(work), "setup"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
    states, chosen = set(), list(killed_change.CHOSEN.items())
    for folder in work.iterdir():
        log = folder / "audit.db"
        kept, made = KeptFile(log).kept.model_dump(exclude_none=True), TokensFile(log).read()
        assert kept == dict(chosen[: len(kept)])
        assert made is None or len(kept) == len(chosen)
        for file in folder.glob("*tokens*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        said = [did for _, did, _ in told(log)]
        counts = len(kept) + (made is not None)
        assert said.count("changed") <= counts <= said.count("begun")  # nothing counts before its row
        states.add((counts, len(said)))
    # Before a choice's first row, after it, after the rename, after its second row; and so on to the tokens.
    cut = {(n + more, 2 * n + 1) for n in range(4) for more in (0, 1)}
    assert states == {(0, 0), *cut, *((n, 2 * n) for n in (1, 2, 4))}
