"""What is measured of one picture: sharpness in pixels whatever the contrast, and cover."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_devices.frame import Rgb
from yochi_devices.measure import MAX_BLUR, PLAIN, Measures

HEIGHT, WIDTH = 240, 320


def scene(seed: int, *, contrast: float = 1.0) -> Rgb:
    """Forty sharp rectangles of random grays around 128."""
    rng = np.random.default_rng(seed)
    gray = np.full((HEIGHT, WIDTH), 128.0)
    for _ in range(40):
        x, y, w, h = rng.integers((0, 0, 12, 12), (WIDTH - 20, HEIGHT - 20, 90, 90))
        gray[y : y + h, x : x + w] = 128 + contrast * rng.integers(-120, 120)
    return np.repeat(gray.round().astype(np.uint8)[:, :, None], 3, axis=2)


def blurred(rgb: Rgb, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), dtype=np.uint8)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_a_step_blurred_by_sigma_measures_sigma(sigma: float) -> None:
    """One vertical edge through the middle of a column of cells, so that no cell cuts its flanks off."""
    step = np.full((HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    step[:, 100:] = 220  # cells are 40 wide
    assert Measures(blurred(step, sigma)).blur == pytest.approx(sigma, rel=0.1)
    assert Measures(step).blur < 0.6  # two neighbours make a gradient


def test_a_plain_scene_with_little_contrast_is_sharp() -> None:
    assert Measures(scene(1, contrast=0.15)).blur < 0.5
    pipe = np.full((HEIGHT, WIDTH, 3), 180, dtype=np.uint8)
    pipe[:, 150:160] = 150
    assert Measures(pipe).blur < 0.8


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 50), st.floats(0.5, 6.0), st.floats(0.3, 3.0))
def test_more_blur_never_measures_less(seed: int, sigma: float, more: float) -> None:
    """Up to the rounding to whole gray levels."""
    rgb = scene(seed)
    assert Measures(blurred(rgb, sigma + more)).blur >= Measures(blurred(rgb, sigma)).blur - 0.05


def test_a_clock_drawn_into_a_blurred_picture_does_not_make_it_sharp() -> None:
    rgb = blurred(scene(2), 4.0)
    cv2.putText(rgb, "2026-01-31 12:34:56", (10, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255))
    assert Measures(rgb).blur > 2


def test_a_picture_without_any_edge_is_blurred_most() -> None:
    assert Measures(np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)).blur == MAX_BLUR


def test_what_is_lost_beyond_512_pixels_is_not_blur() -> None:
    """A picture four times as large, blurred by two of its pixels, is sharp at the size it is looked at."""
    large = np.asarray(cv2.resize(scene(3), (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_NEAREST))
    assert Measures(blurred(large, 2.0)).blur < 1.2 < Measures(blurred(large, 8.0)).blur


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_cover_is_the_plain_share_from_a_border_on(quarters: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    rgb[: 64 * quarters] = 90
    assert Measures(rgb).covered == pytest.approx(quarters / 4, abs=1 / 16)


def test_a_plain_region_inside_is_no_cover() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    rgb[40:216, 40:216] = 90
    measures = Measures(rgb)
    assert (measures.texture < PLAIN).mean() > 0.3
    assert measures.covered == 0


@pytest.mark.parametrize("shape", [(32, 32), (32, 3000), (3000, 33), (47, 31)])
def test_any_shape_can_be_measured(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    measures = Measures(rgb)
    assert measures.blur == 0
    assert measures.covered == 0
    assert 0 < measures.light.dim < measures.light.bright
