"""A record: one picture, one note, and what is known to be true of the pair."""

from typing import Literal, NamedTuple

from pydantic import Field

from .taxonomy import Frozen, Source

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
