"""A server that fails in every way a server can, and what becomes of it. No test waits: sleep is a list."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.observe import endpoint as module
from yochi_train.observe.endpoint import KEY_VARIABLE, Endpoint
from yochi_train.observe.pairs import Pair
from yochi_train.observe.prompts import messages, schema
from yochi_train.observe.teacher import Question, TeacherError, TeacherRefused, Topic

from . import scripted_server as serve
from .made import command
from .observed import write_pairs
from .scripted_server import EMPTY, Reply, Script, completion

KEY = "sk-not-for-anybody"
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
DATE_SECONDS = 1_445_412_480.0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setenv("no_proxy", "*")
    with serve.scripted_server() as script:
        yield script


@pytest.fixture
def question(pack: Pack) -> Question:
    pair = Pair(id="a", image="a.png", note="Wipe the rollers. 終わり")
    topic = Topic("both")
    chat = messages(pair, topic, pack, "data:image/jpeg;base64,AAAA")
    return Question(pair, topic, chat, schema(topic, pack))


class Time:
    """A clock that moves `step` seconds whenever it is read, and by what is slept."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step
        self.waits: list[float] = []

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def client(url: str, time: Time, chance: float = 1.0, **more: Any) -> Endpoint:
    return Endpoint(
        url,
        "tiny",
        more.pop("key", KEY),
        clock=time.clock,
        sleep=time.sleep,
        chance=lambda: chance,
        now=lambda: DATE_SECONDS - 9.0,
        **more,
    )


def test_a_question_is_one_post_and_its_answer_is_kept_as_it_came(server: Script, question: Question) -> None:
    server.replies = [completion(' {"observations": []}\n')]
    answer = client(server.url + "/", Time()).ask(question)
    assert (answer.text, answer.model) == (' {"observations": []}\n', "tiny-0125")
    assert (answer.prompt_tokens, answer.completion_tokens) == (100, 7)
    [(path, headers, body)] = server.requests
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tiny"
    assert body["messages"] == question.messages
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == question.schema


@pytest.mark.parametrize("code", [400, 422, 500])
def test_a_server_that_refuses_the_form_of_the_schema_is_asked_in_another(
    code: int, server: Script, question: Question
) -> None:
    time = Time()
    refusal = "'loc': ('body', 'response_format', 'type'), 'input': 'json_schema'"
    server.replies = [serve.status(code, f"1 validation error: {'.' * 200} {refusal}"), completion()]
    chosen = client(server.url, time)
    assert [chosen.ask(question).text for _ in range(2)] == [EMPTY] * 2
    forms = [body["response_format"] for *_, body in server.requests]
    assert forms[0]["type"] == "json_schema"
    assert forms[1:] == [{"type": "json_object", "schema": question.schema}] * 2
    assert time.waits == [1.0]


def test_without_a_key_none_is_sent_and_without_counts_none_are_made_up(
    server: Script, question: Question
) -> None:
    server.replies = [completion(tokens=None)]
    answer = client(server.url, Time(), key=None).ask(question)
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
    assert "Authorization" not in server.requests[0][1]


def test_no_content_is_an_answer_without_words(server: Script, question: Question) -> None:
    server.replies = [completion(None)]
    assert client(server.url, Time()).ask(question).text == ""


