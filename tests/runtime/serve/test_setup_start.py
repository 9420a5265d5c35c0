"""What was chosen at the first run judges at once and at the next start; options win over it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.serve.access import ADMIN_HEADER
from yochi_runtime.serve.command import Camera, Network
from yochi_runtime.serve.kept import Kept
from yochi_runtime.serve.made_tokens import TokensFile, make_tokens

from tests.fixtures.rtsp_server import RtspServer
from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import start

from .conftest import PATIENCE, wait_until
from .test_access import TOKEN
from .test_changes import ADMIN_TOKEN
from .test_setup import NOTE, wanted, yard

__all__ = ["yard"]  # fixtures
KEPT = Kept(camera="3", note="Routine round.", language="ja")


def network(host: str = "127.0.0.1", token: Path | None = None, admin: Path | None = None) -> Network:
    return Network(host, 0, token, admin, None, None)


def camera(uri: str | None = None, note: str | None = None, file: Path | None = None) -> Camera:
    return Camera(uri, note, file, 1.0, None)


def test_options_win_over_what_was_chosen(tmp_path: Path) -> None:
    assert camera().or_chosen(Kept()) == camera()
    assert camera().or_chosen(KEPT) == camera("3", "Routine round.")
    assert camera(note=NOTE).or_chosen(KEPT) == camera("3", NOTE)
    file = tmp_path / "note.txt"
    file.write_text(NOTE, encoding="utf-8")
    assert camera(file=file).or_chosen(KEPT) == camera("3", None, file)
    assert camera("0", NOTE).or_chosen(KEPT) == camera("0", NOTE)
    with pytest.raises(UsageError, match="expected one note"):
        camera("0").or_chosen(KEPT).source()  # its note was of another camera


def test_its_own_tokens_count_where_no_option_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YOCHI_TOKEN", raising=False)
    monkeypatch.delenv("YOCHI_ADMIN_TOKEN", raising=False)
    made, files = make_tokens(), {"token": TOKEN, "admin": ADMIN_TOKEN}
    for name, value in files.items():
        (tmp_path / name).write_text(value)
        (tmp_path / name).chmod(0o600)
    own = network().access(made)
    assert (own.token, own.admin) == (None, made.admin)  # the box itself reads without
    beyond = network("0.0.0.0").access(made)
    assert (beyond.token, beyond.admin) == (made.reading, made.admin)
    named = network("0.0.0.0", tmp_path / "token", tmp_path / "admin").access(made)
    assert (named.token, named.admin) == (TOKEN, ADMIN_TOKEN)
    monkeypatch.setenv("YOCHI_ADMIN_TOKEN", ADMIN_TOKEN)
    assert network().access(made).admin == ADMIN_TOKEN
    with pytest.raises(UsageError, match="expected a token to listen"):
        network("0.0.0.0").access(None)


@contextmanager
def serving(tiny: TinyBundle, log: Path, *options: object, hint: bool = False) -> Iterator[str]:
    """`yochi serve` as a process, its address. `hint`: it says that it is to be set up. Unproved here."""
    process = start("serve", "--port", 0, "--bundle", tiny.folder, "--audit", log, "--threads", 1, *options)
    assert process.stderr is not None
    said = process.stderr.readline()
    try:
        url = re.fullmatch(r"yochi: (http://127\.0\.0\.1:(\d+))\n", said)
        assert url, said
        if hint:
            setup = f"http://localhost:{url[2]}/setup"
            assert process.stderr.readline() == f"yochi: nothing is set up yet; open {setup} on this box\n"
        yield url[1]
    finally:
        process.send_signal(2)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "yochi: interrupted\n")


def test_the_running_service_takes_it_up_and_so_does_the_next(
    tiny: TinyBundle, tmp_path: Path, yard: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("YOCHI_TOKEN", "YOCHI_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    log, other = tmp_path / "audit.db", tmp_path / "pictures"
    other.mkdir()
    (other / "a.png").write_bytes(b"no picture")

    with httpx2.Client(timeout=PATIENCE, trust_env=False) as http:

        def live(url: str) -> Any:
            found = http.get(f"{url}/v1/live")  # refused at no moment: the socket goes on listening
            return found.json() if found.status_code == 200 else None

        def judged(url: str, by: str, note: str) -> bool:
            found = live(url)
            return (
                found is not None
                and (found["judgement"]["camera"], found["note"]) == (by, note)
                and found["id"] is not None
            )

        with serving(tiny, log, hint=True) as url:
            assert live(url) is None
            done = http.put(f"{url}/v1/setup", json=wanted(yard.uri)).json()
            assert done["starts_again"] is True
            wait_until(lambda: judged(url, yard.uri, NOTE))
            assert http.get(f"{url}/v1/setup").status_code == 403
            made = TokensFile(log).read()
            assert made is not None
            assert made.admin == done["admin"]
            headers = {ADMIN_HEADER: made.admin}
            state = http.get(f"{url}/v1/setup", headers=headers).json()
            assert (state["camera"], state["language"], state["makes_tokens"]) == (yard.uri, "ja", False)
            # The camera that is judged is not opened a second time to be tested.
            plays, look = yard.state.plays, partial(http.post, f"{url}/v1/setup/camera", headers=headers)
            wait_until(lambda: look(json={"camera": yard.uri}).json()["picture"] is not None)
            assert yard.state.plays <= plays + 1  # a busy machine may have lost it once
            # Another note for it needs no new start.
            again = http.put(f"{url}/v1/setup", json=wanted(yard.uri, note="Routine."), headers=headers)
            assert again.json()["starts_again"] is False
            wait_until(lambda: judged(url, yard.uri, "Routine."))
        with serving(tiny, log) as url:
            wait_until(lambda: judged(url, yard.uri, "Routine."))
            assert http.put(f"{url}/v1/mode", json={"mode": "shadow"}).status_code == 403
        with serving(tiny, log, "--camera", other, "--note", "Other.", "--every", "1") as url:
            wait_until(lambda: judged(url, str(other), "Other."))
            state = http.get(f"{url}/v1/setup", headers=headers).json()
            assert (state["camera_named"], state["camera"]) == (True, yard.uri)
    for token in (made.reading, made.admin):
        assert all(
            token.encode() not in file.read_bytes()
            for file in tmp_path.iterdir()
            if file.is_file() and file != TokensFile(log).path
        )
    assert json.loads((tmp_path / "audit.db-kept.json").read_text())["note"] == "Routine."
