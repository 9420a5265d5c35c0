"""A camera's faults, made on purpose on photos, and changes that are none: the gates are measured on them."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from yochi_devices.frame import Rgb

Rng = np.random.Generator
SHADES = ((35, 30, 28), (196, 140, 112), (120, 122, 125), (40, 60, 110))  # dark, skin, gray and blue cloth
SOFT = 8.0  # pixels; the edge of what is too near to be in focus
SENSOR = 2.0  # gray levels, standard deviation of noise on what is drawn without any


@dataclass(frozen=True)
class Case:
    """`frame` makes what the camera sends of a photo, `reference` its reference view, None without one."""

    name: str
    faulty: bool  # whether it should be refused
    frame: Callable[[Rgb, Rng], Rgb]
    reference: Callable[[Rgb], Rgb] | None = None


def whole(photo: Rgb) -> Rgb:
    return photo


def window(photo: Rgb) -> Rgb:
    """The left 70 % of the width and the middle 70 % of the height: what a camera sees that can be turned."""
    height, width = photo.shape[:2]
    return photo[round(0.15 * height) : round(0.85 * height), : round(0.7 * width)]


def cases() -> list[Case]:
    """What is no fault first, then the faults."""
    fine = [
        Case("as it is", False, lambda photo, _: photo),
        Case("JPEG, quality 30", False, lambda photo, _: jpeg(photo, 30)),
        Case("noise 5", False, lambda photo, rng: noisy(photo, 5, rng)),
        Case("noise 10", False, lambda photo, rng: noisy(photo, 10, rng)),
        Case("noise 5, reference", False, lambda photo, rng: noisy(photo, 5, rng), whole),
        Case("half the light, reference", False, lambda photo, _: lit(photo, 0.5), whole),
        Case("somebody before 30 %, reference", False, lambda photo, rng: passing(photo, 0.3, rng), whole),
        Case("shaken by 1 %, reference", False, lambda photo, _: window(shifted(photo, 0.01)), window),
    ]
    blurs = [Case(f"blur {sigma}", True, _by(blurred, sigma)) for sigma in (2, 3, 4, 6)]
    light = [Case(f"light x {gain:g}", True, _by(lit, gain)) for gain in (0.01, 0.002, 16.0, 64.0)]
    covers = [
        Case(f"covered {share:.0%}{name}", True, _cover(share), of)
        for share in (0.3, 0.6, 0.9, 1.0)
        for name, of in (("", None), (", reference", whole))
    ]
    moves = [
        Case(f"moved {by:.0%}, reference", True, _window_by(shifted, by), window) for by in (0.05, 0.1, 0.3)
    ]
    turns = [
        Case(f"turned {by} degrees, reference", True, _window_by(turned, by), window) for by in (5, 10, 30)
    ]
    return [*fine, *blurs, *light, *covers, *moves, *turns]


def _by(spoil: Callable[[Rgb, float], Rgb], amount: float) -> Callable[[Rgb, Rng], Rgb]:
    return lambda photo, _: spoil(photo, amount)


def _window_by(move: Callable[[Rgb, float], Rgb], amount: float) -> Callable[[Rgb, Rng], Rgb]:
    return lambda photo, _: window(move(photo, amount))


def _cover(share: float) -> Callable[[Rgb, Rng], Rgb]:
    return lambda photo, rng: covered(photo, share, rng)


def jpeg(photo: Rgb, quality: int) -> Rgb:
    out = io.BytesIO()
    Image.fromarray(photo).save(out, "JPEG", quality=quality)
    return np.asarray(Image.open(out))


def noisy(photo: Rgb, sigma: float, rng: Rng) -> Rgb:
    return _bytes(photo + rng.normal(0, sigma, photo.shape))


def blurred(photo: Rgb, sigma: float) -> Rgb:
    """By a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma), dtype=np.uint8)


def lit(photo: Rgb, gain: float) -> Rgb:
    """With `gain` times the light, clipped as a sensor does; gray levels as gamma 2.2 of it."""
    return _bytes(255 * ((photo / 255.0) ** 2.2 * gain).clip(0, 1) ** (1 / 2.2))


def covered(photo: Rgb, share: float, rng: Rng) -> Rgb:
    """A hand or a cloth comes in from one side, out of focus, over `share` of the picture."""
    height, width = photo.shape[:2]
    down, along = np.mgrid[0:height, 0:width]
    if rng.integers(2):
        down, along, height, width = along, down, width, height
    wave = 0.05 * height * np.sin(2 * np.pi * (along / width + rng.random()))
    edge = share * height + wave * (share < 1)
    mask = cv2.GaussianBlur((down < edge).astype(np.float32), (0, 0), SOFT)[:, :, None]
    fold = 15 * np.sin(2 * np.pi * (along / width + down / height + rng.random()))[:, :, None]
    shade = np.array(SHADES[rng.integers(len(SHADES))]) + fold
    return noisy(_bytes(mask * shade + (1 - mask) * photo), SENSOR, rng)


def passing(photo: Rgb, share: float, rng: Rng) -> Rgb:
    """Something in focus, a turned part of the photo itself, stands before `share` of the view."""
    height, width = photo.shape[:2]
    high, wide = round(height * share**0.5), round(width * share**0.5)
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    made = photo.copy()
    made[top : top + high, left : left + wide] = photo[::-1, ::-1][top : top + high, left : left + wide]
    return made


def shifted(photo: Rgb, by: float) -> Rgb:
    """The camera looks further to the right, by that share of its `window`'s longer side."""
    height, width = window(photo).shape[:2]
    step = round(by * max(height, width))
    return np.pad(photo, ((0, 0), (0, step), (0, 0)), mode="symmetric")[:, step:]


def turned(photo: Rgb, degrees: float) -> Rgb:
    """Around the middle of its `window`."""
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((0.35 * width, 0.5 * height), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REFLECT), dtype=np.uint8
    )


def _bytes(values: NDArray[np.floating]) -> Rgb:
    clipped: Rgb = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped
