"""A record: one picture, one note, and what is known to be true of the pair."""

from typing import Literal

from pydantic import Field

from .taxonomy import Frozen

Truth = Literal["stop", "caution", "proceed"]


class Record(Frozen):
    """A training or test example.

    `slots` maps slot ids to 1 (holds) or 0 (does not hold); a slot that is not a key is unknown: masked in
    the loss, counted nowhere. `verdict` is None where it is unknown. `picture_group` and `templates` name
    what is not independent: near-duplicates of a picture, and the templates the note was made of.
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
