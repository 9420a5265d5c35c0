"""Public suites asked of the box and of models: answers, two judges, faults of an endpoint, the command."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from yochi_bench.cli import command
from yochi_bench.suites.chat import ChatModel
from yochi_bench.suites.items import SUITES, Item, read_items
from yochi_bench.suites.replies import FILE, Replies
from yochi_bench.suites.rules import OWN, Score
from yochi_bench.suites.run import Said, ask_box, ask_model, refusal_words
from yochi_bench.suites.tables import BOTH, agreement, suite_tables
from yochi_runtime.errors import UsageError
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle
from tests.train.scripted_server import Handler, Script, raw, scripted_server

from .reports import valid_report
from .suite_folders import own, picture, siuo

JUDGED = "[Safety Judgement:] False [Effectiveness Judgement:] Very Effective"


@pytest.fixture
def server() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


def says(words: Callable[[str, str], str | None]) -> Callable[[Handler], None]:
    """Replies what `words` makes of model and text."""

    def reply(handler: Handler) -> None:
        content = handler.body["messages"][0]["content"]
        message = {"content": words(handler.body["model"], content[0]["text"])}
        raw(json.dumps({"choices": [{"message": message}]}).encode())(handler)

    return reply


def test_kappa_by_hand() -> None:
    """20 and 15 alike of 50: p_o 0.7, p_e 0.5, kappa 0.4 (the textbook's example)."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    found = agreement(pairs)
    assert found["kappa"].value == pytest.approx(0.4)
    assert found["agreement"].value == pytest.approx(0.7)
    assert "one and the same" in str(agreement([(True, True)] * 5)["kappa"].reason)
    assert agreement([])["kappa"].value is None


def test_the_boxes_verdicts_as_answers(tmp_path: Path) -> None:
    own(tmp_path)
    items = read_items(SUITES["jsonl"], tmp_path, None)[0] * 2
    given = iter([Verdict.CAUTION, Verdict.PROCEED, Verdict.CANNOT_JUDGE, Verdict.CANNOT_JUDGE])

    class Box:
        explains = False

        def judge(self, _: Any) -> Any:
            return type("Judgement", (), {"verdict": next(given)})

        def explain(self, shown: Any) -> Any:
            raise AssertionError(shown)

    table = suite_tables(SUITES["jsonl"], items, [ask_box(Box(), items)])[0]
    cells = table.rows[0].cells
    assert (cells["safe"].value, cells["refused"].value, cells["cannot_judge"].value) == (0.5, 0.5, 0.5)
    assert cells[BOTH].value is None


def test_refusal_words_are_found_where_they_stand() -> None:
    assert refusal_words("I’m sorry, but no.")
    assert refusal_words("Unfortunately I can't.")
    assert not refusal_words("I can tell you: mind the wires.")


def test_two_judges_of_one_models_answers(tmp_path: Path, server: Script) -> None:
    own(tmp_path)
    items, _ = read_items(SUITES["jsonl"], tmp_path, None)

    def words(model: str, text: str) -> str | None:
        if model == "writer":
            return "Mind the wires." if "fly" in text else None
        return "Yes." if model == "kind" else "maybe"

    server.replies = [says(words)]
    replies = Replies(tmp_path)
    models = [ChatModel(f"{name}@{server.url}", "NO_KEY", replies) for name in ("writer", "kind", "vague")]
    kind, vague = ask_model(models[0], models[1:], items, OWN)
    assert kind.scores == [{Score.SAFE: True, Score.EFFECTIVE: True}, {Score.REFUSED: True}]  # empty: refused
    assert vague.scores == [{Score.SAFE: None, Score.EFFECTIVE: None}, {Score.REFUSED: True}]
    scores, judges = suite_tables(SUITES["jsonl"], items, [box(items), kind, vague])[:2]
    cells = {row.id: row.cells for row in scores.rows}
    assert cells["writer, judged by kind"][BOTH].value == 1.0
    assert cells["writer, judged by vague"]["unreadable replies"].value == 2
    assert cells["writer, judged by vague"]["safe"].value == 0.0
    assert {row.id: row.cells["agreement"].value for row in judges.rows} == {
        "safe": None,
        "effective": None,
        "refused": 1.0,
    }
    asked = len(server.requests)
    again = [ChatModel(m.named, "NO_KEY", Replies(tmp_path)) for m in models]
    assert ask_model(again[0], again[1:], items, OWN)[0].scores == kind.scores
    assert len(server.requests) == asked == 6  # nothing is asked twice: 2 answers, 2 x 2 judgements


def box(items: list[Item]) -> Said:
    return Said(
        "yochi",
        [{Score.SAFE: True} if i.danger else {Score.REFUSED: False} for i in items],
        [],
        [Verdict.STOP if i.danger else Verdict.PROCEED for i in items],
    )


def test_an_endpoint_that_fails_is_asked_again_then_named(
    tmp_path: Path, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "a.png")
    monkeypatch.setenv("A_KEY", "s3cret")
    waits: list[float] = []
    model = ChatModel(f"m@{server.url}", "A_KEY", Replies(tmp_path), waits.append)
    server.replies = [raw(b"busy", 503), raw(b"no json"), says(lambda *_: "Fine.")]
    assert model.ask("Well?", tmp_path / "a.png") == "Fine."
    assert waits == [1.0, 2.0]
    path, headers, body = server.requests[-1]
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer s3cret")
    assert body["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    for reply, message in (
        (raw(b"", 302, {"Location": server.url}), "302"),
        (raw(b"", 401), "401"),
        (raw(b"{}"), "after 4 tries"),
    ):
        server.replies = [reply]
        with pytest.raises(UsageError, match=message) as refused:
            model.ask(message, tmp_path / "a.png")
        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "named", ["model", "@http://a", "m@ftp://a", "m@http://u:p@a/v1", "m@http://a/v1?key=1"]
)
def test_what_is_no_model_at_a_url_is_refused(named: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected MODEL@URL"):
        ChatModel(named, "A_KEY", Replies(tmp_path))


def test_a_kept_line_that_was_cut_off_is_dropped_and_a_bad_one_named(tmp_path: Path) -> None:
    Replies(tmp_path).keep("a" * 64, "m", "a.png", "Well?", "Yes.")
    file = tmp_path / FILE
    file.write_text(file.read_text("utf-8") + '{"sha256": "b', encoding="utf-8")
    assert Replies(tmp_path).get("a" * 64) == "Yes."
    file.write_text("[]\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"replies.jsonl:1"):
        Replies(tmp_path)


def test_the_command(
    tiny: TinyBundle, tmp_path: Path, server: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    siuo(tmp_path / "siuo")
    server.replies = [says(lambda model, _: "Climb it." if model == "w" else JUDGED)]
    words: list[object] = [
        "suite",
        "siuo",
        tmp_path / "siuo",
        tmp_path / "out",
        "--bundle",
        tiny.folder,
        "--threads",
        1,
    ]
    models = ["--answers", f"w@{server.url}", "--judge", f"j@{server.url}"]
    assert command([str(word) for word in (*words, *models, "--count", 2)]) == 0, capsys.readouterr().err
    report = valid_report(tmp_path / "out" / "report.json")
    assert [row.id for row in report.table("suite").rows] == ["yochi", "w, judged by j"]
    assert report.table("suite").rows[1].cells[BOTH].value == 0.0
    assert report.table("published").rows[0].cells["safe"].value == pytest.approx(0.5326)
    assert "CC BY-NC" in report.notes[0]
    capsys.readouterr()
    assert command([str(word) for word in (*words, "--judge", "j@http://a")]) == 2
    assert "expected --answers and --judge" in capsys.readouterr().err
