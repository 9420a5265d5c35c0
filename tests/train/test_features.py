"""The feature cache: a killed run goes on, and pictures never get another one's features."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from yochi_runtime.errors import UsageError
from yochi_train import features, lite0
from yochi_train.features import BATCH, FOLDED, POOLED, TOKENS, encode_folder

COUNT = 12
IMAGES = [f"{i:02d}.png" for i in range(COUNT)]


class MeanColours(nn.Module):
    """In the encoder's place: channels repeat the mean colours of the 14 x 14 cells; counts its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen += len(pixels)
        cells = nn.functional.avg_pool2d(pixels, 32)
        return cells.repeat(1, lite0.CHANNELS // 3 + 1, 1, 1)[:, : lite0.CHANNELS]


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> MeanColours:
    made = MeanColours()
    monkeypatch.setattr(lite0, "pretrained", lambda: made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i, name in enumerate(IMAGES):
        Image.new("RGB", (32, 32), (20 * i, 0, 255)).save(tmp_path / name)
    return tmp_path


def test_features_are_those_of_the_pictures(root: Path, encoder: MeanColours) -> None:
    found = encode_folder(root, IMAGES, root / "cache")
    assert found.tokens.shape == (COUNT, TOKENS, FOLDED)
    assert found.pooled.shape == (COUNT, POOLED)
    assert found.tokens.dtype == np.float16
    assert found.pooled.dtype == np.float32
    assert not found.tokens.flags.writeable
    assert found.row()["03.png"] == 3
    red = (20 * 3 - 127) / 128  # the first channel; mean and maximum of a flat picture are the same
    assert found.pooled[3, 0] == pytest.approx(red)
    assert found.pooled[3, lite0.CHANNELS] == pytest.approx(red)
    assert float(found.tokens[3, 0, 0]) == pytest.approx(red, abs=1e-3)
    assert encoder.seen == COUNT


def test_a_finished_cache_encodes_nothing(root: Path, encoder: MeanColours) -> None:
    first = encode_folder(root, IMAGES, root / "cache")
    again = encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == COUNT
    assert np.array_equal(first.tokens, again.tokens)
    assert np.array_equal(first.pooled, again.pooled)


def test_a_killed_run_goes_on_where_it_stopped(root: Path, encoder: MeanColours) -> None:
    whole = encode_folder(root, IMAGES, root / "whole")
    encode_folder(root, IMAGES, root / "cache")
    (root / "cache" / "done").write_text(str(BATCH), encoding="utf-8")
    for name, dtype, width in (
        ("tokens.f16", np.float16, TOKENS * FOLDED),
        ("pooled.f32", np.float32, POOLED),
    ):
        rest = np.memmap(root / "cache" / name, dtype, "r+", shape=(COUNT, width))
        rest[BATCH:] = 0
        rest.flush()
    encoder.seen = 0
    found = encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == COUNT - BATCH
    assert np.array_equal(found.tokens, whole.tokens)
    assert np.array_equal(found.pooled, whole.pooled)


def test_a_run_that_was_killed_before_its_first_batch_starts_anew(root: Path, encoder: MeanColours) -> None:
    encode_folder(root, IMAGES, root / "cache")
    (root / "cache" / "done").unlink()
    encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == 2 * COUNT


def test_a_count_of_other_pictures_is_not_taken_for_ours(
    root: Path, encoder: MeanColours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the index was deleted; then a run is killed in its first batch, and another one goes on."""
    encode_folder(root, IMAGES[::-1], root / "cache")
    (root / "cache" / "index.json").unlink()
    with monkeypatch.context() as broken:
        broken.delattr(features, "read_frame")
        with pytest.raises(NameError):
            encode_folder(root, IMAGES, root / "cache")
    encoder.seen = 0
    encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == COUNT


def test_more_pictures_behind_the_same_ones_are_all_that_is_encoded(root: Path, encoder: MeanColours) -> None:
    whole = encode_folder(root, IMAGES, root / "whole")
    encode_folder(root, IMAGES[:3], root / "cache")
    encoder.seen = 0
    found = encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == COUNT - 3
    assert found.images == tuple(IMAGES)
    assert np.array_equal(found.tokens, whole.tokens)
    assert np.array_equal(found.pooled, whole.pooled)


@pytest.mark.parametrize("others", [IMAGES[:-1], IMAGES[::-1]])
def test_a_cache_of_other_pictures_is_refused(root: Path, encoder: MeanColours, others: list[str]) -> None:
    encode_folder(root, IMAGES, root / "cache")
    with pytest.raises(UsageError, match=r"it holds others; delete it$"):
        encode_folder(root, others, root / "cache")
    assert encoder.seen == COUNT


def test_a_cache_of_another_preparation_is_refused(
    root: Path, encoder: MeanColours, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_folder(root, IMAGES, root / "cache")
    monkeypatch.setattr(features, "PREPARATION", "another")
    with pytest.raises(UsageError, match="it holds others"):
        encode_folder(root, IMAGES, root / "cache")
    assert encoder.seen == COUNT


def test_the_real_encoder_stands_behind_it(root: Path) -> None:
    found = encode_folder(root, IMAGES[:1], root / "cache")
    assert bool(np.isfinite(found.tokens).all())
    assert float(torch.from_numpy(found.pooled).std()) > 0
