"""What has to be known of an architecture beyond what its own configuration and files say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Inputs = Mapping[str, Tensor]  # what an image processor makes of one picture


def in_a_row(body: nn.Module, ids: Tensor, inputs: Inputs) -> Tensor:  # noqa: ARG001 -- as `Family.positions`
    """(1, T): a token's position is its place."""
    return torch.arange(ids.shape[1], device=ids.device)[None]


@dataclass(frozen=True)
class Family:
    """One architecture, by the name that a config.json has for it.

    `layer`: the name of a decoder layer in the whole model, `{}` for its number; q_proj and so on are in it.
    `options(config)`: of the image processor, so that the whole picture is one tile of bounded size.
    `picture(config, inputs, image)`: the names of the tokens where the template has its one `image`.
    `positions(body, ids, inputs)`: position ids (1, T) or (axes, 1, T) of ids (1, T) with a picture in them.
    """

    model_type: str
    layer: str
    options: Callable[[Any], Mapping[str, object]]
    picture: Callable[[Any, Inputs, str], list[str]]
    positions: Callable[[nn.Module, Tensor, Inputs], Tensor] = in_a_row
