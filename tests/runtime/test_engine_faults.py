"""Every way in which an engine's process can go wrong, on real ones: no verdict, then a whole one again."""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from yochi_runtime import engine_process, supervision
from yochi_runtime.errors import Reason
from yochi_runtime.judge import Judge
from yochi_runtime.verdict import Verdict
from yochi_runtime.wire import Wire

from tests.fixtures import faulty_engine
from tests.fixtures.tiny_bundle import TinyBundle

from .processes import KINDS, held, judged, numbers, pid_of, refused

CRASHES = {
    "abort": "SIGABRT",
    "segv": "SIGSEGV",
    "killed": "SIGKILL",
    "leaves": "exit status 0",
    "half": "end",
}
LATE = {"stopped": "sign of life", "frozen": "sign of life", "hangs": "an answer within 5 s"}
WRONG = {
    "nan": "NaN or infinity",
    "inf": "NaN or infinity",
    "shape": "float32, got",
    "nothing": "a message without",
    "rubbish": "expected a message",
    "huge": "4294967295 and 4294967295 bytes",
}
FAULTS = [
    *((fault, Reason.ENGINE_FAILED, said) for fault, said in CRASHES.items()),
    *((fault, Reason.ENGINE_TIMEOUT, said) for fault, said in LATE.items()),
    *((fault, Reason.ENGINE_OUTPUT, said) for fault, said in WRONG.items()),
]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a fault is ordered: a file with its name, called as the engine."""
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def judge(shared_tiny: TinyBundle, orders: Path) -> Iterator[Judge]:
    """One judge for every fault. Requests may take 5 s, and it may be started again as often as it takes."""
    command = (sys.executable, faulty_engine.__file__, str(orders))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOCHI_BASE", str(shared_tiny.base))
        patch.setattr(engine_process, "COMMAND", command)
        patch.setattr(supervision, "ANSWER_LIMIT", 5.0)
        patch.setattr(supervision, "FREE_RESTARTS", 1000)
        with Judge.open(shared_tiny.folder, trust=frozenset({shared_tiny.sha256}), threads=1) as opened:
            yield opened


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fault", "reason", "said"), FAULTS, ids=[fault for fault, *_ in FAULTS])
def test_a_fault_is_cannot_judge_and_the_next_judgement_is_the_same_as_before(
    judge: Judge, orders: Path, kind: str, fault: str, reason: Reason, said: str
) -> None:
    before, running = judged(judge, 1), held()
    spoilt = pid_of(kind)
    (orders / kind).write_text(fault)
    refused(judged(judge, 2), reason, said)
    assert not Path(f"/proc/{spoilt}").exists()  # no zombie either
    assert numbers(judged(judge, 1)) == numbers(before)
    assert held() == running


def test_every_fault_is_ordered() -> None:
    assert {fault for fault, *_ in FAULTS} == set(faulty_engine.FAULTS)


IDLE = [
    ("vision", signal.SIGKILL, Reason.ENGINE_FAILED),
    ("vision", signal.SIGSTOP, Reason.ENGINE_TIMEOUT),
    ("language", signal.SIGKILL, Reason.ENGINE_FAILED),
    ("language", signal.SIGSTOP, Reason.ENGINE_TIMEOUT),
]


@pytest.mark.parametrize(("kind", "signal_", "reason"), IDLE)
def test_an_engine_lost_between_judgements_is_noticed_on_a_kept_frame_too(
    judge: Judge, kind: str, signal_: signal.Signals, reason: Reason
) -> None:
    before = judged(judge)
    os.kill(pid_of(kind), signal_)
    refused(judged(judge), reason, kind)
    after = judged(judge)
    assert after.timings_ms["look"] > 0
    assert numbers(after) == numbers(before)
    assert judged(judge).timings_ms["look"] == 0  # and is kept again


def test_an_interrupted_request_leaves_no_answer_to_the_next(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = judged(judge, 3)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Wire, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            judged(judge, 4)
    assert numbers(judged(judge, 3)) == numbers(before)


def test_without_descriptors_there_is_no_verdict_and_with_them_there_is(judge: Judge) -> None:
    before = judged(judge)
    os.kill(pid_of("vision"), signal.SIGKILL)
    assert judged(judge).reasons == (Reason.ENGINE_FAILED,)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(descriptor.name) for descriptor in Path("/proc/self/fd").iterdir()}
    free = sorted(set(range(1024)) - used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[1], hard))  # one left: a file, but no socket pair
    try:
        found = judged(judge)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    refused(found, Reason.ENGINE_FAILED, "Too many open files")
    assert numbers(judged(judge)) == numbers(before)


def test_an_engine_that_fails_again_and_again_is_started_less_often(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(judge)
    monkeypatch.setattr(supervision, "FREE_RESTARTS", 0)
    monkeypatch.setattr(supervision, "WINDOW", 0.5)  # what failed before this test is forgotten
    time.sleep(0.5)
    os.kill(pid_of("vision"), signal.SIGKILL)
    refused(judged(judge), Reason.ENGINE_FAILED, "SIGKILL")
    refused(judged(judge), Reason.ENGINE_FAILED, "it is started again in 1 s")
    assert held()[0] == ["language"]
    time.sleep(1)
    assert judged(judge).verdict is Verdict.PROCEED
