"""A whole run against a real server: llama-cpp-python's own, with a tiny model under the schema's grammar."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from yochi_train.observe.answers import Confirmation, Observations, read_answer
from yochi_train.observe.endpoint import KEY_VARIABLE
from yochi_train.observe.log import LoggedAnswer
from yochi_train.observe.procedure import ObservedPair

from tests.fixtures.chat_model import write_chat_model

from .made import command
from .observed import write_pairs

KEY = "sk-of-the-tests"
NOTE = "Stop at press x. Wipe the rollers by hand, then sign."
READY = re.compile(r"Uvicorn running on (http://127\.0\.0\.1:\d+)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its base URL. The model names what begins with m or g, quotes "x", and says yes."""
    folder = tmp_path_factory.mktemp("server")
    write_chat_model(folder / "chat.gguf", first="xymgn", then='"{]ic')
    words = [sys.executable, "-m", "llama_cpp.server", "--model", str(folder / "chat.gguf"), "--port", "0"]
    words += ["--host", "127.0.0.1", "--api_key", KEY, "--n_ctx", "8192", "--n_threads", "1"]
    said = folder / "log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "OMP_WAIT_POLICY": "passive"}
        )
    try:
        while not (found := READY.search(said.read_text("utf-8", "replace"))):
            assert process.poll() is None, said.read_text("utf-8", "replace")
            time.sleep(0.1)
        yield f"{found[1]}/v1"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def words(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command for two pairs."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    file = write_pairs(tmp_path, ["a", "b"], note=NOTE)
    return ["records", "observe", str(file), str(tmp_path / "out"), "--teacher", server, "--model", "tiny"]


def test_a_real_server_takes_the_questions_and_keeps_to_the_schemas(words: list[str], tmp_path: Path) -> None:
    assert command([*words, "--workers", "2"]) == 0
    out = tmp_path / "out"
    rows = [
        LoggedAnswer.model_validate_json(r) for r in (out / "observations.jsonl").read_bytes().splitlines()
    ]
    for row in rows:
        if row.ask.startswith("confirm"):
            read_answer(row.text, Confirmation)
        else:
            read_answer(row.text, Observations)
        assert row.attempt == 0
        assert row.prompt_tokens
        assert row.completion_tokens
    for line in (out / "observed.jsonl").read_bytes().splitlines():
        found = ObservedPair.model_validate_json(line)
        assert [kept.observation.key for kept in found.observations] == [
            "cue:guard_missing",
            "note_instruction:mechanical",
        ]
        assert [kept.span for kept in found.observations] == [None, (14, 15)]
        assert found.verdict == "stop"
        assert found.defects == ()
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["answers"] == {"all": 10, "asked_again": 0, "models": {"tiny": 10}}
    assert report["tokens"]["answers_without_counts"] == 0


def test_a_real_server_refuses_a_wrong_key(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-of-another")
    assert command(words) == 2
    assert f"accepts in {KEY_VARIABLE}, got the one given: 401" in capsys.readouterr().err
