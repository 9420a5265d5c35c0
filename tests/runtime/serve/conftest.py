"""A real server on a port of its own, with the tiny bundle behind it."""

import base64
import io
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode
from yochi_runtime.run import NoteSource, gates_for
from yochi_runtime.serve.access import Access
from yochi_runtime.serve.app import make_app
from yochi_runtime.serve.desk import Desk
from yochi_runtime.serve.kept import KeptFile
from yochi_runtime.serve.live import CameraSettings, Live
from yochi_runtime.serve.server import DeskEnded, Server, Tls, bind
from yochi_runtime.serve.service import Service, Settings
from yochi_runtime.signalling import Signals

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import PLAIN_NOTE, noise

PATIENCE = 120.0  # seconds; a busy machine is no failure


@dataclass
class Running:
    """A server, and a client of it on the same machine."""

    url: str
    service: Service
    http: httpx2.Client
    ended: list[BaseException]  # what the server's thread ended with


def opens(bundle: TinyBundle) -> Callable[[], Judge]:
    return lambda: Judge.open(bundle.folder, trust=frozenset({bundle.sha256}), threads=1)


@contextmanager
def running(
    opening: Callable[[], Judge],
    log: Path,
    *,
    access: Access | None = None,
    camera: Path | str | None = None,
    every: float = 0.0,
    check_every: float = 20.0,
    ready: bool = True,
    tls: Tls | None = None,
    mode: Mode = Mode.ADVISE,
    signals: Signals | None = None,
    keep_frames: bool = False,
    blur_faces: bool = False,
    **settings: Any,
) -> Iterator[Running]:
    """Served in a thread until the block ends."""
    access = access or Access("127.0.0.1")
    chosen = Settings(log, access, **settings)
    service = Service(
        chosen,
        Desk(
            opening,
            AuditLog(log, keep_frames=keep_frames, blur_faces=blur_faces),
            check_every=check_every,
            mode=mode,
        ),
        KeptFile(log),
    )
    if camera is not None:
        followed = CameraSettings(str(camera), every, chosen.valid_s, chosen.rules, signals)
        source = NoteSource(PLAIN_NOTE, None)
        gates = gates_for(str(camera), "none")
        service.live = Live(service.desk, gates, source, followed, service.metrics.given)
    if signals is not None:
        service.metrics.follow(signals)
    server, bound = Server(make_app(service), service, tls), bind("127.0.0.1", 0)
    url = f"{'http' if tls is None else 'https'}://127.0.0.1:{bound.getsockname()[1]}"
    ended: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve(bound)
        except DeskEnded as e:
            ended.append(e)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with httpx2.Client(base_url=url, timeout=PATIENCE, trust_env=False, verify=trusting(tls)) as http:
            if ready:
                wait_until(lambda: service.desk.readiness().ready)
            yield Running(url, service, http, ended)
    finally:
        server.uvicorn.should_exit = True
        thread.join()


def trusting(tls: Tls | None) -> ssl.SSLContext | bool:
    """What a client checks the server by."""
    return True if tls is None else ssl.create_default_context(cafile=str(tls.certificate))


def wait_until(holds: Callable[[], bool]) -> None:
    """AssertionError where it does not hold within PATIENCE."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def module_tiny(shared_tiny: TinyBundle) -> Iterator[TinyBundle]:
    """The shared tiny bundle with its base in place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_BASE", str(shared_tiny.base))
        yield shared_tiny


@pytest.fixture(scope="module")
def server(module_tiny: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a module that do not harm it."""
    with running(opens(module_tiny), tmp_path_factory.mktemp("serve") / "audit.db") as started:
        yield started


def png(seed: int = 0) -> bytes:
    """A small picture's file."""
    data = io.BytesIO()
    Image.fromarray(noise(seed).rgb).save(data, "PNG")
    return data.getvalue()


def asked(picture: bytes | None = None, note: str = PLAIN_NOTE) -> dict[str, str]:
    """The JSON that asks for a judgement."""
    return {"image": base64.b64encode(png() if picture is None else picture).decode(), "note": note}
