"""A judgement as server-sent events: the judgement at once, and then its explanation as far as it is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.requests import Request

from ..explainer import SECONDS, Explained
from .desk import Outcome
from .given import Given, Told
from .intake import read_inspection
from .service import Service

EVENTS = EventSourceResponse.media_type
GRACE = 10.0  # seconds that the desk may be late with the end of an explanation


async def judged_events(service: Service, request: Request, until: float) -> Response:
    """Of the picture and the note in `request`. The seat is taken until there is a judgement."""
    told: asyncio.Queue[Explained | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(_: Outcome, explained: Explained | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told.put_nowait, explained)

    with service.seats.take():
        given = await service.judge(await read_inspection(request), until, tell)
    return EventSourceResponse(_events(given, told), headers={"X-Accel-Buffering": "no"})


async def _events(given: Given, told: "asyncio.Queue[Explained | None]") -> AsyncIterator[bytes]:
    shown, until = given.shown(), time.monotonic() + SECONDS + GRACE
    yield _event("judgement", shown)
    if not isinstance(shown, Given) or shown.id is None:
        return
    with suppress(TimeoutError):
        while (explained := await asyncio.wait_for(told.get(), until - time.monotonic())) is not None:
            yield _event("explanation", Told(id=shown.id, explanation=explained))


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(data_str=data.model_dump_json(), event=name)
