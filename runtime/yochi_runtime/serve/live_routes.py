"""The routes of a service with a camera: what it shows now, what it is judged with, what leaves the box."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from ..mode import Mode
from ..run import NoteSource
from .given import Given, LiveNote, SignalShown, Withheld
from .intake import read_json
from .live import Live
from .live_shown import Shown
from .picture import as_jpeg
from .service import Service
from .signal_states import in_a_word, signal_states

BEAT = 1.0  # seconds between two signs of life to a listener
_NOTE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": LiveNote.model_json_schema()}},
    }
}


def _events(seen: Shown | None, shown: Shown, mode: Mode) -> Iterator[ServerSentEvent]:
    """What is new to who has `seen` the one before."""
    explained = seen is not None and seen.given is shown.given and seen.explained is not shown.explained
    given = shown.now(mode)
    if shown is seen:
        yield ServerSentEvent(raw_data=given.model_dump_json(include={"age_s"}), event="beat")
        return
    if not explained:
        yield ServerSentEvent(raw_data=given.model_dump_json(), event="judgement")
    if (told := shown.told(mode)) is not None:
        yield ServerSentEvent(raw_data=told.model_dump_json(), event="explanation")


def live_routes(service: Service, live: Live) -> APIRouter:
    """Newest verdict, its picture, the stream of both, and the note."""
    routes = APIRouter(prefix="/v1/live", tags=["live"])

    @routes.get("")
    def now() -> Given | Withheld:
        """The camera's newest judgement; past its time a `cannot_judge`."""
        return live.shown.now(service.desk.mode)

    async def seat() -> AsyncIterator[None]:
        with service.streams.take():  # before the stream begins, so that 429 can be said
            yield

    @routes.get("/events", response_class=EventSourceResponse, dependencies=[Depends(seat)])
    async def events() -> AsyncIterator[ServerSentEvent]:
        """Each new judgement as an event `judgement`, and every second without one an event `beat`.

        Events `explanation` say how far that of the judgement before them is; the last has the text, or why
        there is none. A listener that is slow gets the newest of all next, not those it missed.
        """
        seen: Shown | None = None
        with live.listening():
            while not service.stopping():
                shown = await live.changed(seen, BEAT)
                for event in _events(seen, shown, service.desk.mode):
                    yield event
                seen = shown

    @routes.get("/frame", response_class=Response, responses={404: {}})
    def frame(sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$")]) -> Response:
        """The newest judged frame as JPEG; 404 where it is not the one of that sha256 any more."""
        shown = live.shown
        if shown.frame is None or shown.frame.sha256 != sha256:
            raise HTTPException(404, "expected the newest judged frame, got another; see GET /v1/live")
        return as_jpeg(shown.frame)

    @routes.get("/signals")
    def signals() -> tuple[SignalShown, ...]:
        """The plant's sinks and outputs, in a word each; in shadow there are none."""
        return tuple(map(in_a_word, signal_states(live.line)))

    @routes.put("/note", openapi_extra=_NOTE)
    async def change(request: Request) -> LiveNote:
        """What the camera's next frames are judged with."""
        given = await read_json(request, LiveNote)
        live.note = NoteSource(given.note, None)
        return given

    return routes
