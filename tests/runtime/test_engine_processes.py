"""The engines' processes from start to end: nothing is left behind, nothing unchecked is loaded."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from yochi_runtime import engine_process
from yochi_runtime.engine_child import COMPUTED
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.supervision import computed
from yochi_runtime.wire import Message

from tests.fixtures.tiny_bundle import TinyBundle

from .conftest import PLAIN_NOTE, flip, noise, start
from .processes import KINDS, engines, gone, held, judged, numbers, pid_of, refused


def test_the_parent_loads_neither_library() -> None:
    code = "import sys, yochi_runtime.cli, yochi_runtime.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"onnxruntime", "llama_cpp", "yochi_runtime"} == {"yochi_runtime"}


def test_an_engine_loads_only_its_own_library() -> None:
    code = "import sys, yochi_runtime.engine_child, yochi_runtime.{}; print(*sys.modules)"
    for kind in KINDS:
        done = subprocess.run(
            [sys.executable, "-c", code.format(kind)], capture_output=True, text=True, check=True
        )
        loaded = {name.partition(".")[0] for name in done.stdout.split()}
        own = {"vision": "onnxruntime", "language": "llama_cpp"}[kind]
        assert loaded & {"onnxruntime", "llama_cpp", "pydantic", "cv2"} == {own}


def test_a_file_changed_since_it_was_checked_is_not_loaded(copy: TinyBundle) -> None:
    lora = copy.folder / "lora.gguf"
    with Judge.open(copy.folder, trust=frozenset({copy.sha256}), threads=1) as judge:
        before = judged(judge)
        flip(lora)
        os.kill(pid_of("language"), signal.SIGKILL)
        assert judged(judge).reasons == (Reason.ENGINE_FAILED,)
        refused(judged(judge), Reason.BUNDLE_CHANGED, "lora.gguf")
        flip(lora)
        assert numbers(judged(judge)) == numbers(before)


def test_what_cannot_be_loaded_leaves_nothing_behind(
    tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held()
    with Judge.open(tiny.folder, threads=1):
        assert held()[0] == sorted(KINDS)
    assert held() == before
    monkeypatch.setattr(engine_process, "COMMAND", (sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(EngineError, match="exit status 7"):
        Judge.open(tiny.folder, threads=1)
    assert held() == before


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_the_engines_end_with_their_parent(tiny: TinyBundle, tmp_path: Path, blow: signal.Signals) -> None:
    Image.fromarray(noise().rgb).save(tmp_path / "a.png")
    Image.fromarray(noise(1).rgb).save(tmp_path / "b.png")
    process = start("watch", tmp_path, "--note", PLAIN_NOTE, "--every", 600, "--bundle", tiny.folder)
    assert process.stdout is not None
    process.stdout.readline()
    children = engines(process.pid)
    assert sorted(children.values()) == sorted(KINDS)
    process.send_signal(blow)
    process.communicate()
    while not all(gone(pid) for pid in children):
        time.sleep(0.05)  # the test's own limit ends it


def test_engines_tell_how_long_they_computed(tiny_judge: Judge) -> None:
    """Less than was waited for; nothing of a judgement that failed."""
    first = judged(tiny_judge)
    told = tiny_judge.computed_ms
    assert 0 < told["judge"] < first.timings_ms["judge"]
    assert 0 <= told["evidence"] <= first.timings_ms["evidence"]
    tiny_judge.judge(Inspection(Frame(np.zeros((60, 80, 3), np.uint8)), Note(PLAIN_NOTE)))
    assert tiny_judge.computed_ms == {}


@pytest.mark.parametrize(
    ("head", "counted"),
    [
        ({COMPUTED: 2.5}, 2.5),
        ({COMPUTED: 10.5}, 0.0),
        ({COMPUTED: -1.0}, 0.0),
        ({COMPUTED: float("nan")}, 0.0),
        ({COMPUTED: True}, 0.0),
        ({COMPUTED: "2.5"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_time_that_cannot_be_counts_as_none(head: dict[str, Any], counted: float) -> None:
    """Of ten milliseconds that were waited for."""
    assert computed(Message(head), 10.0) == counted
