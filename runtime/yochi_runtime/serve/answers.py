"""What routes have in common: the number of a row, answers that refuse, and work on the desk's thread."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Path
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ..errors import CannotJudge, UsageError
from .service import Service

T = TypeVar("T")

MAX_ROW = 2**63 - 1  # what SQLite counts to
Number = Annotated[int, Path(ge=1, le=MAX_ROW)]


class Detail(BaseModel):
    """One line: what was expected, what came, what to do."""

    detail: str


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Detail} for status in statuses}


async def of_desk(service: Service, work: Callable[[], T], until: float | None = None) -> T:
    """What `work` gives on the desk's thread, at the latest at `until` (time.monotonic(); None: whenever).

    HTTPException 409 where it is refused, 503 where it cannot be done, is late, or the service ends.
    """
    waiting = service.desk.run(work)
    seconds = None if until is None else until - time.monotonic()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(waiting), seconds)
    except UsageError as e:
        raise HTTPException(409, str(e)) from e
    except CannotJudge as e:
        raise HTTPException(503, str(e)) from e
    except TimeoutError as e:
        limit = service.settings.deadline
        raise HTTPException(503, f"expected an answer within {limit:g} s, got none; try again") from e
    except asyncio.CancelledError as e:
        if not waiting.cancelled() or service.desk.alive:
            raise  # it is this request that was cancelled
        raise HTTPException(503, "expected an answer, the service is ending; try again") from e
