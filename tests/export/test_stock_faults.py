"""Every way in which the one engine of a stock bundle can go wrong: no verdict, then the same one again."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yochi_runtime import engine_process, supervision
from yochi_runtime.errors import Reason
from yochi_runtime.judge import Judge
from yochi_runtime.verdict import Verdict
from yochi_runtime.wire import Message

from tests.fixtures import faulty_engine
from tests.fixtures.tiny_stock_bundle import make_stock_bundle, prove
from tests.runtime.processes import held, judged, numbers, pid_of, refused
from tests.runtime.test_engine_faults import FAULTS

KIND = "multimodal"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory, orders: Path) -> Iterator[Judge]:
    """One judge for every fault. Requests may take 5 s, and it may be started again as often as it takes."""
    made = make_stock_bundle(tmp_path_factory.mktemp("stock"))
    sha256 = prove(made.bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_process, "COMMAND", (sys.executable, faulty_engine.__file__, str(orders)))
        patch.setattr(supervision, "ANSWER_LIMIT", 5.0)
        patch.setattr(supervision, "FREE_RESTARTS", 1000)
        with Judge.open(made.bundle, trust=frozenset({sha256}), threads=1) as opened:
            yield opened


@pytest.mark.parametrize(("fault", "reason", "said"), FAULTS, ids=[fault for fault, *_ in FAULTS])
def test_a_fault_is_cannot_judge_and_the_next_judgement_is_the_same_as_before(
    judge: Judge, orders: Path, fault: str, reason: Reason, said: str
) -> None:
    before, (kinds, descriptors) = judged(judge, 1), held()
    assert before.verdict is Verdict.PROCEED
    spoilt = pid_of(KIND)
    (orders / KIND).write_text(fault)
    refused(judged(judge, 2), reason, said)
    assert not Path(f"/proc/{spoilt}").exists()  # no zombie either
    assert numbers(judged(judge, 1)) == numbers(before)
    running, open_now = held()
    assert running == kinds
    assert open_now <= descriptors  # fewer where torch let go of the checkpoint meanwhile


@pytest.mark.parametrize(
    ("fault", "reason"), [("nan", Reason.ENGINE_OUTPUT), ("killed", Reason.ENGINE_FAILED)]
)
def test_a_fault_while_a_note_is_read_on_a_kept_frame(
    judge: Judge, orders: Path, fault: str, reason: Reason
) -> None:
    before = judged(judge, 1)
    (orders / KIND).write_text(fault)
    found = judged(judge, 1)
    assert (found.verdict, found.reasons) == (Verdict.CANNOT_JUDGE, (reason,))
    assert found.timings_ms["vision"] == 0
    after = judged(judge, 1)
    assert after.timings_ms["vision"] > 0  # nothing read before the fault is believed
    assert numbers(after) == numbers(before)


IDLE = [(signal.SIGKILL, Reason.ENGINE_FAILED), (signal.SIGSTOP, Reason.ENGINE_TIMEOUT)]


@pytest.mark.parametrize(("signal_", "reason"), IDLE)
def test_an_engine_lost_between_judgements_is_noticed_on_a_kept_frame_too(
    judge: Judge, signal_: signal.Signals, reason: Reason
) -> None:
    before = judged(judge)
    os.kill(pid_of(KIND), signal_)
    refused(judged(judge), reason, KIND)
    after = judged(judge)
    assert after.timings_ms["vision"] > 0
    assert numbers(after) == numbers(before)
    assert judged(judge).timings_ms["vision"] == 0  # and is kept again


@pytest.mark.parametrize("after", [None, -1, 0, 10**6, "4", True])
def test_a_position_that_no_picture_ends_at_is_refused(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, after: object
) -> None:
    """What the child says of where the picture ends decides where the next words are read."""
    before = judged(judge, 1)
    ask = supervision.Supervised.ask

    def spoilt(self: Any, head: dict[str, object], arrays: Any, read: Any, *patience: Any) -> object:
        if head["do"] != "show":
            return ask(self, head, arrays, read, *patience)
        return ask(self, head, arrays, lambda _: read(Message({"position": after})), *patience)

    with monkeypatch.context() as broken:
        broken.setattr(supervision.Supervised, "ask", spoilt)
        refused(judged(judge, 2), Reason.ENGINE_OUTPUT, "positions of a picture")
    assert numbers(judged(judge, 1)) == numbers(before)
