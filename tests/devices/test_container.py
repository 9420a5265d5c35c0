"""The container file says what install script and unit say, and its health check; no engine is needed."""

import json
import re
import shlex
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from yochi_runtime.base import NANO_BASE

from tests.runtime.serve.test_state import self_signed

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
UNIT = (ROOT / "runtime/yochi_runtime/serve/yochi.service").read_text(encoding="utf-8")
SCRIPT = (ROOT / "devices/install.sh").read_text(encoding="utf-8")
CHECK = ROOT / "devices" / "container_ready.py"


def said(word: str) -> list[str]:
    """What follows the instruction `word`, each time it stands there."""
    return [line.split(maxsplit=1)[1] for line in LINES if line.split(maxsplit=1)[:1] == [word]]


def unit(name: str) -> str:
    return "".join(re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE))


def seconds(option: str) -> int:
    return int("".join(re.findall(rf"--{option}=(\d+)s", said("HEALTHCHECK")[0])))


def test_it_is_made_by_the_install_script_and_run_as_the_unit_runs_it() -> None:
    assert any("devices/install.sh --destdir /box" in run for run in said("RUN"))
    program = unit("ExecStart").split()[0]
    assert program == "/opt/yochi/.venv/bin/yochi"
    assert "prefix=/opt/yochi " in SCRIPT
    assert any(copy.endswith("/box/opt/yochi /opt/yochi") for copy in said("COPY"))
    assert said("ENTRYPOINT") == ['["yochi"]']
    variables = dict(part.split("=", 1) for part in said("ENV")[0].split())
    assert variables.pop("PATH").split(":")[0] == str(Path(program).parent)
    assert variables == dict(part.split("=", 1) for part in unit("Environment").split())


def test_the_state_belongs_to_the_units_user() -> None:
    assert said("USER") == [unit("User")]
    assert said("VOLUME") == [f"{variables_state()}/{unit('StateDirectory')}"]
    added = next(run for run in said("RUN") if "useradd" in run)
    assert f"--groups {unit('SupplementaryGroups')} " in added
    assert f"install -d -o {unit('User')} -g {unit('User')} -m 750 {said('VOLUME')[0]}" in added


def variables_state() -> str:
    return dict(part.split("=", 1) for part in said("ENV")[0].split())["XDG_STATE_HOME"]


def test_an_orchestrator_waits_as_long_as_systemd() -> None:
    assert seconds("start-period") == int(unit("TimeoutStartSec"))
    assert seconds("interval") * int("".join(re.findall(r"--retries=(\d+)", said("HEALTHCHECK")[0]))) == int(
        unit("WatchdogSec")
    )


def test_it_serves_as_a_new_box_does_on_the_same_port() -> None:
    settings = (ROOT / "devices/serve.env").read_text(encoding="utf-8")
    default = "".join(re.findall(r"^YOCHI_SERVE='(.*)'$", settings, re.MULTILINE))
    assert json.loads(said("CMD")[0]) == ["serve", *shlex.split(default)]
    port = said("EXPOSE")[0]
    assert re.search(rf"^PORT = {port}$", CHECK.read_text(encoding="utf-8"), re.MULTILINE)
    assert f'help="Port; 0: any that is free.")] = {port},' in (
        ROOT / "runtime/yochi_runtime/cli.py"
    ).read_text(encoding="utf-8")


def test_what_comes_in_is_what_the_script_takes() -> None:
    """Nothing is in the context but what is named; so neither data nor keys can enter a layer."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    taken = {rule[1:] for rule in rules if rule.startswith("!")}
    found = re.search(r"find ([\w/. \\\n\t-]+?)\s*\\?\n?\s*-type f", SCRIPT)
    assert found is not None
    source = set(found[1].replace("\\", " ").split())
    assert source <= taken
    named = {"README.md", "LICENSE", "NOTICE"}  # by pyproject.toml
    assert taken - source == named | {"wheels/*.whl"}
    assert not (ROOT / ".containerignore").exists(), "podman would read it instead"


def test_no_secret_and_no_trainer_is_said_to_it() -> None:
    text = "\n".join(line for line in LINES if not line.startswith("#"))
    assert not re.search(r"token|password|_login|\.key\b", text, re.IGNORECASE)
    assert said("ARG") == ["INSTALL="]
    pins = (ROOT / "requirements/edge.lock").read_text(encoding="utf-8")
    assert not re.search(r"^torch\b", pins, re.MULTILINE)
    base = (NANO_BASE.package or "").replace("==", "-").replace("llm-", "llm_")
    assert f"wheels/{base}-py3-none-any.whl" in "\n".join(LINES)


@contextmanager
def answering(status: int, tls: tuple[Path, Path] | None = None) -> Iterator[int]:
    """A service that says `status` of its readiness, on the port that comes out; `tls`: certificate, key."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b'{"fault": "engine_failed"}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def check(port: int) -> "subprocess.CompletedProcess[str]":
    # A proxy of the machine must not be asked about localhost.
    environment = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-I", CHECK, str(port)], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 0), (503, 1), (404, 1)])
def test_it_is_healthy_while_it_judges(status: int, code: int) -> None:
    with answering(status) as port:
        done = check(port)
    assert (done.returncode, done.stdout) == (code, "")
    if code:
        assert done.stderr == f'expected 200 of /readyz, got {status}: {{"fault": "engine_failed"}}\n'


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_it_asks_by_tls_where_the_service_speaks_it(tmp_path: Path, status: int, code: int) -> None:
    with answering(status, self_signed(tmp_path)) as port:
        assert check(port).returncode == code


def test_nobody_there_is_not_healthy() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    done = check(port)
    assert done.returncode == 1
    assert done.stderr.startswith(f"expected an answer on port {port}, got: ")
    assert len(done.stderr.splitlines()) == 1
