"""What became of the box's bundle, rulebook or mode, as rows of the log: append-only and in its chain.

Such a row's `judgement` is {"update": {...}}. `begun` stands before anything is changed, and what came of it
after: one without the other is an update that was cut off, and the next judgement says by which bundle, rules
and mode it is.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ..bundle import Sha256
from ..factors import quote
from ..mode import Mode
from ..taxonomy import Frozen
from .chain import canonical

UPDATE = "update"


class Update(Frozen):
    """`before` and `after` are modes, or the sha256 of the manifests or rulebooks that judge.

    None where there is none to read. Of what was refused or undone, `after` is what was wanted; what judges
    is still `before`. `by`: whose token it was, None on the command line.
    """

    did: Literal["begun", "installed", "changed", "rolled_back", "refused", "undone"]
    what: Literal["bundle", "rules", "mode"] = "bundle"
    before: Sha256 | Mode | None
    after: Sha256 | Mode | None
    by: str | None = None
    why: str | None = None


def update_text(update: Update) -> str:
    """What its row holds."""
    return canonical({UPDATE: update.model_dump(mode="json", exclude_none=True)})


def update_words(given: Mapping[str, Any]) -> str:
    """One line that cannot steer a terminal."""
    before, after = (str(given.get(side, "none"))[:12] for side in ("before", "after"))
    what = given.get("what", "bundle")  # rows of before there was anything else
    by = f" by {quote(given['by'])}" if "by" in given else ""
    why = f": {quote(given['why'])}" if "why" in given else ""
    return f"{given['did']}, {what} {before} to {after}{by}{why}"
