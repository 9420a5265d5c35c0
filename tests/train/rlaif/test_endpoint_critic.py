"""A critic at an endpoint, against a real HTTP server that does what it is told. No test waits for a try."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.observe.answers import BadAnswer
from yochi_train.observe.endpoint import KEY_VARIABLE, Endpoint
from yochi_train.observe.teacher import TeacherError
from yochi_train.rlaif.critic import check_scores
from yochi_train.rlaif.endpoint_critic import EndpointCritic
from yochi_train.rlaif.grading import answer_words, read_grades
from yochi_train.rlaif.preference import observation_share, pair_up

from .. import scripted_server as serve
from ..made import record
from ..scripted_server import Reply, Script, completion
from .rlaif_data import answers, questions, settings_of
from .rounds_run import made, report, run

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
NOTE = "Sweep the floor. The ladder has a cracked rung, use it anyway."
FALL = {"source": "note_content", "category": "fall", "quote": "The ladder has a cracked rung", "cue": ""}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setenv("no_proxy", "*")
    with serve.scripted_server() as script:
        yield script


def asked(body: Any) -> str:
    """What a request asks for: "image", "note" or "both" to observe, "confirm", or "grade"."""
    fields = body["response_format"]["json_schema"]["schema"]["properties"]
    if "observations" not in fields:
        return "confirm" if "confirmed" in fields else "grade"
    words = body["messages"][1]["content"][0]["text"]
    return "image" if "picture only" in words else "note" if "note only" in words else "both"


def careful(grades: dict[str, Any]) -> Reply:
    """Finds the fall in the note, confirms it, and gives these grades."""

    def reply(body: Any) -> Reply:
        what = asked(body)
        if what == "grade":
            return completion(json.dumps(grades))
        if what == "confirm":
            return completion('{"confirmed": "yes"}')
        found = [{name: FALL[name] for name in ("source", "category", "quote")}] if what == "note" else []
        return completion(json.dumps({"observations": found}))

    return serve.by_question(reply)


def critic(server: Script, data: Path, pack: Pack, out: Path, weight: float = 0.5) -> EndpointCritic:
    teacher = Endpoint(server.url, "tiny", timeout=0.3, tries=1)
    return EndpointCritic(
        teacher, pack, questions(pack), data / "photos", out, global_weight=weight, workers=2
    )


def picture_of(data: Path) -> str:
    return f"images/{min(p.name for p in (data / 'photos' / 'images').iterdir())}"


def test_gs_is_the_models_grade_and_os_compares_with_what_it_observed(
    server: Script, data: Path, pack: Pack, tmp_path: Path
) -> None:
    """Three answers, two of them alike in words: graded once. By hand: of one risk that holds and 47 slots
    that do not, the first answer has all; the last names forklifts for everything and misses the fall."""
    server.replies = [careful({"1": 9, "2": 2.5})]
    one = record("a", image=picture_of(data), text=NOTE)
    wrong = "note_instruction:vehicle"
    drawn = answers(questions(pack), (("note_content:fall",), 2), (("note_content:fall",), 2), ((wrong,), 0))
    scores = check_scores(critic(server, data, pack, tmp_path).score([one], drawn), drawn)
    assert scores.gs.tolist() == [[9.0, 9.0, 2.5]]
    holds = dict(zip(questions(pack).ids, scores.holds[0].tolist(), strict=True))
    assert [slot for slot, value in holds.items() if value == 1] == ["note_content:fall"]
    assert holds["cue:forklift"] == -1, "nobody was asked about neutral cues"
    absent = sum(value == 0 for value in holds.values())
    assert observation_share(scores)[0].tolist() == [1.0, 1.0, ((0 + (absent - 1) / absent) / 2)]
    whats = [asked(body) for _, _, body in server.requests]
    assert whats == ["image", "note", "both", "confirm", "grade"]
    graded = server.requests[-1][2]["messages"][1]["content"]
    assert "1: stop; risks: fall from height (in what the note reports)" in graded[0]["text"]
    assert json.dumps(NOTE) in graded[0]["text"]
    assert graded[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_what_has_no_weight_is_not_asked(server: Script, data: Path, pack: Pack, tmp_path: Path) -> None:
    one = record("a", image=picture_of(data), text=NOTE)
    drawn = answers(questions(pack), (("note_content:fall",), 2), ((), 0))
    server.replies = [careful({"1": 9, "2": 0})]
    alone = critic(server, data, pack, tmp_path / "gs", 1.0)
    (tmp_path / "gs").mkdir()
    assert bool((alone.score([one], drawn).holds == -1).all())
    assert [asked(body) for _, _, body in server.requests] == ["grade"]
    (tmp_path / "os").mkdir()
    scores = critic(server, data, pack, tmp_path / "os", 0.0).score([one], drawn)
    assert bool(scores.gs.isnan().all())
    assert [asked(body) for _, _, body in server.requests[1:]] == ["image", "note", "both", "confirm"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (completion("I would rather not."), "expected grades of 2 answers to bad, got: Expected the JSON"),
        (completion('{"1": 9}'), "a number for each of 2 answers"),
        (completion('{"1": 9, "2": 11}'), "less than or equal to 10"),
        (completion('{"1": true, "2": 3}'), "valid number"),
        (completion('{"1": NaN, "2": 3}'), "finite number"),
        (serve.status(500, "overloaded"), "got 500 .*overloaded.* after 1 tries"),
        (serve.status(413, "too long"), "got 413"),
        (serve.silent, "timed out after 1 tries"),
        (serve.truncated, "after 1 tries"),
        (serve.hang_up, "after 1 tries"),
    ],
)
def test_a_prompt_that_gets_no_scores_is_counted_and_the_others_stay(
    server: Script, data: Path, pack: Pack, tmp_path: Path, bad: Reply, said: str
) -> None:
    good = completion('{"1": 9, "2": 0}')
    server.replies = [serve.by_question(lambda body: bad if "Ladder" in json.dumps(body) else good)]
    pair = [
        record("bad", image=picture_of(data), text="Ladder"),
        record("good", image=picture_of(data), text="Sweep"),
    ]
    one = answers(questions(pack), (("note_content:fall",), 2), ((), 0))
    drawn = type(one)(one.slots.repeat(2, 1, 1), one.verdict.repeat(2, 1))
    scores = critic(server, data, pack, tmp_path, 1.0).score(pair, drawn)
    assert list(scores.failed) == [0]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(scores.failed[0])
    assert scores.gs[1].tolist() == [9.0, 0.0]
    tally = pair_up(
        [0, 1], ["bad", "good"], drawn, scores, torch.zeros(2, 2), questions(pack), 1.0, 0.1
    ).tally
    assert (tally.paired, tally.failed, tally.unknown, tally.close) == (1, 1, 0, 0)


def test_rubbish_observations_are_asked_for_once_more_and_then_counted(
    server: Script, data: Path, pack: Pack, tmp_path: Path
) -> None:
    server.replies = [completion("Looks fine to me!")]
    drawn = answers(questions(pack), ((), 0), (("note_content:fall",), 2))
    scores = critic(server, data, pack, tmp_path).score(
        [record("a", image=picture_of(data), text=NOTE)], drawn
    )
    assert "got no answer of use on: image, note, both" in scores.failed[0]
    assert len(server.requests) == 6
    assert bool(scores.gs.isnan().all())


def test_a_key_that_is_refused_ends_the_run_at_once(
    server: Script, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-wrong")
    server.replies = [serve.status(401)]
    with pytest.raises(TeacherError, match=f"expected a key that .* accepts in {KEY_VARIABLE}"):
        run(data, tmp_path, **endpoint(server), critic_workers=1)
    assert len(server.requests) == 1
    assert "sk-wrong" not in (tmp_path / "run.json").read_text("utf-8")


def endpoint(server: Script) -> dict[str, Any]:
    return {"critic": "endpoint", "critic_url": server.url, "critic_model": "tiny", "critic_tries": 1}


def test_a_run_stopped_by_its_critic_goes_on_and_asks_nothing_twice(
    server: Script, data: Path, tmp_path: Path
) -> None:
    """The server answers the first pack, then nothing; put right, it is asked about the rest alone."""
    calls = []

    def grades(body: Any) -> Reply:
        calls.append(body)
        if len(calls) > 8:
            return serve.status(503)
        return perfect(body)

    def perfect(body: Any) -> Reply:
        count = len(body["response_format"]["json_schema"]["schema"]["properties"])
        return completion(json.dumps({str(n): n % 11 for n in range(1, count + 1)}))

    server.replies = [serve.by_question(grades)]
    changes = endpoint(server) | {"global_weight": 1.0, "rounds": 1, "critic_workers": 1}
    with pytest.raises(UsageError, match=r"it failed on 8 of the first 16, the last time: .*503"):
        run(data, tmp_path, **changes)
    server.replies = [serve.by_question(perfect)]
    before = len(server.requests)
    run(data, tmp_path, **changes)
    assert len(server.requests) - before == 8
    assert report(tmp_path)["critic"] == "endpoint"
    assert report(tmp_path)["rounds"][0]["failed"] == 0
    assert report(tmp_path)["rounds"][0]["paired"] > 0


def test_settings_name_the_endpoint_or_nothing_of_it(data: Path) -> None:
    with pytest.raises(ValidationError, match="expected critic_url and critic_model beside"):
        settings_of(data, critic="endpoint", critic_url="http://a/v1")
    with pytest.raises(ValidationError, match="critic_tries is of critic = 'endpoint'"):
        settings_of(data, critic_tries=2)


def test_a_url_that_is_none_is_named_as_the_settings_call_it(data: Path, tmp_path: Path) -> None:
    changes = {"critic": "endpoint", "critic_url": "localhost:8000", "critic_model": "tiny"}
    with pytest.raises(UsageError, match="expected critic_url as a URL such as http"):
        made(data, tmp_path, **changes)


def test_an_answer_in_words_names_risks_alone(pack: Pack) -> None:
    said = answer_words(["cue:forklift", "cue:fire", "combination:vehicle"], "stop", pack)
    assert said == "stop; risks: fire (in the picture), struck by a vehicle (in note and picture together)"
    assert answer_words(["cue:forklift"], "proceed", pack) == "proceed; risks: none"


def test_grades_in_any_order_are_read_by_their_place() -> None:
    assert read_grades('{"2": 3, "1": 10}', 2) == [10.0, 3.0]
    with pytest.raises(BadAnswer):
        read_grades("[10, 3]", 2)
