"""The auditor's routes: search, one judgement whole, its picture, the chain, judging again, the table.

All of it reads; nothing here changes log, pictures or settings, so the rights are those of reading.
"""

import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from ..audit import verifier
from ..audit.chain import Broken, Row, row_at, rows
from ..audit.pictures import PictureStore
from ..audit.report import FIRST, parse_time
from ..audit.search import Hit, Wanted, parsed, said_of, search, tombstone_of
from ..audit.table import write_csv
from ..errors import CannotJudge, UsageError
from ..image import decode_frame
from ..judgement import Judgement
from ..replay import replay_with
from .answers import MAX_ROW, Number, described, of_desk
from .audit_given import Found, FoundRows, Replayed, Said, Verified, WholeEntry
from .picture import as_jpeg
from .seats import Seats
from .service import Service

Part = Annotated[str | None, Query(max_length=200)]


def audit_routes(service: Service) -> APIRouter:
    """What `yochi audit` and `yochi replay` do, for the page at /audit."""
    routes = APIRouter(prefix="/v1/audit", tags=["audit"])
    _rows(routes, service.settings.log)
    _passes(routes, service)
    return routes


def _rows(routes: APIRouter, log: Path) -> None:
    """Single rows: found, shown, their pictures."""

    @routes.get("/search", responses=described(422))
    def find(
        verdict: Part = None,
        camera: Part = None,
        zone: Part = None,
        factor: Part = None,
        text: Part = None,
        since: Part = None,
        until: Part = None,
        before: Annotated[int | None, Query(ge=1, le=MAX_ROW)] = None,
    ) -> FoundRows:
        """Judgements that fit, the newest first; one answer looks through a few thousand rows."""
        wanted = Wanted(verdict, camera, zone, factor, text, _time(since), _time(until))
        if not log.exists():  # the first judgement makes it
            return FoundRows(found=(), before=None, read=0)
        hits = search(log, wanted, before)
        return FoundRows(found=tuple(map(_found, hits.hits)), before=hits.before, read=hits.read)

    @routes.get("/rows/{number}", responses=described(404))
    def one(number: Number) -> WholeEntry:
        """One judgement with its hash, what people said of it, and what became of its picture."""
        row, judgement = _judgement(log, number)
        name = judgement.identities.picture
        deleted = None if name is None else tombstone_of(log, row, name)
        return WholeEntry(
            id=row.sequence,
            time=row.time,
            note=row.note,
            missed=row.missed,
            judgement=judgement,
            hash=row.hash,
            previous=row.previous,
            feedback=tuple(_said(held) for held in said_of(log, row)),
            picture=_state(log, name, deleted),
            deleted_in=deleted,
        )

    @routes.get("/rows/{number}/picture", response_class=Response, responses=described(404))
    def picture(number: Number) -> Response:
        """The kept picture of a judgement; 404 where there is none."""
        _, judgement = _judgement(log, number)
        store, name = PictureStore(log), judgement.identities.picture
        if name is None or not store.path(name).is_file():
            raise HTTPException(404, f"expected a picture kept with row {number}, there is none")
        try:
            return as_jpeg(decode_frame(store.read(name)))
        except (OSError, CannotJudge) as e:
            raise HTTPException(503, f"expected to read the picture of row {number}, got: {e}") from e


def _passes(routes: APIRouter, service: Service) -> None:
    """What takes a while: the whole log, or a judgement."""
    log, passes = service.settings.log, Seats(1, "passes over the whole log")

    @routes.post("/verify", responses=described(429))
    async def verify() -> Verified:
        """Every row, the chain that binds them, and the kept pictures: what `yochi audit verify` says."""
        with passes.take():
            return await run_in_threadpool(_verified, log)

    @routes.post("/rows/{number}/replay", responses=described(404, 409, 429, 503))
    async def again(number: Number) -> Replayed:
        """Judge it again, as `yochi replay` does, by the bundle and rules in use. It leaves no row."""
        await run_in_threadpool(_judgement, log, number)  # 404 before it waits
        until = time.monotonic() + service.settings.deadline
        with service.seats.take():
            return await of_desk(service, lambda: _replayed(service, number), until)

    @routes.get("/export.csv", response_class=FileResponse, responses=described(429, 503))
    async def export() -> Response:
        """The whole log, checked, as the table that `yochi audit export` writes."""
        folder = tempfile.TemporaryDirectory(prefix="yochi-export-")
        file = Path(folder.name) / "audit.csv"
        try:
            with passes.take():
                await run_in_threadpool(write_csv, rows(log) if log.exists() else (), file)
        except OSError as e:
            folder.cleanup()
            raise HTTPException(503, f"expected room for the table, got: {e.strerror or e}") from e
        except BaseException:
            folder.cleanup()
            raise
        after = BackgroundTask(folder.cleanup)
        return FileResponse(file, media_type="text/csv", filename="audit.csv", background=after)


def _replayed(service: Service, number: int) -> Replayed:
    rules = service.settings.rules
    with service.desk.judge() as judge:
        found = replay_with(service.settings.log, number, judge, None if rules is None else rules.rules)
    same = not found.differences
    return Replayed(
        identical=same and not found.blurred, within_blur=same and found.blurred, said=found.text()
    )


def _verified(log: Path) -> Verified:
    if not log.exists():
        return Verified(whole=True, said="0 rows: nothing was judged yet")
    try:
        return Verified(whole=True, said=verifier.verify(log))
    except Broken as e:
        return Verified(whole=False, said=str(e))
    except UsageError as e:
        raise HTTPException(503, str(e)) from e


def _judgement(log: Path, number: int) -> tuple[Row, Judgement]:
    """404 where there is no such row, or one that is no judgement that this Yochi knows."""
    try:
        if not log.exists():
            raise UsageError(f"expected a row of the log, got {number}, nothing was judged yet")
        row = row_at(log, number)
        if "verdict" not in parsed(row):
            raise UsageError(f"expected a judgement, row {number} is something else; give another row")
        return row, Judgement.model_validate_json(row.judgement)
    except UsageError as e:
        raise HTTPException(404, str(e)) from e
    except ValueError as e:
        said = f"expected a judgement that this Yochi knows, row {number} holds another; give another row"
        raise HTTPException(404, said) from e


def _found(hit: Hit) -> Found:
    held, ruling = hit.held, hit.held.get("rules") or {}
    return Found(
        id=hit.row.sequence,
        time=hit.row.time,
        note=hit.row.note,
        verdict=held["verdict"],
        reasons=tuple(held["reasons"]),
        factors=tuple(factor["slot"] for factor in held["factors"]),
        camera=held.get("camera"),
        zone=ruling.get("zone"),
        mode=held.get("mode"),
        said=None if hit.said is None else hit.said["says"],
    )


def _said(held: dict[str, object]) -> Said:
    return Said.model_validate({key: value for key, value in held.items() if key not in ("row", "hash")})


def _state(
    log: Path, name: str | None, deleted: int | None
) -> Literal["kept", "not_kept", "deleted", "missing"]:
    if name is None:
        return "not_kept"
    if PictureStore(log).path(name).is_file():
        return "kept"
    return "missing" if deleted is None else "deleted"


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text, FIRST)
    except UsageError as e:
        raise HTTPException(422, str(e)) from e
