"""The words in a frame, where this box can read signs and the bundle judges them.

What fails here fails no judgement: the slots of words in the picture are then not looked at, and say why. A
frame is read once, as it is looked at once.
"""

import importlib.util
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .bundle import Bundle
from .engine_clients import SignClient
from .errors import EngineError
from .image import Frame
from .scene import Stages
from .taxonomy import Source

PACKAGE = "rapidocr"
# A larger frame is shrunk: then a letter is about as small as the detector can find, and a message to the
# engine stays within its bounds.
MAX_PIXELS = 1_300_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SignText:
    """`text` as for `Prompt.sign`: None where nobody looked; `why` says what was missing, if anything."""

    text: str | None
    why: str | None = None


class SignReading:
    """Made by `open`; keeps the words of the last frame."""

    def __init__(self, client: SignClient | None, why: str | None = None) -> None:
        self._client, self._why = client, why
        self._last: tuple[str, str] | None = None  # a frame's sha256, and its words

    @classmethod
    def open(cls, bundle: Bundle, threads: int) -> "SignReading":
        """Starts the engine if `bundle` judges words in pictures; never raises an EngineError."""
        untrained = bundle.not_trained()
        if not any(s.source is Source.IMAGE_TEXT and s.id not in untrained for s in bundle.pack.risk_slots):
            return cls(None)
        if importlib.util.find_spec(PACKAGE) is None:
            return cls(None, f"expected a reader of signs, {PACKAGE} is not installed; install yochi[ocr]")
        try:
            return cls(SignClient(threads=threads))
        except EngineError as e:
            _LOG.warning("signs are not read: %s", e)
            return cls(None, str(e))

    @property
    def version(self) -> str | None:
        """None where no engine reads."""
        return self._client.version if self._client else None

    @property
    def computed_ms(self) -> float:
        """So far, as the engine's process says."""
        return self._client.computed_ms if self._client else 0.0

    def read(self, frame: Frame, stages: Stages) -> SignText:
        """The words in `frame`, as stage `sign text`: 0 ms where they were read before."""
        if self._client is None:
            return SignText(None, self._why)
        if self._last is None or self._last[0] != frame.sha256:
            self._last = None
            try:
                with stages.timed("sign text"):
                    text = self._client.read(shrunk(frame))
            except EngineError as e:
                _LOG.warning("the signs of a frame were not read: %s", e)
                return SignText(None, str(e))
            self._last = frame.sha256, text
        stages.setdefault("sign text", 0.0)
        return SignText(self._last[1])

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def shrunk(frame: Frame) -> NDArray[np.float32]:
    """(H, W, 3) float32 of 0..255 with at most MAX_PIXELS, of the frame's own shape."""
    height, width = frame.rgb.shape[:2]
    scale = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5)
    if scale == 1.0:
        return frame.rgb.astype(np.float32)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return np.asarray(Image.fromarray(frame.rgb).resize(size, Image.Resampling.BILINEAR), np.float32)
