"""Whether the service says what it is: ready, alive, counted; and how it ends."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec
from yochi_runtime.errors import EngineError, Reason, UsageError
from yochi_runtime.judge import Judge
from yochi_runtime.run import Judged
from yochi_runtime.serve import desk
from yochi_runtime.serve.builtin import BuiltIn
from yochi_runtime.serve.notify import Notifier
from yochi_runtime.serve.server import Tls, bind

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle
from tests.runtime.conftest import start

from .conftest import PATIENCE, Running, asked, opens, png, running, wait_until


def test_ready_after_the_built_in_frame_was_judged(server: Running) -> None:
    found = server.http.get("/readyz")
    assert found.status_code == 200
    assert (found.json()["ready"], found.json()["fault"]) == (True, None)
    assert server.http.get("/healthz").json() == {"alive": True}


def test_not_ready_once_the_check_is_old(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "READY_WITHIN", 0.0)
    found = server.http.get("/readyz")
    assert (found.status_code, found.json()["ready"]) == (503, False)


def test_what_cannot_be_opened_is_said_and_tried_again(module_tiny: TinyBundle, tmp_path: Path) -> None:
    broken = [True]

    def opening() -> Judge:
        if broken[0]:
            raise UsageError("expected a bundle folder, found nothing there")
        return opens(module_tiny)()

    with running(opening, tmp_path / "audit.db", ready=False, check_every=0.05) as server:
        found = server.http.post("/v1/judgements", json=asked()).json()
        assert found["judgement"]["verdict"] == "cannot_judge"
        wait_until(lambda: "found nothing there" in str(server.http.get("/readyz").json()["fault"]))
        found = server.http.post("/v1/judgements", json=asked()).json()
        assert found["judgement"]["reasons"] == [Reason.BUNDLE_MISSING]
        assert server.http.get("/readyz").status_code == 503
        broken[0] = False
        wait_until(lambda: server.http.get("/readyz").status_code == 200)
        assert server.http.post("/v1/judgements", json=asked()).json()["judgement"]["verdict"] == "proceed"


def test_a_bundle_without_proof_is_never_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_bundle(tmp_path / "unproved", passed=False)
    monkeypatch.setenv("YOCHI_BASE", str(made.base))
    with running(opens(made), tmp_path / "audit.db", ready=False, check_every=0.05) as server:
        wait_until(lambda: "proof" in str(server.service.desk.readiness().fault))
        found = server.http.post("/v1/judgements", json=asked()).json()
        assert found["judgement"]["verdict"] == "cannot_judge"


def test_other_numbers_for_the_same_frame_are_a_fault(tiny_judge: Judge) -> None:
    check = BuiltIn()
    check.check(tiny_judge)
    check.check(tiny_judge)
    key = next(iter(check._known))
    first, *rest = check._known[key]
    changed = first.model_copy(update={"probability": 0.123})
    check._known[key] = (changed, *rest)
    with pytest.raises(EngineError, match="the same numbers") as e:
        check.check(tiny_judge)
    assert e.value.reason is Reason.ENGINE_OUTPUT


def test_the_check_is_repeated_and_closes_what_it_does_not_believe(
    module_tiny: TinyBundle, tmp_path: Path
) -> None:
    opened: list[Judge] = []

    def opening() -> Judge:
        opened.append(opens(module_tiny)())
        return opened[-1]

    with running(opening, tmp_path / "audit.db", check_every=0.05) as server:
        known = server.service.desk._builtin._known
        (key,) = known
        sound = known[key]
        known[key] = sound[1:]
        wait_until(lambda: not server.service.desk.readiness().ready)
        found = server.http.post("/v1/judgements", json=asked()).json()
        known[key] = sound
        assert found["judgement"]["reasons"] == [Reason.ENGINE_OUTPUT]
        wait_until(lambda: server.service.desk.readiness().ready)
        assert len(opened) > 1
        assert server.http.post("/v1/judgements", json=asked()).json()["judgement"]["verdict"] == "proceed"


def test_metrics_count_what_was_given(server: Running) -> None:
    def read() -> dict[str, float]:
        lines = server.http.get("/metrics").text.splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    before = read()
    server.http.post("/v1/judgements", json=asked(png(5)))
    server.http.post("/v1/judgements", json=asked(b"none"))
    after = read()

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more('yochi_judgements_total{origin="request",verdict="proceed"}') == 1
    assert more('yochi_judgements_total{origin="request",verdict="cannot_judge"}') == 1
    assert more('yochi_cannot_judge_total{reason="frame_unreadable"}') == 1
    assert more("yochi_desk_seconds_count") == 2
    assert (after["yochi_ready"], after["yochi_waiting"]) == (1, 0)
    assert 0 <= after["yochi_check_age_seconds"] < desk.READY_WITHIN
    assert after["process_resident_memory_bytes"] > 0


def test_openapi_names_every_route_and_its_body(server: Running) -> None:
    found = server.http.get("/openapi.json").json()
    assert set(found["paths"]) >= {
        "/v1/judgements", "/v1/judgements/{number}", "/v1/judgements/{number}/feedback",
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    body = found["paths"]["/v1/judgements"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert server.http.get("/docs").status_code == 404


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_server_ends_when_the_desk_does(module_tiny: TinyBundle, tmp_path: Path) -> None:
    def leave() -> Judged:
        raise SystemExit

    with running(opens(module_tiny), tmp_path / "audit.db") as server:
        server.service.desk.ask(leave, lambda: None)
        wait_until(lambda: bool(server.ended))
    assert "expected the judging thread to go on" in str(server.ended[0])


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(PATIENCE)
        receiver.bind(address)
        yield receiver


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    name = str(tmp_path / "notify")
    with listening(f"\0{name}" if abstract else name) as receiver:
        Notifier({"NOTIFY_SOCKET": f"@{name}" if abstract else name})("WATCHDOG=1")
        assert receiver.recv(100) == b"WATCHDOG=1"
    Notifier({})("READY=1")  # not under systemd


def test_nobody_listening_is_no_reason_to_stop_judging(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})("WATCHDOG=1")
    assert "expected systemd at NOTIFY_SOCKET to take WATCHDOG=1" in caplog.text


def test_the_process_beats_from_the_desk_answers_and_ends(tiny: TinyBundle, tmp_path: Path) -> None:
    """Unproved here, so it beats and answers, and is never ready."""
    with listening(str(tmp_path / "notify")) as receiver:
        process = start(
            "serve", "--port", 0, "--bundle", tiny.folder, "--audit", tmp_path / "audit.db", "--threads", 1,
            NOTIFY_SOCKET=str(tmp_path / "notify"),
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.readline()
        url = re.fullmatch(r"yochi: (http://127\.0\.0\.1:\d+)\n", said)
        assert url, said
        hint = r"yochi: nothing is set up yet; open http://localhost:\d+/setup on this box\n"
        assert re.fullmatch(hint, process.stderr.readline())
        assert {receiver.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}
        found = httpx2.post(f"{url[1]}/v1/judgements", json=asked(), timeout=PATIENCE, trust_env=False).json()
        assert found["judgement"]["verdict"] == "cannot_judge"
        process.send_signal(2)
        _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (130, "yochi: interrupted\n")


WRONG: list[tuple[list[Any], str]] = [
    (["--host", "0.0.0.0"], "expected a token"),
    (["--host", "nowhere.invalid"], "expected a token"),
    (["--token-file", "none"], "expected a token in none"),
    (["--tls-cert", "none"], "give --tls-cert and --tls-key"),
    (["--tls-cert", "none", "--tls-key", "none"], "expected a certificate in none"),
    (["--note", "x"], "give --camera URI"),
    (["--camera", "none.mp4", "--note", "x"], "found nothing at none.mp4"),
    (["--camera", "0"], "expected one note"),
    (["--camera", "0", "--note", "x", "--every", "10"], "raise it"),
    (["--audit", "none"], "expected an audit log"),
    (["--port", "65536"], "65535"),
    (["--queue", "0"], "queue"),
    (["--bundle", "none"], "expected a bundle folder"),
    (["--zone", "hall"], "give --rules FILE"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[" ".join(map(str, a)) for a, _ in WRONG])
def test_misuse_is_one_line(yochi: Any, arguments: list[Any], said: str) -> None:
    code, out, err = yochi("serve", "--port", 0, *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert said in err


def test_a_port_that_is_taken_is_one_line(server: Running) -> None:
    port = server.http.base_url.port
    assert port is not None
    with pytest.raises(UsageError, match="give another --host or --port"):
        bind("127.0.0.1", port)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "box")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(form.Encoding.PEM))
    private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    return certificate, private


def test_tls_by_file(module_tiny: TinyBundle, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with running(opens(module_tiny), tmp_path / "audit.db", tls=Tls(certificate, key)) as server:
        assert server.url.startswith("https://")
        assert server.http.get("/readyz").status_code == 200
    key.write_text("no key")
    with pytest.raises(UsageError, match="expected a certificate in"):
        Tls(certificate, key)
