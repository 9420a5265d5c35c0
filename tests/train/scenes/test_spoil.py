"""Dirt, blur, noise and JPEG: the same again, and dirt that hides is told."""

from io import BytesIO

import numpy as np
from PIL import Image
from yochi_train.scenes.spec import Spoil
from yochi_train.scenes.spoil import OPAQUE, dirt_cover, spoil

CLEAN = Spoil(dirt=0, blur=0, noise=0, jpeg=95)
EDGE = np.zeros((60, 80, 3), np.uint8)
EDGE[:, 40:] = 200


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)), np.int16)


def test_a_clean_lens_changes_nearly_nothing() -> None:
    data, hidden = spoil(EDGE, CLEAN, 1)
    assert np.abs(decoded(data) - EDGE).max() <= 8  # JPEG at 95
    assert not hidden.any()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    how = Spoil(dirt=0.5, blur=2, noise=5, jpeg=60)
    assert spoil(EDGE, how, 1)[0] == spoil(EDGE, how, 1)[0] != spoil(EDGE, how, 2)[0]


def test_blur_is_in_thousandths_of_the_width() -> None:
    """The largest step between neighbours at an edge of 200, blurred by s pixels, is 200 * 0.4 / s."""
    sharp = np.diff(decoded(spoil(EDGE, CLEAN, 1)[0])[30, :, 0]).max()
    soft = np.diff(
        decoded(spoil(EDGE, Spoil(0, 50, 0, 95), 1)[0])[30, :, 0]
    ).max()  # 50 / 1000 * 80 = 4 pixels
    assert sharp > 180
    assert 12 < soft < 30


def test_noise_has_its_standard_deviation() -> None:
    gray = np.full((100, 100, 3), 128, np.uint8)
    noisy = decoded(spoil(gray, Spoil(0, 0, 6, 95), 1)[0])
    assert 3 < noisy.std() < 7


def test_quality_is_that_of_the_encoder() -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    assert len(spoil(noisy, Spoil(0, 0, 0, 40), 1)[0]) < 0.6 * len(spoil(noisy, CLEAN, 1)[0])


def test_heavy_dirt_hides_some_pixels_and_never_most() -> None:
    shares = []
    for seed in range(20):
        cover = dirt_cover(90, 120, 0.8, np.random.default_rng(seed))
        assert cover.min() >= 0
        assert cover.max() <= 0.9
        shares.append(float((cover > OPAQUE).mean()))
    assert 0 < max(shares) < 0.2
    assert not dirt_cover(90, 120, 0.0, np.random.default_rng(0)).any()
