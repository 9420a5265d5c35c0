"""A picture inside of a text: for a page that needs nothing else, or a request to a model."""

import base64
import io
from pathlib import Path

from PIL import Image
from yochi_runtime.errors import CannotJudge, UsageError
from yochi_runtime.image import read_frame


def data_url(file: Path, side: int) -> str:
    """The picture upright, at most `side` pixels wide and high, as a JPEG; UsageError where there is none."""
    try:
        picture = Image.fromarray(read_frame(file).rgb)
    except CannotJudge as e:
        raise UsageError(f"{file}: {e}") from e
    picture.thumbnail((side, side))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
