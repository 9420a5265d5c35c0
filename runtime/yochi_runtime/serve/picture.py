"""A frame for a browser."""

import base64
import io

from fastapi.responses import Response
from PIL import Image
from yochi_devices.frame import Rgb

from ..image import Frame

SIDE = 1280  # pixels of the longer side


def as_jpeg(frame: Frame) -> Response:
    """Its upright pixels as they were judged, but smaller: what a file holds besides stays on the box."""
    return Response(_jpeg(frame.rgb), media_type="image/jpeg")


def as_data(rgb: Rgb) -> str:
    """The same as a `data:` address, for an answer that holds more than the picture."""
    return f"data:image/jpeg;base64,{base64.b64encode(_jpeg(rgb)).decode()}"


def _jpeg(rgb: Rgb) -> bytes:
    picture, jpeg = Image.fromarray(rgb), io.BytesIO()
    picture.thumbnail((SIDE, SIDE))
    picture.save(jpeg, "JPEG", quality=80)
    return jpeg.getvalue()
