"""The loss, worked out by hand."""

from math import log

import pytest
import torch
from yochi_runtime.taxonomy import Pack
from yochi_train.loss import (
    COMBINATION_POSITIVE_WEIGHT,
    CUE_POSITIVE_WEIGHT,
    PART_WEIGHT,
    Targets,
    binary,
    listwise,
    readout_loss,
    targets,
)
from yochi_train.readout import Logits

from .made import record


def test_binary_by_hand() -> None:
    """A yes at odds 3:1, weight 2; a no at even odds; the unknown slot counts nowhere."""
    logits = torch.tensor([[[0.0, log(3)], [0.0, 0.0], [0.0, 50.0]]])
    target = torch.tensor([[1, 0, -1]])
    expected = (2 * log(4 / 3) + log(2)) / 2
    assert float(binary(logits, target, 2.0)) == pytest.approx(expected, rel=1e-6)


def test_binary_of_nothing_known_is_nothing() -> None:
    logits = torch.zeros(2, 3, 2, requires_grad=True)
    loss = binary(logits, torch.full((2, 3), -1), 5.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0.0


def test_an_unknown_slot_has_no_gradient() -> None:
    logits = torch.zeros(1, 2, 2, requires_grad=True)
    binary(logits, torch.tensor([[1, -1]]), 1.0).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert float(logits.grad[0, 0, 1]) == pytest.approx(-0.5)
    assert float(logits.grad[0, 1].abs().max()) == 0.0


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([1, 0], log(6 / 2)),  # weights 2 and 3 beside the 1 of "none"
        ([0, 0], log(6 / 1)),
        ([1, -1], log(3 / 2)),  # the unknown slot leaves the race
        ([1, 1], (log(6 / 2) + log(6 / 3)) / 2),
    ],
)
def test_listwise_by_hand(target: list[int], expected: float) -> None:
    logits = torch.tensor([[[0.0, log(2)], [0.0, log(3)]]])
    assert float(listwise(logits, torch.tensor([target]))) == pytest.approx(expected, rel=1e-6)


def test_listwise_has_finite_gradients_beside_unknown_slots() -> None:
    logits = torch.zeros(2, 3, 2, requires_grad=True)
    listwise(logits, torch.tensor([[1, -1, 0], [-1, -1, -1]])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    assert float(logits.grad[0, 1].abs().max()) == 0.0


def blank(pack: Pack, notes: int) -> tuple[Logits, Targets]:
    """Even odds everywhere, nothing known."""
    cues, risks = len(pack.cue_slots), len(pack.risk_slots)
    return (
        Logits(torch.zeros(1, cues, 2), torch.zeros(notes, risks, 2), torch.zeros(notes, 3)),
        Targets(torch.full((1, cues), -1), torch.full((notes, risks), -1), torch.full((notes,), -1)),
    )


def test_an_unknown_verdict_counts_nowhere(pack: Pack) -> None:
    logits, target = blank(pack, 3)
    target.verdict[0] = 2
    logits.verdict[1:] = torch.tensor([50.0, 0.0, -50.0])
    _, parts = readout_loss(logits, target, pack, 5.0)
    assert parts["verdict"] == pytest.approx(log(3), rel=1e-6)


def test_a_step_without_a_known_verdict_has_a_finite_loss(pack: Pack) -> None:
    logits, target = blank(pack, 2)
    total, parts = readout_loss(logits, target, pack, 5.0)
    assert parts["verdict"] == 0.0
    assert bool(torch.isfinite(total))


def test_the_whole_is_the_weighted_sum_of_its_parts(pack: Pack) -> None:
    logits, target = blank(pack, 1)
    target.cues[0, 0], target.verdict[0] = 1, 0
    where = {s.id: i for i, s in enumerate(pack.risk_slots)}
    target.risks[0, where["note_instruction:fall"]] = 1
    target.risks[0, where["combination:load"]] = 0
    total, parts = readout_loss(logits, target, pack, 5.0)
    assert parts == {
        "cues": pytest.approx(CUE_POSITIVE_WEIGHT * log(2)),
        "notes": pytest.approx(5.0 * log(2)),
        "which": pytest.approx(log(2)),  # one known slot beside "none"
        "combinations": pytest.approx(log(2)),
        "signs": 0.0,  # nobody read any
        "verdict": pytest.approx(log(3)),
    }
    assert float(total) == pytest.approx(sum(PART_WEIGHT[name] * part for name, part in parts.items()))
    target.risks[0, where["combination:load"]] = 1
    _, parts = readout_loss(logits, target, pack, 5.0)
    assert parts["combinations"] == pytest.approx(COMBINATION_POSITIVE_WEIGHT * log(2))


def test_targets_of_records(pack: Pack) -> None:
    first = record("a", {"cue:fire": 1, "cue:person": 0, "note_content:fall": 1}, verdict="stop")
    second = record("b", {"cue:fire": 1, "combination:load": 0})
    made = targets([first, second], [first], pack)
    cue = {s.id: i for i, s in enumerate(pack.cue_slots)}
    risk = {s.id: i for i, s in enumerate(pack.risk_slots)}
    assert made.cues.shape == (1, len(cue))
    assert (int(made.cues[0, cue["cue:fire"]]), int(made.cues[0, cue["cue:person"]])) == (1, 0)
    assert int((made.cues >= 0).sum()) == 2
    assert int(made.risks[0, risk["note_content:fall"]]) == 1
    assert int(made.risks[1, risk["combination:load"]]) == 0
    assert int((made.risks >= 0).sum()) == 2
    assert made.verdict.tolist() == [2, -1]
