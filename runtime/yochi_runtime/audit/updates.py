"""What became of the box's bundle, rulebook, mode or set-up, as rows of the log: append-only, in its chain.

Such a row's `judgement` is {"update": {...}}. `begun` stands before anything is changed, and what came of it
after: one without the other is an update that was cut off, and the next judgement says by which bundle, rules
and mode it is.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ..factors import MAX_QUOTE, quote
from ..taxonomy import Frozen
from .chain import canonical

UPDATE = "update"


class Update(Frozen):
    """`before` and `after` are modes, the sha256 of the manifests or rulebooks that judge, or what was
    chosen at the first run: a camera by its name, a note, a language; of tokens only that they were made.

    None where there is none to read. Of what was refused or undone, `after` is what was wanted; what judges
    is still `before`. `by`: whose token it was, None on the command line.
    """

    did: Literal["begun", "installed", "changed", "rolled_back", "refused", "undone"]
    what: Literal["bundle", "rules", "mode", "camera", "note", "language", "tokens"] = "bundle"
    before: str | None
    after: str | None
    by: str | None = None
    why: str | None = None


def update_text(update: Update) -> str:
    """What its row holds."""
    return canonical({UPDATE: update.model_dump(mode="json", exclude_none=True)})


def update_words(given: Mapping[str, Any]) -> str:
    """One line that cannot steer a terminal."""
    what = given.get("what", "bundle")  # rows of before there was anything else
    length = 12 if what in ("bundle", "rules", "mode") else MAX_QUOTE
    before, after = (quote(str(given.get(side, "none"))[:length], length) for side in ("before", "after"))
    by = f" by {quote(given['by'])}" if "by" in given else ""
    why = f": {quote(given['why'])}" if "why" in given else ""
    return f"{given['did']}, {what} {before} to {after}{by}{why}"
