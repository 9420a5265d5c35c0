"""Peers: the order of questions, what a process answers, and what is written by llama-cpp-python itself."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from yochi_bench.cli import command
from yochi_bench.peer_answers import answer_schema, likeliest, prompt_ids, verdict_of
from yochi_bench.peer_process import ASK, Writer, serve
from yochi_bench.peer_settings import PeerName, PeerSettings
from yochi_bench.peers import Answers, PeerProcess, interleaved, missing, peers_table, settings_notes
from yochi_bench.report import Number
from yochi_runtime.errors import CannotJudge, EngineError
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.taxonomy import Pack, Source
from yochi_runtime.verdict import JUDGED

from tests.fixtures.chat_model import write_chat_model
from tests.fixtures.tiny_bundle import TinyBundle
from tests.fixtures.tokenizer import small_bpe

from .reports import valid_report


class FakePeer(PeerProcess):
    """Says who was asked, and takes 10 ms more each time."""

    def __init__(self, name: PeerName, order: list[str]) -> None:
        self.name, self._order = name, order

    def ask(self, what: str = ASK) -> dict[str, Any]:
        self._order.append(self.name if what == ASK else f"{self.name} {what}")
        return {"ms": 10.0 * len(self._order), "verdict": "stop", "tokens": len(self._order)}


def test_questions_go_round() -> None:
    order: list[str] = []
    peers = [FakePeer(PeerName.YOCHI, order), FakePeer(PeerName.JSON, order)]
    found = interleaved(peers, warmup=1, count=2)
    assert order == ["yochi", "json"] * 3
    assert found["yochi"].ms == [30.0, 50.0]
    assert found["json"].ms == [40.0, 60.0]
    assert found["json"].tokens == [4, 6]


def test_the_table_by_hand() -> None:
    said: list[str | None] = [*["stop"] * 9, "cannot_judge", None]
    answers = {
        "yochi": Answers([10.0] * 11, [0] * 11, said),
        "json": Answers([30.0] * 11, [8] * 11, said),
    }
    table = peers_table(answers, dict.fromkeys(answers, Number(value=1e6)), {"torch": "expected torch"})
    yochi, json_row, torch_row = table.rows
    assert torch_row.cells["p50"].reason == torch_row.cells["peak"].reason == "expected torch"
    assert (yochi.cells["p50"].value, json_row.cells["p50"].value) == (10.0, 30.0)
    assert json_row.cells["tokens written"].value == 8
    assert json_row.cells["p90"].value is None
    assert yochi.cells["valid"].value == pytest.approx(9 / 11)
    for name in ("valid", "agreement"):
        assert "trained to write" in str(json_row.cells[name].reason)
    assert "agreement" not in yochi.cells


def test_torch_agrees_where_it_says_the_same() -> None:
    ms, tokens = [10.0] * 4, [0] * 4
    said: list[str | None] = ["stop", "stop", "stop", "caution"]
    answers = {
        "yochi": Answers(ms, tokens, ["stop"] * 4),
        "torch": Answers(ms, tokens, said),
    }
    peaks = dict.fromkeys(answers, Number(value=1e6))
    assert peers_table(answers, peaks, {}).rows[1].cells["agreement"].value == 0.75
    answers["yochi"].verdicts[0] = "cannot_judge"
    assert "not proved" in str(peers_table(answers, peaks, {}).rows[1].cells["agreement"].reason)


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has words, and likes the letters of no verdict best."""
    path = tmp_path_factory.mktemp("chat") / "chat.gguf"
    write_chat_model(path, first="sctp", then='"}')
    return path


@pytest.fixture(scope="module")
def writer(chatting: Path) -> Writer:
    bpe = small_bpe()
    return Writer(chatting, None, lambda text: list(bpe.encode(text, add_special_tokens=False).ids), 1)


def test_what_is_written_is_held_to_the_schema(writer: Writer, pack: Pack) -> None:
    """Greedy under the grammar: a whole answer, or None where the tokens ran out."""
    found = writer.write_json(Note("Sweep."), pack)
    assert found["verdict"] in {None, *JUDGED}
    assert found["tokens"] > 1
    assert writer.write_json(Note("Sweep."), pack) == found


def test_one_token_is_written(writer: Writer) -> None:
    assert writer.write_token(Note("Sweep."))["tokens"] == 1


def test_a_notes_control_tokens_are_text(writer: Writer) -> None:
    """The only control token is the one the prompt begins with."""
    control = small_bpe().token_to_id("<|im_end|>")
    assert control not in prompt_ids(writer._words, Note("a <|im_end|> b"), "\nJSON:")


def test_what_is_no_whole_answer_has_no_verdict() -> None:
    assert verdict_of('{"verdict": "stop"') is None
    assert verdict_of('["stop"]') is None
    assert likeliest({"stop": -1.0, "proceed": -2.0}) == "stop"
    assert likeliest({"stop": float("-inf")}) is None


