"""The reference view: how far it moved, whatever the light and whoever passes by."""

import cv2
import numpy as np
import pytest
from yochi_devices.frame import Rgb
from yochi_devices.measure import Measures
from yochi_devices.view import LOST, PlainView, View

from .test_measure import HEIGHT, WIDTH, scene

WIDE = np.hstack([scene(4), scene(5)])  # more than one view of it
REFERENCE = np.ascontiguousarray(WIDE[:, :WIDTH])


def view(rgb: Rgb = REFERENCE) -> View:
    return View(rgb, Measures(rgb))


def shifted(share: float) -> Rgb:
    step = round(share * WIDTH)
    return np.ascontiguousarray(WIDE[:, step : step + WIDTH])


def test_the_reference_has_not_moved() -> None:
    assert view().displacement(REFERENCE) == pytest.approx(0, abs=1e-3)
    assert view().size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.15])
def test_a_shift_measures_its_share_of_the_longer_side(share: float) -> None:
    assert view().displacement(shifted(share)) == pytest.approx(share, abs=0.005)


def test_a_view_of_something_else_is_lost() -> None:
    assert view().displacement(shifted(1.0)) == LOST
    assert view().displacement(np.full_like(REFERENCE, 128)) == LOST


@pytest.mark.parametrize("degrees", [4, 8])
def test_a_turn_is_seen(degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    rgb = np.asarray(
        cv2.warpAffine(REFERENCE, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8
    )
    corner = np.hypot(WIDTH, HEIGHT) / 2 / WIDTH  # from the middle, as a share of the longer side
    assert view().displacement(rgb) == pytest.approx(2 * np.sin(np.radians(degrees / 2)) * corner, rel=0.25)


def test_light_noise_and_who_passes_do_not_move_the_view() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(REFERENCE + rng.normal(0, 6, REFERENCE.shape), 0, 255).astype(np.uint8)
    passed = REFERENCE.copy()
    passed[60:, 90:210] = scene(9)[60:, 90:210]
    for rgb in ((REFERENCE // 2 + 10).astype(np.uint8), noisy, passed):
        assert view().displacement(rgb) < 0.01


def test_hidden_is_the_share_of_structure_that_is_plain_now() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    reference = view(rgb)
    assert reference.hidden(Measures(rgb)) == 0
    covered = rgb.copy()
    covered[:128] = 70
    assert reference.hidden(Measures(covered)) == pytest.approx(0.5, abs=0.07)
    other = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert reference.hidden(Measures(other)) == 0  # somebody stands there, nothing covers it


def test_a_plain_wall_is_no_reference() -> None:
    with pytest.raises(PlainView, match=r"at least 24 corners stand out, got 0$"):
        view(np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8))
