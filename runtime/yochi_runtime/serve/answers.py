"""What routes have in common for OpenAPI: the number of a row, and the body of an answer that refuses."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel

MAX_ROW = 2**63 - 1  # what SQLite counts to
Number = Annotated[int, Path(ge=1, le=MAX_ROW)]


class Detail(BaseModel):
    """One line: what was expected, what came, what to do."""

    detail: str


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Detail} for status in statuses}