PASSING: dict[str, tuple[Reply, str]] = {
    "429": (serve.status(429, "slow down"), r"429 \(.*slow down"),
    "500": (serve.status(500, "oops"), r"500 \(.*oops"),
    "503": (serve.raw(b"", 503), r"503 \(Service Unavailable"),
    "silent": (serve.silent, "timed out"),
    "hang up": (serve.hang_up, "Remote end closed connection without response"),
    "dripping": (serve.dripping, "no end of the body within"),
    "truncated": (serve.truncated, 'no chat completion .*begins \'{"choices": \\[{"mess'),
    "not json": (serve.raw(b"<html>hello"), "no chat completion .*begins '<html>hello'"),
    "not utf-8": (serve.raw(b'{"choices": "\xff"}'), "no chat completion"),
    "another schema": (serve.raw(b'{"answer": 42}'), "no chat completion \\(choices: Field required"),
    "a list": (serve.raw(b"[]"), "no chat completion"),
    "no choices": (
        serve.raw(b'{"choices": []}'),
        "no chat completion \\(choices: List should have at least 1",
    ),
    "no message": (
        serve.raw(b'{"choices": [{}]}'),
        "no chat completion \\(choices.0.message: Field required",
    ),
    "huge": (serve.raw(b" " * 70_000), "a body of more than 60000 bytes"),
    "deep": (serve.raw(b"[" * 50_000), "no chat completion"),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_tried_again(
    kind: str, server: Script, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 60_000)
    time = Time(step=20.0 if kind == "dripping" else 0.0)
    server.replies = [PASSING[kind][0], completion()]
    chosen = client(server.url, time, timeout=0.05 if kind == "silent" else 60.0)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        server.begun.wait()  # or the next request could be the one that is met with silence
        chosen.timeout = 60.0

    chosen.sleep = sleep
    assert chosen.ask(question).text == EMPTY
    assert time.waits == [1.0]
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", PASSING)
def test_what_does_not_pass_ends_in_one_line(
    kind: str, server: Script, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 60_000)
    time = Time(step=20.0 if kind == "dripping" else 0.0)
    server.replies = [PASSING[kind][0]]
    chosen = client(server.url, time, timeout=0.05 if kind == "silent" else 60.0)
    with pytest.raises(TeacherError, match=f"got {PASSING[kind][1]}") as caught:
        chosen.ask(question)
    assert not isinstance(caught.value, TeacherRefused)
    assert str(caught.value).endswith("give the same command again: it goes on")
    assert "\n" not in str(caught.value)
    assert time.waits == [1.0, 2.0, 4.0, 8.0, 16.0]  # between six tries


def test_nobody_listens(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        time = Time()
        with pytest.raises(TeacherError, match=r"[Cc]onnection refused after 6 tries"):
            client(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", time).ask(question)
    assert len(time.waits) == 5


def test_half_of_a_wait_is_chance(server: Script, question: Question) -> None:
    time = Time()
    server.replies = [serve.status(500)] * 2 + [completion()]
    client(server.url, time, chance=0.0).ask(question)
    assert time.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("said", "wait"), [("7", 7.5), (DATE, 9.5), ("soon", 0.75), ("-3", 0.75), ("²", 0.75)]
)
def test_the_server_says_when_to_come_back(
    said: str, wait: float, server: Script, question: Question
) -> None:
    time = Time()
    server.replies = [serve.status(429, headers={"Retry-After": said}), completion()]
    client(server.url, time, chance=0.5).ask(question)
    assert time.waits == [wait]


def test_nobody_waits_for_hours(server: Script, question: Question) -> None:
    server.replies = [serve.status(429, headers={"Retry-After": "7200"})]
    time = Time()
    with pytest.raises(TeacherError, match="asks to wait 7200 s; give the same command again then"):
        client(server.url, time).ask(question)
    assert time.waits == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, f"expected a key that .* accepts in {KEY_VARIABLE}, got the one given: 401"),
        (403, f"expected a key that .* accepts in {KEY_VARIABLE}, got the one given: 403"),
        (404, "expected the model tiny at .*, got 404 .*; check --model"),
        (405, "check --model, and that --teacher is the base URL"),
    ],
)
def test_what_is_wrong_from_the_start_is_not_tried_again(
    code: int, said: str, server: Script, question: Question
) -> None:
    server.replies = [serve.status(code, f"what is {KEY}?")]
    time = Time()
    with pytest.raises(TeacherError, match=said) as caught:
        client(server.url, time).ask(question)
    assert "what is ***?" in str(caught.value)
    assert len(server.requests) == 1
    assert time.waits == []


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_question_can_be_refused(code: int, server: Script, question: Question) -> None:
    server.replies = [serve.status(code, "too long")]
    with pytest.raises(TeacherRefused, match=f"to take the question, got {code} .*too long"):
        client(server.url, Time()).ask(question)
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_the_key_goes_to_nobody_else(code: int, server: Script, question: Question) -> None:
    with serve.scripted_server() as other:
        other.replies = [completion()]
        server.replies = [serve.status(code, headers={"Location": f"{other.url}/chat/completions"})]
        with pytest.raises(TeacherError, match=f"got {code}"):
            client(server.url, Time()).ask(question)
        assert other.requests == []


