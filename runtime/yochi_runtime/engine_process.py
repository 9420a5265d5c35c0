"""One engine's process, from its start to its end, and the messages in between; each has its time limit.

The child stands in its own process group: Control-C does not reach it, and one that is stopped is hung up by
the kernel when its parent dies. It ends by itself when its socket closes or its parent changes.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from .engine_child import BEAT
from .errors import EngineError, Reason
from .wire import Message, Wire

COMMAND = (sys.executable, "-P", "-X", "faulthandler", "-m", "yochi_runtime.engine_child")
START_LIMIT = 120.0  # seconds to load library and model, from a slow card as well
# Seconds for one request, which takes 0.1 s on two free cores. Two cores that a training run holds at a
# higher priority were seen to take 10 s.
ANSWER_LIMIT = 30.0
SILENCE_LIMIT = 3.0  # seconds without a beat while a request is in work: six beats
_END_LIMIT = 1.0  # seconds until a closed process has its exit status, until a killed one is gone
_LOG = logging.getLogger(__name__)


class EngineProcess:
    """Starts at once, without waiting: `exchange` does. OSError where it cannot be started at all."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        # What a crashing library prints is for engineers.
        errors = None if _LOG.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._child = subprocess.Popen(
                    [*COMMAND, kind, str(theirs.fileno()), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
            except BaseException:
                ours.close()
                raise
        self._wire = Wire(ours)

    def exchange(self, message: Message, limit: float, silence: float) -> Message:
        """Its answer within `limit` seconds, with a beat every `silence` seconds. EngineError otherwise, or
        where the answer is an error; after either the process is of no more use: `end` it."""
        until = time.monotonic() + limit
        try:
            answer = self._talk(message, until, silence)
        except TimeoutError as e:
            late = time.monotonic() >= until
            missed = f"an answer within {limit:g} s" if late else f"a sign of life within {silence:g} s"
            raise EngineError(
                Reason.ENGINE_TIMEOUT,
                f"expected {missed} from the {self._kind} engine, got none; judge it again, check its load",
            ) from e
        except OSError as e:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected an answer from the {self._kind} engine, got the end of its process "
                f"({self._how_it_ended()}); judge it again",
            ) from e
        if "error" in answer.head:
            raise self._told(answer)
        return answer

    def _talk(self, message: Message, until: float, silence: float) -> Message:
        self._wire.send(message, min(until, time.monotonic() + silence))
        while True:
            answer = self._wire.receive(min(until, time.monotonic() + silence))
            if BEAT not in answer.head:
                return answer

    def _told(self, answer: Message) -> EngineError:
        words = " ".join(str(answer.head.get("message")).split())[:500]
        output = answer.head["error"] == Reason.ENGINE_OUTPUT
        return EngineError(Reason.ENGINE_OUTPUT if output else Reason.ENGINE_FAILED, words)

    def end(self) -> None:
        """Kill it, take its exit status, close the socket. May be repeated."""
        self._wire.close()
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):  # stuck in the kernel; Python takes its status later
            self._child.wait(_END_LIMIT)

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_END_LIMIT)
        self.end()
        code = self._child.returncode
        if code is None or code >= 0:
            return f"exit status {code}"
        return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
