"""The loss of a pair: direct preference optimization, and a little of the best answer's own log-probability.

DPO: -log sigmoid(beta ((log p(best) - log r(best)) - (log p(worst) - log r(worst)))), r the frozen reference
(Rafailov et al., arXiv 2305.18290, eq. 7). Beside it, as in Pang et al. (arXiv 2404.19733), -log p(best)
divided by its length, its slots and the tokens of its text: DPO alone is content to lower both.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class Loss:
    """Means over the pairs: `total` = `dpo` + weight `sft`; `right`: share that moved the right way."""

    total: Tensor
    dpo: Tensor
    sft: Tensor
    right: float


def preference_loss(
    policy: Tensor, reference: Tensor, asked: int | Tensor, beta: float, sft_weight: float
) -> Loss:
    """policy, reference (P, 2): log-probabilities of best and worst; `asked` slots and tokens of the best."""
    moved = policy - reference
    margin = moved[:, 0] - moved[:, 1]
    dpo = -functional.logsigmoid(beta * margin).mean()
    sft = -(policy[:, 0] / asked).mean()
    return Loss(dpo + sft_weight * sft, dpo, sft, float((margin > 0).double().mean()))
