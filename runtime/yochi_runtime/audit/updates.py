"""What became of the box's bundle, as rows of the log: append-only and in its chain.

Such a row's `judgement` is {"update": {...}}. `begun` stands before anything is changed, and what came of it
after: one without the other is an update that was cut off, and the next judgement says by which bundle it is.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ..bundle import Sha256
from ..factors import quote
from ..taxonomy import Frozen
from .chain import canonical

UPDATE = "update"


class Update(Frozen):
    """`before` and `after` are the sha256 of the manifests that judge, None where there is none to read.

    Of what was refused, `after` is its manifest; what judges is still `before`.
    """

    did: Literal["begun", "installed", "rolled_back", "refused"]
    before: Sha256 | None
    after: Sha256 | None
    why: str | None = None


def update_text(update: Update) -> str:
    """What its row holds."""
    return canonical({UPDATE: update.model_dump(exclude_none=True)})


def update_words(given: Mapping[str, Any]) -> str:
    """One line that cannot steer a terminal."""
    before, after = (str(given.get(side, "none"))[:12] for side in ("before", "after"))
    why = f": {quote(given['why'])}" if "why" in given else ""
    return f"{given['did']}, {before} to {after}{why}"
