"""What lens, sensor and encoder do to a clean render: dirt, blur, noise, JPEG. The same for the same seed."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .spec import Spoil

SPOTS = 24  # of dirt on the lens, at most
OPAQUE = 0.55  # a spot that covers more than this hides what is behind it
DIRT_COLOR = (52.0, 46.0, 38.0)


def spoil(rgb: NDArray[np.uint8], how: Spoil, seed: int) -> tuple[bytes, NDArray[np.bool_]]:
    """JPEG bytes of the spoiled picture (H, W, 3), and which pixels dirt has hidden (H, W)."""
    rng = np.random.default_rng([seed, 1])
    covered = dirt_cover(rgb.shape[0], rgb.shape[1], how.dirt, rng)
    pixels = rgb * (1 - covered[..., None]) + np.asarray(DIRT_COLOR) * covered[..., None]
    image = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
    if how.blur:
        image = image.filter(ImageFilter.GaussianBlur(how.blur / 1000 * rgb.shape[1]))
    noisy = np.asarray(image, np.float64) + rng.normal(0, how.noise, rgb.shape)
    stream = BytesIO()
    Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=how.jpeg)
    return stream.getvalue(), covered > OPAQUE


def dirt_cover(height: int, width: int, dirt: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Opacity (H, W) in 0..0.9 of soft spots on the lens; zero everywhere on a clean one."""
    cover = np.zeros((height, width))
    y, x = np.mgrid[0:height, 0:width] / width
    for _ in range(round(SPOTS * dirt)):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, height / width), rng.uniform(0.01, 0.07)
        strength = rng.uniform(0.2, 0.9) * dirt
        distance = np.hypot(x - cx, y - cy) / radius
        np.maximum(cover, strength * np.clip(1.6 - distance, 0, 1), out=cover)
    return cover.clip(0, 0.9)
