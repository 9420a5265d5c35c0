"""A run that is killed anywhere goes on to the same weights."""

from pathlib import Path
from typing import Any

import pytest
from yochi_runtime.errors import UsageError
from yochi_train.rlaif import rounds
from yochi_train.rlaif.held_out import Outcome
from yochi_train.rlaif.rounds import Rounds

from .rlaif_data import STEPS
from .rounds_run import outcome, run, same, weights

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an evaluation that finds every round better, so that all of its steps are in the weights."""
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        always_better(patch)
        run(data, out)
    return out


def always_better(patch: pytest.MonkeyPatch) -> None:
    def evaluate(policy: Any, *_: object) -> Outcome:
        moved = sum(float(p.detach().abs().sum()) for p in policy.lora)
        return Outcome({**outcome((5, 0, 1)).verdicts, "seen": {"value": moved, "hits": 0, "of": 0}}, {})

    patch.setattr(rounds, "evaluate", evaluate)
    patch.setattr(Outcome, "better_than", lambda *_: True)


@pytest.mark.parametrize(
    ("method", "call", "every"),
    [
        ("train_step", 2, 1),  # inside the first round, from a checkpoint inside it
        ("train_step", 2, 50),  # the same, from the round's beginning and its pairs on disk
        ("pairs_of", 3, 1),  # while the second round draws
        ("_decide", 2, 1),  # after the second round's last step
    ],
)
def test_a_killed_run_reaches_the_same_weights(
    data: Path, undisturbed: Path, tmp_path: Path, method: str, call: int, every: int
) -> None:
    whole = getattr(Rounds, method)
    calls: list[None] = []

    def killed(self: Rounds, *given: Any) -> Any:
        calls.append(None)
        if len(calls) == call:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write('{"round": ')
            raise KeyboardInterrupt
        return whole(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        always_better(patch)
        patch.setattr(Rounds, method, killed)
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path, checkpoint_every=every)
        assert not (tmp_path / "model").exists()
        patch.setattr(Rounds, method, whole)
        run(data, tmp_path, checkpoint_every=every)
    assert same(weights(tmp_path), weights(undisturbed))
    for name in ("log.jsonl", "report.json", "round-01.json", "round-02.json"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_finished_run_is_not_trained_again(data: Path, undisturbed: Path) -> None:
    before, log = weights(undisturbed), (undisturbed / "log.jsonl").read_bytes()
    run(data, undisturbed)  # nothing is evaluated either, or the report would differ
    assert same(before, weights(undisturbed))
    assert (undisturbed / "log.jsonl").read_bytes() == log
    assert len(log.splitlines()) == 2 * STEPS


def test_a_folder_with_another_run_is_refused(data: Path, undisturbed: Path) -> None:
    with pytest.raises(UsageError, match="it holds another; choose a new folder"):
        run(data, undisturbed, beta=0.3)
