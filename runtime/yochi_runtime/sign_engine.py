"""Reads words in a picture with RapidOCR and the models that lie in its wheel (PP-OCRv6, small).

One recognition model reads English and Japanese. Nothing is ever downloaded: the files are named, and a
missing one is an error.
"""

import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np
import rapidocr
from numpy.typing import NDArray

from .errors import EngineError, Reason
from .record import SIGN_LINES

VERSION = importlib.metadata.version("rapidocr")
MODELS = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
DETECTED = 960  # pixels of the longer side in which lines are looked for; they are read at full size
MIN_SCORE = 0.6  # of a line, 0..1; below, what is read of textures and logos looks like words
# Lines are kept, the largest print first, up to about as many tokens as the prompt has room for: an ASCII
# character takes a third of one, a Japanese character up to one.
ROOM, ASCII, OTHER = 44.0, 0.3, 1.0


class SignEngine:
    """`threads` of ONNX Runtime. EngineError where a model is missing."""

    def __init__(self, threads: int) -> None:
        folder = Path(rapidocr.__file__).parent / "models"
        for name in MODELS.values():
            if not (folder / name).is_file():
                raise EngineError(
                    Reason.ENGINE_FAILED,
                    f"expected {name} in rapidocr {VERSION}, found none; install the pinned version",
                )
        params: dict[str, Any] = {f"{part}.model_path": str(folder / name) for part, name in MODELS.items()}
        params |= {"Global.log_level": "critical", "Global.use_cls": False}  # no sign hangs upside down
        params |= {"Det.limit_type": "max", "Det.limit_side_len": DETECTED}
        params |= {"EngineConfig.onnxruntime.intra_op_num_threads": threads, "Global.text_score": MIN_SCORE}
        self._ocr: Any = rapidocr.RapidOCR(params=params)

    def read(self, pixels: NDArray[np.float32]) -> str:
        """What is written in (H, W, 3) RGB of 0..255, line by line from the top; "" where nothing is."""
        bgr = np.ascontiguousarray(pixels.astype(np.uint8)[:, :, ::-1])
        found = self._ocr(bgr)
        if found.txts is None:
            return ""
        heights = [_height(box) for box in found.boxes]
        return SIGN_LINES.join(largest(list(found.txts), heights))


def _height(box: NDArray[np.float32]) -> float:
    """Of the print in a quadrangle (4, 2), clockwise from the top left."""
    return float(np.linalg.norm(box[3] - box[0]))


def largest(lines: list[str], heights: list[float]) -> list[str]:
    """The lines of the largest print that fit into ROOM, in the order in which they came."""
    room, kept = ROOM, set[int]()
    for i in sorted(range(len(lines)), key=lambda i: -heights[i]):
        room -= sum(ASCII if c.isascii() else OTHER for c in lines[i])
        if kept and room < 0:
            break
        kept.add(i)
    return [line for i, line in enumerate(lines) if i in kept]
