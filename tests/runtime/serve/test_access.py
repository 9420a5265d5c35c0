"""Who may ask: every combination of peer, binding, token, name and origin."""

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from yochi_runtime.errors import UsageError
from yochi_runtime.serve.access import HEADERS, Access, is_loopback, read_token

from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import Running, asked, opens, running

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def answer(
    access: Access, peer: str | None, headers: dict[str, str] | None = None, method: str = "GET"
) -> int | None:
    """The status of the refusal, None where there is none."""
    raw = [
        (k.encode(), v.encode("latin-1")) for k, v in {"host": "localhost:8420", **(headers or {})}.items()
    ]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/", "headers": raw}
    scope["client"] = None if peer is None else (peer, 50_000)
    refused = access.refusal(scope)
    assert refused is None or isinstance(refused, Response)
    return refused.status_code if refused else None


OPEN, PROXIED, PUBLIC = Access("127.0.0.1"), Access("localhost", TOKEN), Access("0.0.0.0", TOKEN)
MATRIX = [
    # access, peer, headers, refused with
    (OPEN, "127.0.0.1", {}, None),
    (OPEN, "::1", {"host": "[::1]:8420"}, None),
    (OPEN, "127.0.0.1", {"host": "evil.example"}, 403),
    (OPEN, "127.0.0.1", {"host": "localhost.evil.example:8420"}, 403),
    (OPEN, "127.0.0.1", {"host": ""}, 403),
    (OPEN, "127.0.0.1", {"x-forwarded-for": "10.0.0.9"}, 401),
    (OPEN, "127.0.0.1", {"forwarded": "for=10.0.0.9"}, 401),
    (OPEN, "127.0.0.1", {"authorization": "Bearer "}, None),
    (OPEN, "10.0.0.9", {"authorization": "Bearer "}, 401),
    (OPEN, None, {}, 401),
    (PROXIED, "127.0.0.1", {}, 401),
    (PROXIED, "127.0.0.1", BEARER, None),
    (PROXIED, "127.0.0.1", {**BEARER, "host": "box.plant.example", "x-forwarded-for": "10.0.0.9"}, None),
    (PUBLIC, "127.0.0.1", {}, None),
    (PUBLIC, "127.0.0.1", {"x-real-ip": "127.0.0.1"}, 401),
    (PUBLIC, "10.0.0.9", {}, 401),
    (PUBLIC, "10.0.0.9", {"host": "localhost"}, 401),
    (PUBLIC, "10.0.0.9", BEARER, None),
    (PUBLIC, "10.0.0.9", {"authorization": f"bearer  {TOKEN}"}, None),
    (PUBLIC, "10.0.0.9", {"authorization": TOKEN}, 401),
    (PUBLIC, "10.0.0.9", {"authorization": f"Basic {TOKEN}"}, 401),
    (PUBLIC, "10.0.0.9", {"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
    (PUBLIC, "10.0.0.9", {"authorization": f"Bearer {TOKEN}x"}, 401),
    (PUBLIC, "10.0.0.9", {"authorization": "Bearer \xe5\xba\x8a"}, 401),
]


@pytest.mark.parametrize(("access", "peer", "headers", "status"), MATRIX, ids=range(len(MATRIX)))
def test_matrix(access: Access, peer: str | None, headers: dict[str, str], status: int | None) -> None:
    assert answer(access, peer, headers) == status


ORIGINS = [
    ({}, None),
    ({"origin": "http://localhost:8420"}, None),
    ({"origin": "http://localhost:8420", "sec-fetch-site": "same-origin"}, None),
    ({"origin": "http://localhost"}, 403),
    ({"origin": "http://evil.example"}, 403),
    ({"origin": "null"}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
@pytest.mark.parametrize(("access", "own"), [(OPEN, {}), (PUBLIC, BEARER)])
def test_another_sites_page_can_change_nothing(
    access: Access, own: dict[str, str], headers: dict[str, str], status: int | None
) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert answer(access, "127.0.0.1", {**own, **headers}, method) == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "box.local", ""])
def test_beyond_localhost_a_token_is_needed_to_start(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match=r"expected a token .* got none; give --token-file"):
        Access(host)


def test_a_token_is_read_from_file_or_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o640)
    assert read_token(file, {}) == TOKEN
    assert read_token(None, {"YOCHI_TOKEN": TOKEN}) == TOKEN
    assert read_token(None, {}) is None
    file.chmod(0o644)
    with pytest.raises(UsageError, match="got mode 0644"):
        read_token(file, {})


@pytest.mark.parametrize("token", ["", "short", "床" * 20, "a" * 20 + "\x07"])
def test_what_is_no_token_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(UsageError, match="at least 16 printable ASCII"):
        read_token(None, {"YOCHI_TOKEN": token})
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="openssl rand"):
        read_token(file, {})
    with pytest.raises(UsageError, match="check the path"):
        read_token(tmp_path / "none", {})


PATHS = [
    "/",
    "/v1/judgements",
    "/v1/judgements/1",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/none",
]


def test_every_path_of_a_server_behind_a_proxy_needs_the_token(
    module_tiny: TinyBundle, tmp_path: Path
) -> None:
    access = Access("127.0.0.1", TOKEN)
    with running(opens(module_tiny), tmp_path / "audit.db", access=access) as server:
        for path in PATHS:
            refused = server.http.get(path)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert server.http.post("/v1/judgements", json=asked()).status_code == 401
        assert server.http.post("/v1/judgements", json=asked(), headers=BEARER).status_code == 200
        assert TOKEN not in server.http.get("/metrics", headers=BEARER).text


def test_every_answer_forbids_being_used_elsewhere(server: Running) -> None:
    for path in PATHS:
        found = server.http.get(path, headers={"Origin": "http://evil.example"})
        assert {name: found.headers[name] for name in HEADERS} == HEADERS
        assert not [name for name in found.headers if name.lower().startswith("access-control-")]
    assert server.http.options("/v1/judgements").status_code == 405
    assert server.http.get("/healthz", headers={"Host": "evil.example"}).status_code == 403
