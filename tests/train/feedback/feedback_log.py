"""A box's log with judgements that people spoke of, and its signed table."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yochi_runtime.audit.feedback import Feedback
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.judgement import CALL_SUPERVISOR, Coverage, Judgement, SlotResult
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_runtime.verdict import Verdict

NOTES = ("Note one", "Note two", "Fall three", "Fall four")


def judged(
    verdict: str, flagged: Sequence[str] = (), pack: Pack | None = None, verdict_slot: float = 0.9
) -> Judgement:
    """As the box would give it: every slot judged, the `flagged` ones and the verdict's above threshold."""
    slots = [s.id for s in (pack or load_pack()).slots]
    found = Verdict(verdict)
    results = tuple(
        SlotResult(
            id=name,
            coverage=Coverage.JUDGED,
            probability=verdict_slot if name == "verdict" or name in flagged else 0.1,
            threshold=0.5,
        )
        for name in slots
    )
    return Judgement(verdict=found, slots=results, advice=CALL_SUPERVISOR, language="en")


def write_log(path: Path, frames: Sequence[Frame]) -> Path:
    """Rows 1 to 4 judged, 5 to 8 what people say: row 1 right, 2 should stop, 3 wrong, 4 should proceed.

    The first two rows show one picture, the others one each.
    """
    with AuditLog(path, keep_frames=True) as log:
        log.record(judged("proceed"), NOTES[0], frames[0])
        log.record(judged("caution", ["cue:forklift", "cue:no_hard_hat"]), NOTES[1], frames[0])
        log.record(judged("stop", ["note_content:fall"]), NOTES[2], frames[1])
        log.record(judged("stop", ["note_content:fall", "cue:person"]), NOTES[3], frames[2])
        log.add_feedback(1, Feedback(says="right"))
        log.add_feedback(2, Feedback(says="correction", verdict="stop", comment="=he was under the load"))
        log.add_feedback(3, Feedback(says="wrong"))
        log.add_feedback(4, Feedback(says="correction", verdict="proceed"))
    return path


def frames_of(folder: Path) -> list[Frame]:
    return [read_frame(file) for file in sorted((folder / "images").iterdir())[:3]]


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def fill_in(table: Path, filled: Mapping[int, Mapping[str, Any]]) -> Path:
    """Saves the table again as a spreadsheet would, with these cells by row of the log."""
    rows = rows_of(table)
    for row in rows:
        row.update(filled.get(int(row["row"]), {}))
    with table.open("w", encoding="utf-8-sig", newline="") as text:
        out = csv.DictWriter(text, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return table


TAKEN = {
    1: {"take": "yes", "by": "Sato"},
    2: {"take": "Yes", "by": "Sato", "holds": "combination:load"},
    3: {"take": "no", "by": "Sato"},
    4: {"take": "yes", "by": "Ito"},
}
