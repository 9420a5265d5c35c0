"""`yochi serve` as a process of its own, and a listener who hears every verdict of its camera."""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.limits import STALE
from yochi_runtime.verdict import Verdict

START = 300.0  # seconds until the first event; a slow box loads for long
ENDING = 15.0  # seconds to end by itself


@dataclass(frozen=True)
class Heard:
    """One verdict: when it came (`time.monotonic()`, `time.time()`), its row, what it says, and why.

    Its frame's age in seconds: `begun_s` when judging began, None where no frame was judged; `told_s` when
    the box sent it.
    """

    at: float
    wall: float
    id: int | None
    verdict: str
    why: str
    begun_s: float | None
    told_s: float

    @property
    def judged(self) -> bool:
        return self.verdict != Verdict.CANNOT_JUDGE


class Served:
    """The service, until the block ends. EngineError where it ends before."""

    def __init__(self, arguments: list[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 -- by exit
        command = [sys.executable, "-m", "yochi_runtime.cli", "serve", "--port", str(self.port), *arguments]
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._errors)
        self.pid = self._child.pid
        self._listener = threading.Thread(target=self._listen, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> bytes:
        """The body of a GET; EngineError for any other answer than 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise EngineError(Reason.ENGINE_FAILED, f"expected {path} of the service, got {answer.status}")
        return body

    def wait(self, holds: Callable[[list[Heard]], bool], seconds: float) -> bool:
        """Until it holds of what was heard; whether it did in time. EngineError where the service ends."""
        until = time.monotonic() + seconds
        with self._changed:
            while not holds(self.heard):
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.5))
                if self._child.poll() is not None:
                    raise EngineError(Reason.ENGINE_FAILED, f"yochi serve has ended: {self._last_words()}")
        return True

    def _last_words(self) -> str:
        self._errors.seek(0)
        return (self._errors.read().strip().splitlines() or ["no word"])[-1]

    def _listen(self) -> None:
        """Comes back by itself, as a browser does; ends with the process."""
        while self._child.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                self._follow()
            time.sleep(0.05)

    def _follow(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/v1/live/events")
            answer, event = connection.getresponse(), ""
            while answer.status == 200 and (line := answer.readline()):
                name, _, value = line.decode("utf-8").rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "judgement":
                    self._keep(heard_of(json.loads(value)))
        finally:
            connection.close()

    def _keep(self, heard: Heard) -> None:
        with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()

    def __enter__(self) -> "Served":
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self._child.terminate()
        try:
            self._child.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._listener.join()
        self._errors.close()


def heard_of(given: dict[str, Any]) -> Heard:
    """An event's judgement, heard now."""
    judgement = given["judgement"]
    ages = [gate["value"] for gate in judgement["gates"] if gate["reason"] == STALE.reason]
    return Heard(
        at=time.monotonic(),
        wall=time.time(),
        id=given["id"],
        verdict=judgement["verdict"],
        why=judgement["message"] or "",
        begun_s=ages[0] if ages else None,
        told_s=given["age_s"],
    )
