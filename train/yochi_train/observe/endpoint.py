"""A teacher behind any OpenAI-compatible endpoint: vLLM, llama-server, a hosted model.

Plain `urllib`: one POST to `<base URL>/chat/completions` a question. No redirect is followed, since it would
carry the key to whoever it points to. Proxies come from the environment, as everywhere. The answer's schema
goes as OpenAI has it (`json_schema`), and to a server that refuses this as `json_object` with a schema.
"""

import email.utils
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError
from yochi_runtime.errors import UsageError

from .teacher import Answer, Question, TeacherAway, TeacherError, TeacherRefused

KEY_VARIABLE = "YOCHI_TEACHER_KEY"
TRIES = 6  # with waits of about 1, 2, 4, 8 and 16 seconds between them
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
LONGEST_ASKED_WAIT = 300.0  # seconds of Retry-After that are waited for
MAX_BODY = 4 * 1024 * 1024  # bytes; an answer of MAX_TOKENS is far below
MAX_TOKENS = 1024  # of an answer; under a grammar some models write spaces for ever
_CHUNK = 64 * 1024
_BUSY = (408, 425, 429)  # and everything from 500 on: worth another try
_REFUSED = (400, 413, 422)  # this question, not the next


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    """The part of a chat completion that is read."""

    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: _Usage | None = None


class _Fault(Exception):
    """This try failed, another may not; `wait` is what the server asked for (seconds)."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Names(NamedTuple):
    """What whoever gave them calls URL and model, for messages."""

    url: str = "--teacher"
    besides: str = "truth, hf or"  # what else may be given there
    model: str = "--model"


TEACHER = Names()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Endpoint:
    """`url` ends before `/chat/completions`; `key` may be None. `timeout` is for each of `tries`, in seconds.

    UsageError where URL or key cannot be meant. `clock` (seconds), `sleep` and `chance` (0..1) are there for
    tests. Several threads may ask at once: they share the rate limit.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    per_minute: float | None = None  # questions, tries included; None for no limit
    timeout: float = 120.0
    tries: int = TRIES
    names: Names = TEACHER
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.time  # for a Retry-After that is a date

    def __post_init__(self) -> None:
        _check_url(self.url, self.names)
        self.url = self.url.rstrip("/")
        self.key = (self.key or "").strip() or None
        if self.key and not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            raise UsageError(
                f"expected a key of printable ASCII without spaces in {KEY_VARIABLE}, got other characters; "
                "copy it again"
            )
        if self.per_minute is not None and not self.per_minute > 0:
            raise UsageError(f"expected more than 0 questions a minute, got {self.per_minute}")
        self._free_at = float("-inf")  # when the rate limit lets the next try go
        self._queue = threading.Lock()  # for `_free_at`
        self._json_object = False  # whether the server has refused `json_schema`
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, question: Question) -> Answer:
        """The model's answer; content null is an answer without words. Errors as in `teacher`."""
        for number in range(self.tries):
            self._keep_rate()
            try:
                return self._answer(self._post(json.dumps(self._payload(question)).encode("ascii")))
            except _Fault as fault:
                if number == self.tries - 1:
                    raise TeacherAway(
                        f"expected an answer of {self.model} at {self.url}, got {fault} after {self.tries} "
                        "tries; see that it runs, then give the same command again: it goes on"
                    ) from fault
                self.sleep(self._wait(number, fault))
        raise AssertionError("unreachable")

    def _payload(self, question: Question) -> dict[str, Any]:
        named = {"name": "answer", "strict": True, "schema": question.schema}
        return {
            "model": self.model,
            "messages": question.messages,
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            "response_format": {"type": "json_object", "schema": question.schema}
            if self._json_object
            else {"type": "json_schema", "json_schema": named},
        }

    def _keep_rate(self) -> None:
        if self.per_minute is None:
            return
        with self._queue:  # take a turn, then wait for it outside, so that others can take theirs
            now = self.clock()
            turn = max(now, self._free_at)
            self._free_at = turn + 60.0 / self.per_minute
        if turn > now:
            self.sleep(turn - now)

    def _wait(self, number: int, fault: _Fault) -> float:
        """Exponential backoff, half of it by chance so that many clients do not come back at once."""
        backoff = min(FIRST_WAIT * 2.0**number, LONGEST_WAIT) * (0.5 + 0.5 * self.chance())
        if fault.wait is None:
            return backoff
        if fault.wait > LONGEST_ASKED_WAIT:
            raise TeacherError(
                f"{self.url} asks to wait {fault.wait:.0f} s; give the same command again then: it goes on"
            ) from fault
        return fault.wait + FIRST_WAIT * self.chance()

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)
        deadline = self.clock() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return self._read(response, deadline)
        except urllib.error.HTTPError as e:
            with e:
                self._raise_status(e, deadline)
        except (OSError, http.client.HTTPException) as e:
            reason = e.reason if isinstance(e, urllib.error.URLError) else e
            raise _Fault(self._safe(str(reason) or type(e).__name__)) from e

    def _read(self, response: Any, deadline: float) -> bytes:
        """The body; a server that drips it has no more time than one that is silent."""
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > MAX_BODY:
                raise _Fault(f"a body of more than {MAX_BODY} bytes")
            if self.clock() > deadline:
                raise _Fault(f"no end of the body within {self.timeout:.0f} s")
        return bytes(data)

    def _raise_status(self, error: urllib.error.HTTPError, deadline: float) -> NoReturn:
        try:
            words = self._read(error, deadline).decode("utf-8", "replace")
        except (_Fault, OSError, http.client.HTTPException):
            words = ""
        got = f"{error.code} ({self._safe(words) or error.reason})"
        if "response_format" in words and "json_schema" in words:  # llama-cpp-python's server calls it a 500
            self._json_object = True
            raise _Fault(got, 0.0) from error
        if error.code in _BUSY or error.code >= 500:
            raise _Fault(got, _retry_after(error.headers.get("Retry-After"), self.now())) from error
        if error.code in (401, 403):
            have = "the one given" if self.key else "none"
            raise TeacherError(
                f"expected a key that {self.url} accepts in {KEY_VARIABLE}, got {have}: {got}; set it"
            ) from error
        if error.code in _REFUSED:
            raise TeacherRefused(
                f"expected {self.model} at {self.url} to take the question, got {got}"
            ) from error
        raise TeacherError(
            f"expected the model {self.model} at {self.url}, got {got}; check {self.names.model}, and that "
            f"{self.names.url} is the base URL (most end in /v1)"
        ) from error

    def _answer(self, body: bytes) -> Answer:
        try:
            completion = _Completion.model_validate_json(body)
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            start = self._safe(body[:80].decode("utf-8", "replace"))
            raise _Fault(f"no chat completion ({where}: {first['msg']}; it begins {start!r})") from e
        usage = completion.usage or _Usage()
        return Answer(
            text=completion.choices[0].message.content or "",
            model=completion.model or self.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )

    def _safe(self, words: str) -> str:
        """One line of what the server said; some repeat the key."""
        hidden = words.replace(self.key, "***") if self.key else words
        return " ".join(hidden.split())[:200]


def _check_url(url: str, names: Names) -> None:
    if set("@?#") & set(url):  # not repeated in the message: what stands there is often a key
        raise UsageError(f"expected a URL without user, password, ? or #; a key belongs into {KEY_VARIABLE}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not (url.isascii() and url.isprintable()) or " " in url:
        raise UsageError(
            f"expected {names.url} {names.besides} a URL such as http://localhost:8000/v1, got {url!r}"
        )


def _retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a Retry-After header (RFC 9110: seconds or a date); None where it says nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None
