"""The routes that change what judges. Each asks for the second token, before anything else is looked at."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from ..audit.updates import Update
from ..errors import CannotJudge, UsageError
from .access import ADMIN_HEADER
from .answers import described, of_desk
from .given import WantedMode
from .intake import read_json
from .seats import Seats
from .service import Service

_TOKEN = APIKeyHeader(name=ADMIN_HEADER, auto_error=False, description="The second token, for changes.")
_MODE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": WantedMode.model_json_schema()}},
    }
}


def change_routes(service: Service) -> APIRouter:
    """Mode, rulebook, bundle. They answer with the row that was written."""

    def allowed(token: Annotated[str | None, Depends(_TOKEN)]) -> None:
        refused = service.settings.access.change_refusal(token)
        if refused is not None:
            raise HTTPException(403, refused)

    routes = APIRouter(
        prefix="/v1",
        tags=["changes"],
        dependencies=[Depends(allowed)],
        responses=described(403, 409, 429, 503),
    )
    changes, one = service.changes, Seats(1, "changes")

    @routes.put("/mode", openapi_extra=_MODE, responses=described(408, 413, 422))
    async def mode(request: Request) -> Update:
        """What judgements reach from now on; `enforce` only with a proved bundle."""
        wanted = (await read_json(request, WantedMode)).mode
        with one.take():
            return await of_desk(service, lambda: changes.change_mode(wanted, service.live))

    @routes.post("/rules/rollback")
    async def rules() -> Update:
        """The rulebook that was in force before judges, until the rulebook's file is changed."""
        with one.take():
            return await of_desk(service, changes.roll_back_rules)

    @routes.post("/bundle/rollback")
    async def bundle() -> Update:
        """The bundle before the installed one judges, once it has judged the built-in picture; takes a while.

        Where it fails, the one that judges now goes on.
        """
        with one.take():
            try:
                return await run_in_threadpool(changes.roll_back_bundle)
            except UsageError as e:
                raise HTTPException(409, str(e)) from e
            except CannotJudge as e:
                raise HTTPException(503, str(e)) from e

    return routes
