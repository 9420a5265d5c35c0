"""What runs in an engine's own process: `python -m yochi_runtime.engine_child KIND DESCRIPTOR PARENT`.

It loads what the first message names, says that it is ready, and answers one request after another on the
socket DESCRIPTOR, until its other end is closed or the process PARENT is gone. While it works it sends a beat
every half second, so that a stopped process is told from a slow one.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .engines import CELLS, EMBEDS
from .errors import CannotJudge, Reason, one_line
from .wire import Message, Wire

BEAT = "beat"
PULSE = 0.5  # seconds from beat to beat; a request is rarely that long
PIXELS, ROWS, LOGITS = "pixels", "rows", "logits"  # names of arrays, beside Sight's own
TEXT, POSITION = "text", "position"
COMPUTED = "computed_ms"  # in every answer: how long the engine took for it, by the clock of its process

Answer = Callable[[Message], Message]


class Line(threading.Thread):
    """The child's end of the wire, and the thread that beats on it."""

    def __init__(self, wire: Wire, parent: int) -> None:
        super().__init__(daemon=True)
        self._wire, self._parent = wire, parent
        self._lock = threading.Lock()  # a beat must not stand in the middle of an answer
        self._busy = False

    def receive(self) -> Message:
        message = self._wire.receive()
        with self._lock:
            self._busy = True
        return message

    def answer(self, message: Message) -> None:
        with self._lock:
            self._busy = False
            self._wire.send(message)

    def run(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(PULSE)
            with self._lock:
                if self._busy:
                    try:
                        self._wire.send(Message({BEAT: True}))
                    except OSError:
                        break
        os._exit(0)  # whatever the engine is in the middle of: nobody waits for it


def serve(kind: str, line: Line) -> None:
    """Load, then answer, for ever; what goes wrong is an answer, too."""
    opened = line.receive()
    try:
        facts, answer = OPEN[kind](opened.head)
    except Exception as e:  # noqa: BLE001 -- the other side decides what to do about it
        line.answer(_failure(kind, e))
        return
    line.answer(Message(facts))
    while True:
        asked = line.receive()
        try:
            given = Message({}) if asked.head["do"] == "ping" else _timed(answer, asked)
        except Exception as e:  # noqa: BLE001
            given = _failure(kind, e)
        line.answer(given)


def _timed(answer: Answer, asked: Message) -> Message:
    """The answer, with how long it took: without the wire, but with what others took of its cores."""
    start = time.perf_counter()
    given = answer(asked)
    taken = (time.perf_counter() - start) * 1e3
    return Message({**given.head, COMPUTED: taken}, given.arrays)


def open_vision(settings: Any) -> tuple[dict[str, Any], Answer]:
    """What `engine_clients.VisionClient` talks to."""
    from . import vision

    engine = vision.Vision(Path(settings["path"]), settings["width"], settings["cues"], settings["threads"])

    def answer(asked: Message) -> Message:
        sight = engine.see(asked.arrays[PIXELS])
        return Message({}, {EMBEDS: sight.embeds, CELLS: sight.cells})

    return {"version": f"onnxruntime {vision.VERSION}"}, answer


def open_language(settings: Any) -> tuple[dict[str, Any], Answer]:
    """What `engine_clients.LanguageClient` talks to. Each request says at which position to read it."""
    from . import language

    files = [name and Path(name) for name in (settings["base"], settings["lora"], settings["explain"])]
    engine = language.Language(*files, threads=settings["threads"])

    def answer(asked: Message) -> Message:
        head = asked.head
        engine.rewind(head["at"])
        if head["do"] == "embeddings":
            engine.embeddings(asked.arrays[ROWS])
            return Message({})
        asked_for = head["ids"], head["asked"], head["answers"]
        return Message({}, {LOGITS: engine.tokens(*asked_for, explaining=head["explaining"])})

    return {"version": f"llama-cpp-python {language.VERSION}", "width": engine.width}, answer


def open_multimodal(settings: Any) -> tuple[dict[str, Any], Answer]:
    """What `engine_clients.MultimodalClient` talks to. Each request says at which position to read it."""
    from . import multimodal

    files = Path(settings["text"]), Path(settings["mmproj"])
    numbers = {name: settings[name] for name in ("threads", "context", "tokens")}
    engine = multimodal.Multimodal(*files, **numbers)

    def answer(asked: Message) -> Message:
        head = asked.head
        if head["do"] == "see":
            return Message({}, {ROWS: engine.see(asked.array(PIXELS).astype(np.uint8))})
        engine.rewind(head["at"])
        if head["do"] == "show":
            engine.show(head["size"], asked.array(ROWS))
            return Message({POSITION: engine.position})
        return Message({}, {LOGITS: engine.tokens(head["ids"], head["asked"], head["answers"])})

    version = f"llama-cpp-python {multimodal.VERSION} with its own eyes (mtmd)"
    return {"version": version, "width": engine.seen_width}, answer


def open_signs(settings: Any) -> tuple[dict[str, Any], Answer]:
    """What `engine_clients.SignClient` talks to."""
    from . import sign_engine

    engine = sign_engine.SignEngine(settings["threads"])

    def answer(asked: Message) -> Message:
        return Message({TEXT: engine.read(asked.arrays[PIXELS])})

    return {"version": f"rapidocr {sign_engine.VERSION}"}, answer


OPEN = {
    "vision": open_vision,
    "language": open_language,
    "multimodal": open_multimodal,
    "signs": open_signs,
}


def _failure(kind: str, error: Exception) -> Message:
    if isinstance(error, CannotJudge):
        return Message({"error": error.reason, "message": str(error)})
    said = f"{type(error).__name__}: {one_line(error)}"
    message = f"expected the {kind} engine to work, got {said}; restart Yochi, report it"
    return Message({"error": Reason.ENGINE_FAILED, "message": message})


def main(kind: str, descriptor: str, parent: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the parent, which ends this one
    line = Line(Wire(socket.socket(fileno=int(descriptor))), int(parent))
    line.start()
    with suppress(ConnectionError):  # nobody asks any more
        serve(kind, line)
    os._exit(0)  # without the libraries' own ends, which may hang or crash


if __name__ == "__main__":
    main(*sys.argv[1:])
