"""One renderer process: requests in, answers out, and every way it can fail becomes a RenderError."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yochi_runtime.errors import YochiError

LONGEST_ANSWER = 65_536  # bytes


class RenderError(YochiError):
    """A scene could not be rendered, or what was written is not a whole scene."""


class Renderer:
    """A process that answers each JSON line with a JSON line; `log` takes what it says on stderr."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as sink:
            # A session of its own: an interrupt on the terminal reaches us first, and we end it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, start_new_session=True
            )

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to `request`. RenderError: it dies, takes over `seconds`, or answers otherwise."""
        sink = self._process.stdin
        if sink is None:
            raise ValueError("a renderer is started with a pipe")
        try:
            sink.write(json.dumps(request).encode() + b"\n")
            sink.flush()
        except OSError as e:
            raise self._died() from e
        line = self._line(time.monotonic() + seconds, seconds)
        try:
            answer = json.loads(line)
        except ValueError as e:
            raise RenderError(f"expected an answer in JSON, got {line[:80]!r}") from e
        if not isinstance(answer, dict) or answer.get("name") != request["name"]:
            raise RenderError(f"expected an answer for {request['name']}, got {line[:80]!r}")
        if "error" in answer:
            raise RenderError(str(answer["error"]))
        return answer

    def _line(self, deadline: float, seconds: float) -> bytes:
        stream = self._process.stdout
        if stream is None:
            raise ValueError("a renderer is started with a pipe")
        held = b""
        while not held.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise RenderError(f"expected an answer within {seconds:g} s, got none")
            chunk = os.read(stream.fileno(), LONGEST_ANSWER)
            if not chunk:
                raise self._died()
            held += chunk
            if len(held) > LONGEST_ANSWER:
                raise RenderError(f"expected an answer of one line, got {held[:80]!r}")
        return held

    def _died(self) -> RenderError:
        self.close()
        said = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return RenderError(
            f"expected an answer, the renderer ended ({self._process.returncode}): {said[-1:]}"
        )

    def kill(self) -> None:
        """End it and everything it started; from any thread: one that waits in `ask` sees it die."""
        with contextlib.suppress(ProcessLookupError):  # it is gone already
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and give its pipes back; only from the thread that asks."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # a request that nobody read
                    pipe.close()
