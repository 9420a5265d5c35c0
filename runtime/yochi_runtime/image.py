"""From bytes to the model's pixels, the same way in training and on the box.

Decoding is `yochi_devices.decode`'s: upright 8-bit RGB whatever the file's mode. Preparation is a bilinear
resize to a square with antialiasing and the normalization of EfficientNet-Lite0 (mean 127/255, std 128/255).
"""

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from yochi_devices.decode import MAX_FILE_BYTES as MAX_FILE_BYTES
from yochi_devices.decode import MAX_PIXELS as MAX_PIXELS
from yochi_devices.decode import Fault, PictureError, decode_rgb
from yochi_devices.frame import Rgb as Rgb
from yochi_devices.measure import Measures

from .engines import GRID as GRID
from .engines import SIDE as SIDE
from .engines import Pixels as Pixels
from .errors import FrameError, Reason, UsageError

PREPARATION = "lite0-448-bilinear-v1"  # part of every cache key and of the bundle's manifest
MIN_SIDE = 32  # pixels; below it one token would see less than five source pixels

_REASONS = {
    Fault.FOREIGN: Reason.FRAME_UNREADABLE,
    Fault.BROKEN: Reason.FRAME_TRUNCATED,
    Fault.TOO_LARGE: Reason.FRAME_TOO_LARGE,
}


@dataclass(frozen=True, eq=False)
class Frame:
    """Decoded, upright pixels, (height, width, 3) uint8 RGB, and the file they came in, if any."""

    rgb: Rgb
    file: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        height, width = self.rgb.shape[:2]
        _check_size(width, height)

    @cached_property
    def measures(self) -> Measures:
        """What the gates ask about the pixels, taken once."""
        return Measures(self.rgb)

    @cached_property
    def sha256(self) -> str:
        """Of the size and the decoded pixels: two files with the same picture are the same frame."""
        header = f"{self.rgb.shape[1]}x{self.rgb.shape[0]}:".encode()
        return hashlib.sha256(header + np.ascontiguousarray(self.rgb).tobytes()).hexdigest()

    def encoded(self) -> bytes:
        """The file it came in, or a PNG: either decodes to these very pixels."""
        if self.file is not None:
            return self.file
        png = io.BytesIO()
        # Level 1: a camera's frame is written while a worker waits.
        Image.fromarray(self.rgb).save(png, "PNG", compress_level=1)
        return png.getvalue()


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise FrameError(
            Reason.FRAME_TOO_SMALL,
            f"expected a picture of at least {MIN_SIDE} x {MIN_SIDE} pixels, got {width} x {height}; "
            "use the camera's full resolution",
        )
    if width * height > MAX_PIXELS:
        raise FrameError(
            Reason.FRAME_TOO_LARGE,
            f"expected at most {MAX_PIXELS // 1_000_000} megapixels, got {width} x {height} "
            f"({width * height / 1e6:.0f}); shrink the picture",
        )


def read_frame(path: Path) -> Frame:
    """Decode an image file. UsageError where nothing is there, FrameError where it is no picture."""
    try:
        _check_file(path)
        return decode_frame(path.read_bytes(), str(path))
    except OSError as e:
        raise FrameError(
            Reason.FRAME_UNREADABLE,
            f"expected to read {path}, got: {e.strerror or e}; check the file and its rights",
        ) from e


def _check_file(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"expected an image file at {path}, found nothing there; check the path")
    if path.is_dir():
        raise UsageError(f"expected an image file, got the folder {path}; `yochi watch` takes folders")
    if not path.is_file():  # a pipe or a device has no end
        raise UsageError(f"expected an image file at {path}, got something else; `yochi watch` takes cameras")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise FrameError(
            Reason.FRAME_TOO_LARGE,
            f"expected an image file of at most {MAX_FILE_BYTES // 2**20} MiB, got {size / 2**20:.0f} MiB; "
            "shrink it",
        )


def decode_frame(data: bytes, name: str = "the picture") -> Frame:
    """Decode JPEG, PNG, BMP, TIFF, WebP ... bytes; the first page of several."""
    try:
        return Frame(decode_rgb(data, name), data)
    except PictureError as e:
        raise FrameError(_REASONS[e.fault], str(e)) from e


def prepare(frame: Frame) -> Pixels:
    """(1, 3, SIDE, SIDE) float32 for the vision model; the aspect ratio is squeezed, as in training."""
    square = Image.fromarray(frame.rgb).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    normal = (np.asarray(square, dtype=np.float32) - 127.0) / 128.0
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])
