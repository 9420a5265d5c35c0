"""What whoever stands before the camera gets of a judgement: all of it, and in shadow that it was recorded.

The log has it whatever the mode; it is read with `yochi audit`, or under /v1/judgements.
"""

from .judgement import Judgement
from .mode import Mode
from .taxonomy import Frozen


class Recorded(Frozen):
    """In shadow. `row` is the log's, None where the row could not be written: `fault` then says why."""

    mode: Mode
    row: int | None
    fault: str | None = None


def shown(judgement: Judgement, row: int | None) -> Judgement | Recorded:
    """`row` is the judgement's in the log, None where it has none."""
    if judgement.mode is not Mode.SHADOW:
        return judgement
    return Recorded(mode=judgement.mode, row=row, fault=judgement.message if row is None else None)
