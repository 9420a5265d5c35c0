"""The routes of the page at /setup: look through a camera, check the bundle, keep what was chosen.

Without a second token set they answer the box itself alone; the first that keeps something makes one.
"""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException
from yochi_devices.uvc import list_uvc

from ..camera_check import Look, look, opened
from ..errors import BundleError, FrameError, NoteError, UsageError
from ..gates import check_content
from ..image import Frame
from ..inspection import Note
from ..limits import GateError
from ..opening import check_unchanged, prompt_of
from ..run import NoteSource
from .access import ADMIN_HEADER
from .answers import of_desk
from .changes import ADMIN, FIRST_RUN
from .engineer_routes import bundle_in_use
from .intake import read_json
from .kept_address import check_choice
from .live import Live
from .made_tokens import MadeTokens, TokensFile, make_tokens
from .picture import as_data
from .seats import Seats
from .service import Service
from .setup_given import (
    CheckedBundle,
    DoneSetup,
    LookedThrough,
    SeenCamera,
    SetupState,
    TriedCamera,
    UsbCamera,
    WantedSetup,
)

LOOK_SECONDS = 3.0
_TOKEN = APIKeyHeader(name=ADMIN_HEADER, auto_error=False)


def setup_routes(service: Service) -> APIRouter:
    """For the page, so not part of the service's OpenAPI."""

    def by(request: Request, token: Annotated[str | None, Depends(_TOKEN)]) -> str:
        access = service.settings.access
        refused = access.setup_refusal(request.scope, token)
        if refused is not None:
            raise HTTPException(403, refused)
        return FIRST_RUN if access.admin is None else ADMIN

    routes = APIRouter(prefix="/v1/setup", include_in_schema=False)
    who, one = Depends(by), Seats(1, "looks at cameras or bundle")

    @routes.get("", dependencies=[who])
    def state() -> SetupState:
        return _state(service)

    @routes.post("/camera", dependencies=[who])
    async def camera(request: Request) -> SeenCamera:
        """Takes a few seconds; a camera that does not answer, up to a minute."""
        uri = (await read_json(request, TriedCamera)).camera
        with one.take():
            try:
                return await run_in_threadpool(_seen, service.live, uri)
            except UsageError as e:
                raise HTTPException(422, str(e)) from e

    @routes.post("/bundle", dependencies=[who])
    async def bundle() -> CheckedBundle:
        with one.take():
            return await run_in_threadpool(_checked, service)

    @routes.put("")
    async def keep(request: Request, by: Annotated[str, who], background: BackgroundTasks) -> DoneSetup:
        wanted = await read_json(request, WantedSetup)
        try:
            Note(wanted.note)
            if wanted.camera is not None:
                check_choice(wanted.camera)
        except (NoteError, UsageError) as e:
            raise HTTPException(422, str(e)) from e
        done = await of_desk(service, lambda: _keep(service, wanted, by))
        if done.starts_again:
            background.add_task(service.start_again)  # once this is answered
        return done

    return routes


def _state(service: Service) -> SetupState:
    kept, judge, settings = service.kept.kept, service.desk.opened, service.settings
    return SetupState(
        service=service.name,
        cameras=tuple(UsbCamera(index=c.index, name=c.name, usable=c.usable) for c in list_uvc()),
        camera=kept.camera,
        camera_named=settings.camera_named,
        note=kept.note,
        language=kept.language,
        bundle=None if judge is None else bundle_in_use(judge),
        fault=service.desk.readiness().fault if judge is None else None,
        makes_tokens=settings.access.admin is None,
    )


def _seen(live: Live | None, uri: str) -> SeenCamera:
    """UsageError for what is no camera. One that is judged now is not opened a second time."""
    check_choice(uri)
    if live is not None and live.uri == uri:
        return _seen_live(live)
    try:
        with opened(uri) as camera:
            found = look(camera, LOOK_SECONDS)
    except FrameError as e:
        return SeenCamera(looked=None, gates=(), picture=None, fault=str(e), reason=e.reason)
    looked, picture = _looked(found), as_data(found.frame.rgb)
    try:
        gates = check_content(Frame(found.frame.rgb))
    except FrameError as e:
        measured = e.gates if isinstance(e, GateError) else ()
        return SeenCamera(looked=looked, gates=measured, picture=picture, fault=str(e), reason=e.reason)
    return SeenCamera(looked=looked, gates=gates, picture=picture, fault=None, reason=None)


def _looked(found: Look) -> LookedThrough:
    height, width = found.frame.rgb.shape[:2]
    return LookedThrough(
        width=width,
        height=height,
        frames=found.frames,
        rate=found.rate,
        oldest=found.oldest if found.frame.live else None,
        failures=len(found.failures),
        failure=found.failures[-1] if found.failures else None,
    )


def _seen_live(live: Live) -> SeenCamera:
    """Its newest judgement's picture and gates."""
    found, frame = live.shown.given.judgement, live.shown.frame
    of_camera = frame is None or not all(gate.passed for gate in found.gates)
    return SeenCamera(
        looked=None,
        gates=found.gates,
        picture=None if frame is None else as_data(frame.rgb),
        fault=found.message if of_camera else None,  # what else was not judged is no matter of the camera
        reason=found.reasons[0] if of_camera and found.reasons else None,
    )


def _checked(service: Service) -> CheckedBundle:
    judge = service.desk.opened
    if judge is None:
        return CheckedBundle(whole=False, said=service.desk.readiness().fault or "no bundle is open")
    try:
        check_unchanged(judge.bundle)
        prompt_of(judge.bundle)
    except BundleError as e:
        return CheckedBundle(whole=False, said=str(e))
    files = len(judge.bundle.manifest.files)
    return CheckedBundle(whole=True, said=f"{files} files and the base model are whole")


def _keep(service: Service, wanted: WantedSetup, by: str) -> DoneSetup:
    """On the desk's thread: whoever comes second finds what the first has made."""
    access, changes, named = service.settings.access, service.changes, service.settings.camera_named
    if by == FIRST_RUN and access.admin is not None:
        raise UsageError("expected a box that is not set up, it was a moment ago; open /setup again")
    if named and wanted.camera is not None:
        raise UsageError("expected no camera, an option names one, which counts; start without --camera")
    changes.choose("language", wanted.language, by)
    if not named:
        changes.choose("note", wanted.note, by)
        changes.choose("camera", wanted.camera, by)
    live = service.live
    followed = live is not None and live.uri == wanted.camera
    if live is not None and followed:
        live.note = NoteSource(wanted.note, None)
    made: MadeTokens | None = None
    file = TokensFile(service.settings.log)
    if access.admin is None:
        made = make_tokens()
        changes.keep_tokens(file, made, by)
        access.admin = made.admin
    return DoneSetup(
        reading=None if made is None or access.token is not None else made.reading,
        admin=None if made is None else made.admin,
        tokens_file=None if made is None else str(file.path),
        starts_again=not (named or followed or (live is None and wanted.camera is None)),
    )
