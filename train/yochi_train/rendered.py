"""What is known of a rendered picture beyond its boxes, because it was made. No pack is asked here."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel


class SwitchedOn(BaseModel):
    """A hazard that the scene has. `slot` is the one that it stands for, whichever packs have it.

    `seen` as in `scenes/truth.py`: None where it is half seen, False where it is out of sight.
    """

    slot: str
    category: str
    seen: bool | None


class Rendered(BaseModel):
    """`scene` names what pictures of one split share; two of the same `pair` differ in one hazard.

    `switched` is the slot of that hazard. `texts` are the categories of words in the picture with a known
    truth: 1 read, 0 absent. Of the cues in `half_seen` more is there than the boxes say.
    """

    scene: str
    pair: str
    switched: str
    hazards: list[SwitchedOn]
    texts: dict[str, Literal[0, 1]]
    half_seen: list[str]

    @property
    def verdict(self) -> Literal["safe", "not_safe", "unsure"]:
        """Safe by construction where no hazard is on; not safe where one is seen; else nobody can say."""
        if not self.hazards:
            return "safe"
        return "not_safe" if any(hazard.seen for hazard in self.hazards) else "unsure"

    def unsaid(self, slots: Mapping[str, int]) -> tuple[str, ...]:
        """Categories of hazards that are there while no slot says so: out of sight, or not in the pack."""
        return tuple(sorted({h.category for h in self.hazards if slots.get(h.slot) != 1}))
