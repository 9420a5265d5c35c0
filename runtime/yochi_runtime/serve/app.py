"""The routes under /v1. Reading the log is done beside the event loop, judging on the desk."""

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..audit.chain import Broken
from ..audit.feedback import Feedback
from ..errors import AuditError, UsageError
from .access import Guard
from .answers import MAX_ROW, Number, described
from .audit_routes import audit_routes
from .change_routes import change_routes
from .engineer_routes import engineer_routes
from .given import Asked, Entries, Entry, Given, Readiness, Row, Withheld
from .history import entries, entry
from .intake import read_inspection, read_json
from .judged_events import EVENTS, judged_events
from .live_routes import live_routes
from .metrics import CONTENT_TYPE
from .page_routes import login_page, page_routes
from .service import Service
from .setup_routes import setup_routes

_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["image", "note"],
    "properties": {"image": {"type": "string", "format": "binary"}, "note": {"type": "string"}},
}


def make_app(service: Service) -> FastAPI:
    """The whole service; its threads run from start-up to shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await run_in_threadpool(service.close)

    app = FastAPI(
        title="Yochi",
        summary="Hazard judgement of a frame and an inspection note. It advises; it is no safety function.",
        version="1",
        docs_url=None,  # FastAPI's pages are loaded from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(judgement_routes(service))
    app.include_router(state_routes(service))
    app.include_router(audit_routes(service))
    app.include_router(engineer_routes(service))
    app.include_router(change_routes(service))
    app.include_router(setup_routes(service))
    app.include_router(page_routes(service))
    if service.live is not None:
        app.include_router(live_routes(service, service.live))
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    for error in (AuditError, Broken, sqlite3.Error):
        app.add_exception_handler(error, _log_fault)
    app.add_middleware(_Counted, service=service)
    app.add_middleware(Guard, access=service.settings.access, login=login_page)
    return app


def judgement_routes(service: Service) -> APIRouter:
    """Judging, the log, and what people say of it."""
    routes, log = APIRouter(prefix="/v1/judgements", tags=["judgements"]), service.settings.log

    @routes.post(
        "",
        openapi_extra=_body({"application/json": Asked.model_json_schema(), "multipart/form-data": _FORM}),
        response_model=Given | Withheld,
        responses={
            200: {"content": {EVENTS: {"schema": {"type": "string"}}}},
            429: {"description": "Too many at once; come back after Retry-After seconds."},
            **described(400, 408, 413, 415, 422),
        },
    )
    async def judge(request: Request) -> Given | Withheld | Response:
        """Judge a picture with a note. Whatever goes wrong with them is a `cannot_judge`.

        To whoever accepts `text/event-stream` an event `judgement`, and then events `explanation`, the last
        of which has the text or why there is none.
        """
        until = time.monotonic() + service.settings.deadline
        if EVENTS in request.headers.get("accept", ""):
            return await judged_events(service, request, until)
        with service.seats.take():
            return (await service.judge(await read_inspection(request), until)).shown()

    @routes.get("")
    def newest(
        before: Annotated[int | None, Query(ge=1, le=MAX_ROW)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Entries:
        """Rows of the audit log, the newest first."""
        return entries(log, before, limit)

    @routes.get("/{number}", responses=described(404))
    def one(number: Number) -> Entry:
        """One row of the audit log."""
        try:
            return entry(log, number)
        except UsageError as e:
            raise HTTPException(404, str(e)) from e

    @routes.post(
        "/{number}/feedback",
        status_code=201,
        openapi_extra=_body({"application/json": Feedback.model_json_schema()}),
        responses=described(400, 404, 408, 413, 422),
    )
    async def say(number: Number, request: Request) -> Row:
        """Say that a judgement was right or wrong, or what it should have been; a row of the log, too."""
        feedback = await read_json(request, Feedback)
        try:
            return Row(id=await run_in_threadpool(service.add_feedback, number, feedback))
        except UsageError as e:
            raise HTTPException(404, str(e)) from e

    return routes


def state_routes(service: Service) -> APIRouter:
    """For whoever looks after the box."""
    routes = APIRouter(tags=["state"])

    @routes.get("/healthz", responses=described(503))
    def healthy() -> Response:
        """200 as long as the thread that judges runs."""
        return JSONResponse({"alive": service.desk.alive}, 200 if service.desk.alive else 503)

    @routes.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
    def ready() -> Response:
        """200 while the built-in frame is judged, again and again, and the same every time."""
        found = service.desk.readiness()
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    return routes


def _body(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """For OpenAPI: bodies that `intake` reads, within its limits."""
    content = {kind: {"schema": schema} for kind, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _wrong_parameter(_: Request, error: Exception) -> Response:
    """Which one and why, without what came: it may be anything."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}"}, 422)


def _log_fault(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": f"expected a whole audit log that can be written, got: {error}"}, 503)


class _Counted:
    """Counts the answers by their status."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._service.metrics.answered(message["status"])
            await send(message)

        await self._app(scope, receive, counted)
