"""Bodies of requests, read within their limits of size and time, and taken apart.

What is no request (too large, too slow, not the form that was promised) is a 4xx of one line. A picture that
is none is not this module's business: it becomes a `cannot_judge`, which is recorded.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ..inspection import MAX_NOTE_CHARACTERS
from .given import Asked

MAX_BODY = 16 * 1024 * 1024  # bytes of a request with a picture
MAX_TEXT = 16 * 1024  # bytes of any other
BODY_SECONDS = 10.0  # for a body to arrive
Model = TypeVar("Model", bound=BaseModel)


class Sent(NamedTuple):
    """A picture's file and a note, as they came."""

    picture: bytes
    note: str


async def read_inspection(request: Request) -> Sent:
    """From JSON (`image` in base64, `note`) or from a form with a file `image` and a field `note`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise HTTPException(415, "expected application/json or multipart/form-data, got something else")
    body = await _read(request, MAX_BODY)
    if kind == "application/json":
        asked = _parse(Asked, body)
        return Sent(asked.image, asked.note)
    return await _form(request.headers, body)


async def read_json(request: Request, model: type[Model]) -> Model:
    """A small JSON body as `model`."""
    return _parse(model, await read_small(request))


async def read_small(request: Request) -> bytes:
    """A body without a picture."""
    return await _read(request, MAX_TEXT)


async def _read(request: Request, limit: int) -> bytes:
    too_large = HTTPException(
        413, f"expected a body of at most {limit:,} bytes, got more; shrink the picture"
    )
    length = request.headers.get("content-length", "0")
    if len(length) > 12 or int(length) > limit:  # the server has seen that these are digits
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                if len(body) + len(part) > limit:
                    raise too_large
                body += part
    except TimeoutError as e:
        raise HTTPException(408, f"expected the body within {BODY_SECONDS:g} s, it did not come") from e
    except ClientDisconnect as e:
        raise HTTPException(400, "expected a body, the connection ended") from e
    return bytes(body)


def _parse(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        # An unknown key may be anything, and is not echoed as it came.
        where = where if re.fullmatch(r"[a-z_.]{1,40}", where) else "a key"
        raise HTTPException(422, f"{where}: {first['msg'].removeprefix('Value error, ')}") from e


class _InMemory(MultiPartParser):
    """Parts stay in memory, which MAX_BODY bounds: the disk of a box may be full."""

    spool_max_size = MAX_BODY + 1


async def _form(headers: Headers, body: bytes) -> Sent:
    """Text is taken as Latin-1, which keeps its bytes, and then read as the UTF-8 that it must be."""
    _, options = parse_options_header(headers["content-type"])
    boundary = options.get(b"boundary", b"").decode("latin-1")
    given = Headers({"content-type": f'multipart/form-data; charset=latin-1; boundary="{boundary}"'})

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    longest = 8 * MAX_NOTE_CHARACTERS  # bytes; a longer note is refused here, like a larger picture
    parser = _InMemory(given, stream(), max_files=1, max_fields=1, max_part_size=longest)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError, LookupError) as e:
        raise HTTPException(400, "expected a whole multipart/form-data body, got a broken one") from e
    try:
        return await _fields(form)
    finally:
        await form.close()


async def _fields(form: FormData) -> Sent:
    image, note = form.get("image"), form.get("note")
    if not isinstance(image, UploadFile) or not isinstance(note, str):
        raise HTTPException(422, "expected a file `image` and a field `note`, got another form")
    try:
        return Sent(await image.read(), note.encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError as e:
        raise HTTPException(422, "note: expected UTF-8, got other bytes") from e
