"""Rows of the audit log for people: a line on the terminal, a table for a spreadsheet."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..factors import quote
from .chain import Row
from .feedback import FEEDBACK, feedback_words
from .keys import ROTATION, rotation_words
from .updates import UPDATE, update_words

TOMBSTONE = "tombstone"  # like the others the key of a row that is no judgement, its verdict here
_NO_JUDGEMENT = (TOMBSTONE, FEEDBACK, UPDATE, ROTATION)
_SPLIT = ("verdict", "reasons", "risks")  # out of the judgement, beside the row's own columns
# How a spreadsheet knows a formula (OWASP, CSV injection). A note is data and never runs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | float | None


def line(row: Row) -> str:
    """One line that cannot steer a terminal."""
    found = _judged(row)
    if found["verdict"] in _NO_JUDGEMENT:
        return f"{row.sequence:>6}  {row.time}  {found['verdict']:12}  {found['reasons']}"
    parts = [
        f"{row.sequence:>6}  {row.time}  {found['verdict']:12}",
        found["reasons"] or found["risks"] or "-",
    ]
    if row.missed:
        parts.append(f"({row.missed} before it not recorded)")
    parts.append("no note" if row.note is None else f'"{quote(row.note)}"')
    return "  ".join(parts)


def write_csv(rows: Iterable[Row], path: Path) -> int:
    """All `rows` in `path`, or no file at all; how many."""
    judged = ((row, _judged(row)) for row in rows)
    cells = ((*(found[key] for key in _SPLIT), *row) for row, found in judged)
    return write_table(path, (*_SPLIT, *Row._fields), cells)


def write_table(path: Path, header: Sequence[str], lines: Iterable[Sequence[Cell]]) -> int:
    """All `lines` in `path`, or no file at all; how many. With a byte-order mark, which Excel needs."""
    count, part = 0, path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as sink:
            table = csv.writer(sink)
            table.writerow(header)
            for line in lines:
                table.writerow([_cell(value) for value in line])
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _judged(row: Row) -> dict[str, str]:
    judgement: dict[str, Any] = json.loads(row.judgement)
    if TOMBSTONE in judgement:
        gone = judgement[TOMBSTONE]
        words = f"{len(gone['pictures'])} pictures last used before {quote(gone['before'])} deleted"
        return {"verdict": TOMBSTONE, "reasons": words, "risks": ""}
    if FEEDBACK in judgement:
        return {"verdict": FEEDBACK, "reasons": feedback_words(judgement[FEEDBACK]), "risks": ""}
    if ROTATION in judgement:
        return {"verdict": ROTATION, "reasons": rotation_words(judgement[ROTATION]), "risks": ""}
    if UPDATE in judgement:
        return {"verdict": UPDATE, "reasons": update_words(judgement[UPDATE]), "risks": ""}
    risks = (f"{factor['slot']} {factor['probability']:.2f}" for factor in judgement["factors"])
    return {
        "verdict": judgement["verdict"],
        "reasons": ", ".join(judgement["reasons"]),
        "risks": ", ".join(risks),
    }


def _cell(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
