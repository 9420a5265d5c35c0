"""Gates: frames that no model may be asked about, because there is nothing in them, or nothing of now.

A covered, dark or dazzled camera still sends a picture, whose few gray levels are noise and coding loss.
"""

import math

from PIL import Image

from .errors import FrameError, Reason
from .image import Frame

# Gray levels, 0..255. The flattest of the 3,421 photos we train with, smoke and snow included, has
# a deviation of 12.9; chosen well below that, and not yet tried on covered cameras.
MIN_DEVIATION = 4.0
# Near black and white noise is amplified and a leak of light or a few dead pixels look like contrast.
BLACK, WHITE = 16.0, 239.0
MIN_DEVIATION_AT_ENDS = 8.0
MAX_AGE = 1.0  # seconds between a live frame's arrival and its judgement


def check_content(frame: Frame) -> None:
    """FrameError (FRAME_BLANK) for a frame of nearly one gray: black, white, covered, no signal."""
    mean, deviation = gray_levels(frame)
    least = MIN_DEVIATION if BLACK < mean < WHITE else MIN_DEVIATION_AT_ENDS
    if not deviation >= least:
        raise FrameError(
            Reason.FRAME_BLANK,
            f"expected a picture whose gray levels deviate by {least:g} of 255 or more, got {deviation:.1f} "
            f"around {mean:.0f}; uncover the camera, check light and lens",
        )


def gray_levels(frame: Frame) -> tuple[float, float]:
    """Mean and standard deviation, 0..255, of ITU-R 601 luma; over the histogram, without a large copy."""
    counts = Image.fromarray(frame.rgb).convert("L").histogram()
    pixels = sum(counts)
    mean = sum(level * n for level, n in enumerate(counts)) / pixels
    return mean, math.sqrt(sum(n * (level - mean) ** 2 for level, n in enumerate(counts)) / pixels)


def check_age(seconds: float) -> None:
    """FrameError (FRAME_STALE) for a live frame that arrived more than MAX_AGE seconds ago."""
    if not seconds <= MAX_AGE:
        raise FrameError(
            Reason.FRAME_STALE,
            f"expected a live frame at most {MAX_AGE:g} s old, got {seconds:.1f} s; "
            "check the camera and what else runs here",
        )