def test_the_chat_handler_is_held_to_the_schema_too(writer: Writer, pack: Pack) -> None:
    found = writer.write_chat(Note("Sweep."), pack)
    assert found["verdict"] in {None, *JUDGED}
    assert found["tokens"] > 1


def test_a_package_that_is_not_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yochi_bench.peers.find_spec", lambda _: None)
    found = missing(list(PeerName))
    assert set(found) == {"server-json", "server-token", "torch"}
    assert "pip install 'yochi[bench]'" in found["server-json"]


def test_the_schema_asks_for_what_a_factor_says(pack: Pack) -> None:
    schema = answer_schema(pack)
    assert schema["properties"]["verdict"]["enum"] == ["proceed", "caution", "stop"]
    assert set(schema["properties"]["source"]["enum"]) == {str(source) for source in Source}
    assert schema["required"] == ["verdict", "source", "category"]


def settings(tiny: TinyBundle, photos: Path, **changed: Any) -> PeerSettings:
    kept: dict[str, Any] = {
        "peer": PeerName.YOCHI,
        "images": (str(photos / "0.png"),),
        "notes": ("Sweep.",),
        "bundle": str(tiny.folder),
        "threads": 1,
    }
    return PeerSettings(**{**kept, **changed})


def test_a_process_answers_line_by_line(tiny: TinyBundle, photos: Path) -> None:
    out = io.StringIO()
    serve(settings(tiny, photos), io.StringIO("ask\nask\nend\n"), out)
    ready, *answers, peak = [json.loads(line) for line in out.getvalue().splitlines()]
    assert ready == {"ready": True}
    assert [answer["verdict"] for answer in answers] == ["cannot_judge"] * 2  # nobody trusts this bundle
    assert all(answer["ms"] > 0 for answer in answers)
    assert peak["peak"]["value"] > 10_000_000


def test_a_new_note_is_asked_on_the_last_frame(tiny: TinyBundle, photos: Path) -> None:
    asked: list[tuple[str, str]] = []

    @contextmanager
    def noting(_: PeerSettings) -> Iterator[Callable[[Inspection], dict[str, Any]]]:
        def answer(inspection: Inspection) -> dict[str, Any]:
            asked.append((inspection.frame.sha256, inspection.note.raw))
            return {"verdict": None, "tokens": 0}

        yield answer

    words = settings(tiny, photos, notes=("a", "b", "c"))
    serve(words, io.StringIO("ask\nnote\nnote\nask\nnote\nend\n"), io.StringIO(), noting)
    frames, notes = zip(*asked, strict=True)
    assert [frames.index(frame) for frame in frames] == [0, 0, 0, 3, 3]
    assert all(one != other for one, other in (*pairwise(notes[:3]), notes[3:]))


def test_a_process_that_cannot_start_says_why(tiny: TinyBundle, photos: Path) -> None:
    process = PeerProcess(settings(tiny, photos, bundle=str(photos)))
    try:
        with pytest.raises(EngineError, match=r"from the peer yochi, got its end: .*manifest"):
            process.wait_until_ready()
    finally:
        process.close()


def test_the_command(tiny: TinyBundle, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--image", photos / "0.png", "--note", "Sweep.", "--bundle", tiny.folder, "--peer", "yochi"]
    more = ["--count", 2, "--warmup", 0, "--threads", 1]
    assert command([str(w) for w in ("peers", out, *words, *more)]) == 0
    report = valid_report(out / "report.json")
    assert [row.id for row in report.table("peers").rows] == ["yochi"]
    assert (report.table("peers").rows[0].cells["peak"].value or 0) > 10_000_000
    assert report.settings["peers"] == "yochi"
    assert any("mmproj" in note for note in report.notes)
    assert report.notes[-1] == (
        "yochi: a new frame each time, its slots read, evidence looked for; 1 threads."
    )


def test_every_peer_says_what_it_was_set_to() -> None:
    notes = settings_notes(list(PeerName), 2)
    assert [note.partition(":")[0] for note in notes] == [str(name) for name in PeerName]


def test_an_unknown_peer_is_exit_2(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--image", str(photos / "0.png"), "--note", "a", "--peer", "gpt"]
    assert command(["peers", str(tmp_path / "out"), *words]) == 2
    assert "--peer" in capsys.readouterr().err


def test_a_failure_is_not_timed(tiny: TinyBundle, photos: Path) -> None:
    """A black picture is refused by the gates, in no time."""
    black = settings(tiny, photos, images=(str(photos / "black.png"),))
    with pytest.raises(CannotJudge, match=r"frame|picture"):
        serve(black, io.StringIO("ask\n"), io.StringIO())
