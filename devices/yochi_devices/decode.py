"""From a picture file's bytes to upright 8-bit RGB, the same for one picture and for a folder of them.

Decoding is Pillow's, upright by EXIF, and every mode becomes 8-bit RGB: RGBA over white, 16-bit by its high
byte, CMYK by Pillow's conversion, gray by repetition.
"""

import io
import logging
import warnings
from enum import Enum, auto
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .frame import Rgb

MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 64 * 1024 * 1024
# What cameras and people's phones write. Pillow knows more, but some of those run other programs (EPS).
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF")

# Pillow also logs some of the errors it raises; without a handler Python would print them on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class Fault(Enum):
    """What is wrong with a picture."""

    FOREIGN = auto()  # not a picture at all
    BROKEN = auto()  # begins as a picture and cannot be read to its end
    TOO_LARGE = auto()


class PictureError(Exception):
    """Bytes that are no usable picture; the message is one line for a person."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def decode_rgb(data: bytes, name: str) -> Rgb:
    """(height, width, 3) uint8, upright, of the first page of `data`; PictureError names `name`."""
    if not data:
        raise PictureError(Fault.FOREIGN, f"expected a picture in {name}, got 0 bytes; take it again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of sizes that are checked here and of tags nobody needs
        with _opened(io.BytesIO(data), name) as image:
            return _pixels(image, name)


def is_picture(file: BinaryIO) -> bool:
    """Whether `file` begins as one of FORMATS; reads no further than the header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _opened(file, "the file")
        except PictureError as e:
            return e.fault is not Fault.FOREIGN
    return True


def to_rgb(image: Image.Image) -> Rgb:
    """Any Pillow mode to (height, width, 3) uint8."""
    if image.mode.startswith("I;16"):
        high = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(high[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        deep = np.asarray(image).astype(np.float64)
        scale = 256.0 if deep.max(initial=0) > 255 else 1.0  # 32-bit modes carry 8- or 16-bit pictures
        gray = np.clip(np.nan_to_num(deep) / scale, 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, over)
    return np.asarray(image.convert("RGB"))


def _opened(file: BinaryIO, name: str) -> Image.Image:
    """The picture's header, its size checked before any pixel is decoded."""
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as e:
        raise _too_large(name, "more") from e
    except UnidentifiedImageError as e:
        raise PictureError(
            Fault.FOREIGN,
            f"expected a picture (JPEG, PNG, ...) in {name}, got something else; take it again",
        ) from e
    except Exception as e:
        raise _broken(name, e) from e
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height} ({width * height / 1e6:.0f})")
    return image


def _pixels(image: Image.Image, name: str) -> Rgb:
    try:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except Exception as e:  # a decoder may raise anything on hostile bytes
        raise _broken(name, e) from e


def _too_large(name: str, got: str) -> PictureError:
    return PictureError(
        Fault.TOO_LARGE,
        f"expected at most {MAX_PIXELS // 1_000_000} megapixels in {name}, got {got}; shrink the picture",
    )


def _broken(name: str, cause: Exception) -> PictureError:
    return PictureError(
        Fault.BROKEN, f"expected a whole picture in {name}, got a broken one ({cause}); take it again"
    )
