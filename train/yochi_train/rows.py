"""One row of a records folder, as bytes -> a record or a picture, or what is wrong with it.

`RowFault` is the only way out for a bad row, and its text always reads "expected ..., got ...". A record has
note spans and no boxes; the boxes of a records folder stand in `pictures.jsonl` and are checked there.
"""

import json
from dataclasses import fields
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError
from yochi_runtime.record import MARKED, Record, RiskSpan
from yochi_runtime.taxonomy import Pack, Source

from .pictures import SHARES, Picture

SHOWN = 60  # characters of a value that a message shows
_PICTURE = TypeAdapter(Picture)
_PICTURE_KEYS = {field.name for field in fields(Picture)}
_SOURCES = {source.value for source in Source}


class Place(NamedTuple):
    """Where a row stands; `line` counts from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class RowFault(ValueError):
    """A row that cannot be used: "expected ..., got ..."."""


def record_row(line: bytes, pack: Pack, stem: str) -> Record:
    """The record in one line of `<stem>.jsonl`; RowFault names the first thing that is wrong with it."""
    row = read_object(line)
    try:
        record = Record.model_validate(row)
    except ValidationError as e:
        raise _fault_of(e) from e
    for slot in record.slots:
        if slot == "verdict":
            raise RowFault("expected the verdict outside of slots, got a slot 'verdict'")
        if slot not in pack.slot_index:
            raise _unknown_slot(slot, pack)
    for span in record.spans:
        _check_span(span, record, pack)
    if stem in SHARES and record.split != stem:  # the trainer goes by the file's name
        raise RowFault(f"expected split {stem!r} in {stem}.jsonl, got {record.split!r}")
    if record.verdict == "proceed":
        risk = next((s.id for s in pack.slots if s.category and record.slots.get(s.id) == 1), None)
        if risk:  # nothing lowers: a known risk is never "proceed"
            raise RowFault(f"expected verdict 'caution' or 'stop' with the risk {risk}, got 'proceed'")
    return record


def _check_span(span: RiskSpan, record: Record, pack: Pack) -> None:
    what = f"[{span.start}, {span.end}) for {_short(span.slot)}"
    if span.slot not in pack.slot_index:
        raise _unknown_slot(span.slot, pack)
    if pack.slots[pack.slot_index[span.slot]].source not in MARKED:
        raise RowFault(f"expected a span of {', '.join(MARKED)}, got {what}")
    if span.start == span.end:
        raise RowFault(f"expected a span of at least one character, got {what}")
    if not 0 <= span.start < span.end <= len(record.note):
        raise RowFault(f"expected a span inside the note's [0, {len(record.note)}), got {what}")
    if record.slots.get(span.slot) == 0:
        raise RowFault(f"expected no span for a slot that is 0, got {what}")


def picture_row(line: bytes, pack: Pack) -> Picture:
    """The picture in one line of pictures.jsonl; RowFault names the first thing that is wrong with it."""
    row = read_object(line)
    unknown = sorted(set(row) - _PICTURE_KEYS)
    if unknown:
        raise RowFault(f"expected no key {unknown[0]}, got one")
    try:
        picture = _PICTURE.validate_python(row)
    except ValidationError as e:
        raise _fault_of(e) from e
    cues = {cue.id for cue in pack.cue}
    for cue in (*picture.cues, *picture.by_eye, *picture.boxed, *(label for label, _ in picture.boxes)):
        if cue not in cues:
            raise RowFault(f"expected cues of pack.toml, got {_short(cue)}")
    for category in picture.texts:
        if category not in {text.category for text in pack.image_text}:
            raise RowFault(f"expected texts of pack.toml, got {_short(category)}")
    for label, (x0, y0, x1, y1) in picture.boxes:
        # Asked as `not <`, so that a NaN, which compares as false, is no good box.
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise RowFault(
                f"expected a box [x0, y0, x1, y1] in 0..1 with x0 < x1 and y0 < y1, "
                f"got [{x0:g}, {y0:g}, {x1:g}, {y1:g}] for {label}"
            )
    return picture


def read_object(line: bytes) -> dict[str, object]:
    """The JSON object in one line; RowFault where there is none."""
    try:
        row = json.loads(line.rstrip(b"\r\n").decode("utf-8"))
    except UnicodeDecodeError as e:
        raise RowFault(f"expected UTF-8, got the byte 0x{line[e.start]:02x} at byte {e.start + 1}") from e
    except json.JSONDecodeError as e:
        what = "an empty line" if not line.strip() else f"broken JSON at character {e.pos + 1} ({e.msg})"
        raise RowFault(f"expected a JSON object, got {what}") from e
    except (ValueError, RecursionError) as e:  # a number of thousands of digits, brackets nested too deep
        raise RowFault(f"expected a JSON object, got one that cannot be read ({e})") from e
    if not isinstance(row, dict):
        raise RowFault(f"expected a JSON object, got {_short(row)}")
    return row


def _fault_of(error: ValidationError) -> RowFault:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("missing", "missing_argument"):
        return RowFault(f"expected {where}, got nothing")
    if first["type"] == "extra_forbidden":
        return RowFault(f"expected no key {where}, got one")
    return RowFault(f"expected {where}: {first['msg']}, got {_short(first['input'])}")


def _unknown_slot(slot: str, pack: Pack) -> RowFault:
    source, _, category = slot.partition(":")
    if source in _SOURCES and category not in {c.id for c in pack.category}:
        return RowFault(f"expected a category of pack.toml, got {_short(category)} in slot {_short(slot)}")
    return RowFault(f"expected a slot of pack.toml, got {_short(slot)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
