"""Gates: frames that no model may be asked about, because there is nothing in them, or nothing of now.

A covered, dark or dazzled camera still sends a picture, whose few gray levels are noise and coding loss. A
gate can only refuse: what passes all of them is judged as if there were none.
"""

from dataclasses import replace

from .image import Frame
from .limits import BLANK, BLURRED, COVERED, DARK, OVEREXPOSED, Gate, Measured, check

# Near black and white noise is amplified and a leak of light or a few dead pixels look like contrast.
BLACK, WHITE = 16.0, 239.0
BLANK_AT_ENDS = replace(BLANK, threshold=8.0)


def content(frame: Frame) -> list[Measured]:
    """The gates of a picture by itself; the first that fails tells most, as a blank one is blurred too."""
    light = frame.measures.light
    return [
        (BLANK if BLACK < light.mean < WHITE else BLANK_AT_ENDS, light.deviation),
        (DARK, light.bright),
        (OVEREXPOSED, light.dim),
        (COVERED, 100 * frame.measures.covered),
        (BLURRED, frame.measures.blur),
    ]


def check_content(frame: Frame) -> tuple[Gate, ...]:
    """Every gate of the picture; GateError where one does not pass."""
    return check(content(frame))