@pytest.mark.parametrize("reply", [serve.status(500, KEY), serve.raw(KEY.encode())])
def test_the_key_is_never_shown(reply: Reply, server: Script, question: Question) -> None:
    server.replies = [reply]
    chosen = client(server.url, Time())
    with pytest.raises(TeacherError) as caught:
        chosen.ask(question)
    assert KEY not in str(caught.value)
    assert "***" in str(caught.value)
    assert KEY not in repr(chosen)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk a", "鍵", "sk-\x7f"])
def test_a_key_that_is_none_is_refused_unseen(key: str) -> None:
    with pytest.raises(UsageError, match="got other characters; copy it again") as caught:
        Endpoint("http://localhost/v1", "tiny", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000/v1",
        "ftp://a/v1",
        "file:///etc/x",
        "http://",
        "http://a:b/v1",
        "http://a b/v1",
        "http://工場/v1",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected --teacher truth, hf or a URL such as"):
        Endpoint(url, "tiny")


@pytest.mark.parametrize("url", ["http://me:secret@a/v1", "http://a/v1?key=secret", "http://a/v1#secret"])
def test_a_key_in_the_url_is_refused_unseen(url: str) -> None:
    with pytest.raises(UsageError, match=f"a key belongs into {KEY_VARIABLE}") as caught:
        Endpoint(url, "tiny")
    assert "secret" not in str(caught.value)


def test_the_rate_limit_counts_every_try(server: Script, question: Question) -> None:
    time = Time()
    chosen = client(server.url, time, per_minute=20.0)
    server.replies = [completion(), serve.status(500), completion()]
    chosen.ask(question)  # at 0 s
    chosen.ask(question)  # at 3 s, fails; one second of backoff, then two more of the rate limit
    assert time.waits == [3.0, 1.0, 2.0]


def test_threads_share_the_rate_limit(server: Script, question: Question) -> None:
    waits: list[float] = []
    chosen = Endpoint(server.url, "tiny", per_minute=20.0, clock=lambda: 0.0, sleep=waits.append)
    server.replies = [completion()]
    threads = [threading.Thread(target=chosen.ask, args=[question]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [3.0 * turn for turn in range(1, 8)]  # the first goes at once
    assert len(server.requests) == 8


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="more than 0 questions a minute"):
        Endpoint("http://localhost/v1", "tiny", per_minute=rate)


def test_the_whole_command_against_a_server(
    server: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_pairs(tmp_path, ["a"])
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    server.replies = [completion()]
    words = ["records", "observe", str(file), str(tmp_path / "out"), "--teacher", server.url]
    assert command(words) == 2
    assert "expected --model NAME beside --teacher, got none" in capsys.readouterr().err
    assert command([*words, "--model", "tiny", "--price", "2.5,10"]) == 0
    assert capsys.readouterr().out.startswith("1 pairs observed, 0 refused by the teacher: ")
    found = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert found["answers"] == {"all": 3, "asked_again": 0, "models": {"tiny-0125": 3}}
    assert found["tokens"] == {"prompt": 300, "completion": 21, "answers_without_counts": 0}
    assert found["cost_usd"] == 0.00096  # 300 x 2.5 / 10^6 + 21 x 10 / 10^6
    for written in (tmp_path / "out").iterdir():
        assert KEY.encode() not in written.read_bytes()
    pictures = [
        part["image_url"]["url"]
        for *_, body in server.requests
        for part in body["messages"][1]["content"]
        if part["type"] == "image_url"
    ]
    assert len(pictures) == 2  # picture alone, and both
    assert all(url.startswith("data:image/jpeg;base64,/9j/") for url in pictures)
