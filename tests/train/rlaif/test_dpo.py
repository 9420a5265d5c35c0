"""The loss of a pair, worked out by hand."""

from math import exp, log

import pytest
import torch
from yochi_train.rlaif.dpo import preference_loss


def test_the_loss_by_hand() -> None:
    """Best up by 2, worst down by 1: 3 in all, times 0.5. The second pair went the wrong way by 1."""
    policy = torch.tensor([[-8.0, -13.0], [-11.0, -10.0]])
    reference = torch.tensor([[-10.0, -12.0], [-10.0, -10.0]])
    made = preference_loss(policy, reference, asked=5, beta=0.5, sft_weight=0.1)
    dpo = (log(1 + exp(-1.5)) + log(1 + exp(0.5))) / 2
    sft = (8 / 5 + 11 / 5) / 2
    assert float(made.dpo) == pytest.approx(dpo, rel=1e-6)
    assert float(made.sft) == pytest.approx(sft, rel=1e-6)
    assert float(made.total) == pytest.approx(dpo + 0.1 * sft, rel=1e-6)
    assert made.right == 1 / 2


def test_where_nothing_moved_the_loss_is_log_two() -> None:
    same = torch.tensor([[-3.0, -4.0]])
    made = preference_loss(same, same, asked=2, beta=0.3, sft_weight=0.0)
    assert float(made.total) == pytest.approx(log(2))
    assert made.right == 0.0


def test_the_gradient_by_hand() -> None:
    """d loss / d best = -beta sigmoid(-beta margin) = -beta / 2 at the reference; worst the other way."""
    policy = torch.tensor([[-3.0, -4.0]], requires_grad=True)
    preference_loss(policy, policy.detach(), asked=4, beta=0.2, sft_weight=1.0).total.backward()  # type: ignore[no-untyped-call]
    assert policy.grad is not None
    assert policy.grad.tolist() == [pytest.approx([-0.1 - 1 / 4, 0.1])]
