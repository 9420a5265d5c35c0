"""A record: one picture, one note, and what is known to be true of the pair."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from .errors import UsageError
from .taxonomy import Frozen, Slot, Source

SIGN_LINES = " / "  # between the lines of text that are read in one picture
Truth = Literal["stop", "caution", "proceed"]
MARKED = (Source.NOTE_INSTRUCTION, Source.NOTE_CONTENT, Source.COMBINATION)  # what characters of a note carry


class RiskSpan(NamedTuple):
    """Characters [start, end) of a note, in Unicode code points, that carry the risk `slot`.

    The slot's source says how: `note_instruction` asks for it, `note_content` reports it, and `combination`
    asks for what is dangerous only with something in the picture.
    """

    start: int
    end: int
    slot: str


class Record(Frozen):
    """A training or test example.

    `slots` maps slot ids to 1 (holds) or 0 (does not hold); a slot that is not a key is unknown: masked in
    the loss, counted nowhere. `verdict` is None where it is unknown. `picture_group` and `templates` name
    what is not independent: near-duplicates of a picture, and the templates the note was made of.

    `sign` are the words that a reader of signs found in the picture, as it would give them (lines apart by
    SIGN_LINES, with its slips); "" where it found none, None where nobody looked.

    `spans` mark the characters of the note that carry a risk, of slots that are not known to be 0; empty
    where nobody marked them. The training loss does not use them: they are for whoever observes or explains.
    """

    id: str = Field(min_length=1)
    image: str
    note: str = Field(min_length=1)
    lang: Literal["en", "ja"]
    kind: Literal["risk", "harmless", "combination", "narrative"]
    slots: dict[str, Literal[0, 1]]
    verdict: Truth | None
    picture_group: int
    templates: tuple[str, ...] = Field(min_length=1)
    split: Literal["train", "val", "test"]
    spans: tuple[RiskSpan, ...] = ()
    # Left out where there is none, so that records of before are written as they were.
    sign: str | None = Field(default=None, exclude_if=lambda sign: sign is None)

    def known(self, slot: Slot) -> int:
        """1, 0 or -1 unknown. What words in the picture say is unknown to whoever has not read them."""
        if slot.source is Source.IMAGE_TEXT and self.sign is None:
            return -1
        return self.slots.get(slot.id, -1)


def read_records(file: Path) -> list[Record]:
    """Every record of `file`; a bad line is an error with its number."""
    return list(iterate_records(file))


def iterate_records(file: Path) -> Iterator[Record]:
    """The records of `file` one by one, however large it is."""
    if not file.is_file():
        raise UsageError(f"expected {file}, found none; run: yochi-train records photos")
    # Bytes: only a line feed ends a row, while splitlines() would also cut a note at U+2028 or U+0085.
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield Record.model_validate(json.loads(line))
            except ValueError as e:
                raise UsageError(f"{file}:{number}: {str(e).splitlines()[0]}") from e
