"""Where a factor shows: a box from the cue scores of the 7 x 7 cells, and the note's clause that carries it.

The box is the connected patch of cells (4-neighbourhood) around the strongest one that score at least half
of it. The clause is the one whose removal lowers the slot most: occlusion (Zeiler & Fergus 2014,
arXiv 1311.2901) on clauses instead of pixels. Removal is measured on the margin logit(yes) - logit(no): it
orders like the probability and does not saturate.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .image import GRID
from .judgement import NoteSpan

FLOOR = 0.05  # a cell below this shows nothing, however weak the others are
MAX_CLAUSES = 6  # each costs one more reading of the note
Box = tuple[float, float, float, float]

# Stops that end a clause. Points, commas and colons between ASCII letters or digits (2.5, 10:30) do not.
_STOP = re.compile(
    r"[、。，．,;:；：.!?！？｡､…\n\r\u2028\u2029]+(?<![0-9A-Za-z０-９][.,:．，：](?=[0-9A-Za-z０-９]))"
)
_JOIN = re.compile(r"\s+(?:and\s+then|and|then|but|while)\s+", re.IGNORECASE)


class Clause(NamedTuple):
    """Characters [start, end) of the raw note, without the stops and spaces around them."""

    start: int
    end: int


def cue_box(cells: NDArray[np.float32]) -> Box | None:
    """[x0, y0, x1, y1] in 0..1 from one cue's (49,) scores, row by row; None where no cell reaches FLOOR."""
    grid = cells.reshape(GRID, GRID)
    row, column = (int(i) for i in np.unravel_index(int(grid.argmax()), grid.shape))
    strong = grid >= max(0.5 * float(grid[row, column]), FLOOR)
    if not strong[row, column]:
        return None
    patch = _connected(strong, row, column)
    rows, columns = [r for r, _ in patch], [c for _, c in patch]
    return min(columns) / GRID, min(rows) / GRID, (max(columns) + 1) / GRID, (max(rows) + 1) / GRID


def _connected(strong: NDArray[np.bool_], row: int, column: int) -> set[tuple[int, int]]:
    patch, edge = {(row, column)}, [(row, column)]
    while edge:
        r, c = edge.pop()
        for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
            inside = 0 <= near[0] < GRID and 0 <= near[1] < GRID
            if inside and strong[near] and near not in patch:
                patch.add(near)
                edge.append(near)
    return patch


def clauses(raw: str) -> tuple[Clause, ...]:
    """The note's clauses in order, at most MAX_CLAUSES: the shortest neighbours are taken together."""
    found = [part for piece in _pieces(raw, 0, len(raw), _STOP) for part in _joined(raw, piece)]
    while len(found) > MAX_CLAUSES:
        lengths = [b.end - a.start for a, b in pairwise(found)]
        i = lengths.index(min(lengths))
        found[i : i + 2] = [Clause(found[i].start, found[i + 1].end)]
    return tuple(found)


def _pieces(raw: str, start: int, end: int, between: re.Pattern[str]) -> list[Clause]:
    """What stands between the separators, trimmed; pieces without a letter or digit are nobody's clause."""
    cuts = [(m.start(), m.end()) for m in between.finditer(raw, start, end)]
    starts, ends = [start, *(e for _, e in cuts)], [*(s for s, _ in cuts), end]
    return [_trim(raw, s, e) for s, e in zip(starts, ends, strict=True) if any(map(str.isalnum, raw[s:e]))]


def _joined(raw: str, piece: Clause) -> list[Clause]:
    """Split at conjunctions, but not "gloves and goggles": each side needs two words."""
    parts = _pieces(raw, piece.start, piece.end, _JOIN)
    return parts if all(len(raw[p.start : p.end].split()) > 1 for p in parts) else [piece]


def _trim(raw: str, start: int, end: int) -> Clause:
    text = raw[start:end]
    return Clause(start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip())))


def without(raw: str, parts: Sequence[Clause], i: int) -> str:
    """The note without clause `i` and the separator that tied it to the rest."""
    if i + 1 < len(parts):
        return raw[: parts[i].start] + raw[parts[i + 1].start :]
    return raw[: parts[i - 1].end] + raw[parts[i].end :]


def note_spans(
    raw: str,
    slots: Sequence[int],
    whole: NDArray[np.float64],
    margins: Callable[[str], NDArray[np.float64] | None],
) -> dict[int, NoteSpan]:
    """A span of `raw` for each of `slots` (indices into the margins).

    `whole` are the margins of the whole note; `margins` reads a shortened one, or gives None where what is
    left cannot be read. One clause, or no clause whose removal lowers the slot: the whole note.
    """
    parts = clauses(raw)
    if not slots:
        return {}
    if len(parts) < 2:
        return dict.fromkeys(slots, _span(raw, _trim(raw, 0, len(raw))))
    readings = [margins(without(raw, parts, i)) for i in range(len(parts))]
    drops = np.array([np.zeros_like(whole) if reading is None else whole - reading for reading in readings])
    return {slot: _heaviest(raw, parts, drops[:, slot]) for slot in slots}


def _heaviest(raw: str, parts: Sequence[Clause], drops: NDArray[np.float64]) -> NoteSpan:
    best = int(drops.argmax())
    return _span(raw, parts[best] if drops[best] > 0 else _trim(raw, 0, len(raw)))


def _span(raw: str, clause: Clause) -> NoteSpan:
    # A lone surrogate (bytes that were no UTF-8) cannot be written as JSON; "?" keeps the count.
    text = raw[clause.start : clause.end].encode("utf-8", "replace").decode("utf-8")
    return NoteSpan(start=clause.start, end=clause.end, text=text)
