"""Whether a stream stands still: the very same pixels again, where a sensor would have added its noise.

A still scene is no fault: a sensor's noise changes its pixels from frame to frame. A recording may hold
frames that never had noise (drawn, a slide show, coded away), so its repetitions count only after it has
shown some. Single pictures are no stream at all.
"""

import numpy as np

from .frame import CameraFrame, Rgb

NOISY_SHARE = 0.5  # of the pixels change from one frame to the next: noise, not something that moves
NOISY_PAIRS = 5  # in a row; a cut or the first frame of a group of coded pictures changes as much, once
STEP = 4  # every 4th pixel of every 4th row is enough to see noise


class Stillness:
    """Follows the frames of one camera: for how long, and how often, the last one has come."""

    def __init__(self) -> None:
        self._first: CameraFrame | None = None  # of the run of equal frames that the last one ends
        self._repeats = 0
        self._noisy_pairs = 0
        self._noise_seen = False

    def see(self, frame: CameraFrame) -> None:
        """Call with every frame, in order."""
        if self._first is not None and np.array_equal(self._first.rgb, frame.rgb):
            self._repeats += 1
            self._noisy_pairs = 0
            self._last = frame.monotonic
            return
        if self._first is not None and _changed(self._first.rgb, frame.rgb) > NOISY_SHARE:
            self._noisy_pairs += 1
            self._noise_seen = self._noise_seen or self._noisy_pairs >= NOISY_PAIRS
        else:
            self._noisy_pairs = 0
        self._first, self._repeats, self._last = frame, 0, frame.monotonic

    @property
    def seconds(self) -> float:
        """From the first to the last of equal frames, by their arrival."""
        return 0.0 if self._first is None else self._last - self._first.monotonic

    @property
    def repeats(self) -> int | None:
        """How often the last frame came again; None while the stream has shown no noise."""
        return self._repeats if self._noise_seen else None


def _changed(before: Rgb, now: Rgb) -> float:
    """Share (0..1) of pixels that differ; 0 where the sizes do, which says nothing about noise."""
    if before.shape != now.shape:
        return 0.0
    return float((before[::STEP, ::STEP] != now[::STEP, ::STEP]).any(axis=2).mean())
