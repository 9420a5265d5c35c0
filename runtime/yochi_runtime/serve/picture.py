"""A judged frame for a browser."""

import io

from fastapi.responses import Response
from PIL import Image

from ..image import Frame

SIDE = 1280  # pixels of the longer side


def as_jpeg(frame: Frame) -> Response:
    """Its upright pixels as they were judged, but smaller: what a file holds besides stays on the box."""
    picture, jpeg = Image.fromarray(frame.rgb), io.BytesIO()
    picture.thumbnail((SIDE, SIDE))
    picture.save(jpeg, "JPEG", quality=80)
    return Response(jpeg.getvalue(), media_type="image/jpeg")
