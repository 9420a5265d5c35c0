"""One picture from a camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # (height, width, 3), 0..255, upright


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """Upright pixels and where they come from."""

    rgb: Rgb
    sequence: int  # from 0, one for every frame the camera offered; a gap is one that was not read
    monotonic: float  # seconds of `time.monotonic()` when the frame arrived
    name: str  # the file's path, or the source with the frame's number
    live: bool = False  # shows what was before a camera when it arrived; files are as old as they are
    still: bool = False  # a picture of its own, no part of a stream
