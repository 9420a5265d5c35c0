"""A chat completions server that does what it is told, request by request, and fails in every way one can."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]
EMPTY = '{"observations": []}'


@dataclass
class Script:
    """What the server does next; the last reply is repeated. `requests` are path, headers and JSON body."""

    url: str
    replies: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)  # a request has its reply
    over: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Reply:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.begun.set()
        return reply


class Server(ThreadingHTTPServer):
    script: Script

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the script."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    body: Any  # JSON of the request at hand

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
        script = self.server.script
        script.requests.append((self.path, dict(self.headers), self.body))
        script.next()(self)

    do_GET = do_POST  # what a redirected POST often becomes

    def log_message(self, *_: object) -> None:
        pass

    def begin(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def scripted_server() -> Iterator[Script]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.script = Script(f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.script
        finally:
            server.script.over.set()
            server.shutdown()
            thread.join()


def raw(body: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    def reply(handler: Handler) -> None:
        handler.begin(code, {"Content-Length": str(len(body)), **(headers or {})})
        handler.wfile.write(body)

    return reply


def status(code: int, words: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
    return raw(json.dumps({"error": {"message": words}}).encode(), code, headers)


def completion(text: str | None = EMPTY, tokens: tuple[int, int] | None = (100, 7)) -> Reply:
    data: dict[str, Any] = {
        "model": "tiny-0125",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }
    if tokens:
        data["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return raw(json.dumps(data).encode())


def by_question(answer: Callable[[Any], Reply]) -> Reply:
    """What is replied follows from the request's body, in whatever order and how often it comes."""
    return lambda handler: answer(handler.body)(handler)


def truncated(handler: Handler) -> None:
    """Half of a body, then gone."""
    handler.begin(200, {"Content-Length": "500"})
    handler.wfile.write(b'{"choices": [{"mess')


def silent(handler: Handler) -> None:
    """No byte until the test is over."""
    handler.server.script.over.wait()


def hang_up(handler: Handler) -> None:
    """The connection is closed without an answer."""
    handler.close_connection = True


def dripping(handler: Handler) -> None:
    """A body without an end."""
    handler.begin(200, {})
    while not handler.server.script.over.is_set():
        handler.wfile.write(b" ")
