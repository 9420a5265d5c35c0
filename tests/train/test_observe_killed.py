"""A real run with four workers, killed without warning at ten moments, ends as one that nobody disturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from yochi_train.observe.log import LoggedAnswer

from . import scripted_server as serve
from .made import command
from .observed import GUARD, NO, NOTE, TOGETHER, WIPE, YES, listed, seen, write_pairs
from .scripted_server import Reply, completion

TRAIN = "from yochi_train.cli import main; main()"
KILLS, WORKERS, PAIRS, SEED = 10, 4, 80, 20
VEST = seen("image_content", "ppe", "a grey jacket", "no_vest")
SAID = [listed(), listed(GUARD), listed(VEST, WIPE), listed(TOGETHER), listed(WIPE, WIPE), "Nothing.", "["]


def answer(body: Any) -> Reply:
    """Any answer there is, right or not, but always the same to the same question; after up to 20 ms."""
    words = json.dumps(body["messages"])
    chance = random.Random(zlib.crc32(words.encode()))
    schema = body["response_format"]["json_schema"]["schema"]
    text = chance.choice([YES, YES, NO, "sure"] if "confirmed" in schema["properties"] else SAID)

    def reply(handler: serve.Handler) -> None:
        time.sleep(chance.uniform(0.0, 0.02))
        completion(text, (len(words) % 1000, len(text)))(handler)

    return reply


def pairs_of(folder: Path) -> Path:
    """Pairs whose notes differ, so that no two questions are the same."""
    file = write_pairs(folder, [f"pair{number}" for number in range(PAIRS)])
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps({**r, "note": f"At {r['id']}: {NOTE}"}) + "\n" for r in rows), "utf-8")
    return file


def logged(out: Path) -> dict[tuple[str, str, int], tuple[str, int | None]]:
    """Every answer by its question; none may be there twice."""
    lines = (out / "observations.jsonl").read_bytes().splitlines()
    rows = [LoggedAnswer.model_validate_json(line) for line in lines]
    found = {row.key: (row.text, row.prompt_tokens) for row in rows}
    assert len(found) == len(rows)
    return found


def test_kill_9_at_ten_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    file, whole, out = pairs_of(tmp_path), tmp_path / "whole", tmp_path / "killed"
    rng = random.Random(SEED)
    with serve.scripted_server() as server:
        server.replies = [serve.by_question(answer)]
        options = ["--teacher", server.url, "--model", "tiny", "--price", "2,10"]
        assert command(["records", "observe", str(file), str(whole), *options]) == 0
        questions = len(server.requests)
        words = [sys.executable, "-c", TRAIN, "records", "observe", str(file), str(out)]
        words += [*options, "--workers", str(WORKERS)]
        for _ in range(KILLS):
            last = len(server.requests) + rng.randint(0, 12)
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            while len(server.requests) < last and process.poll() is None:
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.02))
            process.kill()
            said = process.communicate()[1]
            assert process.returncode == -signal.SIGKILL, said
        assert not (out / "report.json").exists()
        assert subprocess.run(words, check=False, capture_output=True).returncode == 0
        asked = len(server.requests) - questions
    assert logged(out) == logged(whole)
    for name in ("observed.jsonl", "report.json", "run.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert questions <= asked <= questions + KILLS * WORKERS  # only what was in flight is asked for again
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in whole.iterdir())
