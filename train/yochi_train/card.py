"""The data card of a records folder: what it was made of, by whom it was labelled, what was left out.

`card.json` is written last: a folder of `records photos` that has one is whole.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack

from .narratives import NARRATIVE_FILTERS, Narratives
from .pictures import Photo, Picture, Split
from .stats import Counts

CARD = "card.json"
GROUND_TRUTH = "truth"  # as in `records observe --teacher truth`: boxes, checks by eye, scenes, the grammar


def data_card(
    pictures: Sequence[Picture],
    records: Mapping[Split, Counts],
    filters: Mapping[str, int],
    pack: str,
    seed: int,
) -> dict[str, object]:
    """As JSON data; `pack` is the sha256 of the pack's text."""
    return {
        "pack": pack,
        "seed": seed,
        "teacher": GROUND_TRUTH,
        "pictures": dict(Counter(f"{p.split} {p.set}" for p in pictures)),
        "near_duplicate_groups": len({p.group for p in pictures}),
        "checked_by_eye": dict(Counter(p.checked for p in pictures if p.checked and not p.pair)),
        "known_by_construction": dict(Counter(p.checked for p in pictures if p.pair)),
        "sources": dict(Counter(f"{p.source} ({p.licence})" for p in pictures)),
        "filters": dict(filters),
        "records": {split: counts.as_json() for split, counts in records.items()},
    }


def left_out(
    photos: Sequence[Photo], pictures: Sequence[Picture], told: Narratives | None, pack: Pack
) -> dict[str, int]:
    """What photos and narratives say and the records do not use, by why; what never occurs is there with 0.

    A label becomes unknown where eyes saw what the set did not box, or the set is known to leave it out.
    """
    cues = {cue.id for cue in pack.cue}
    reported = {category.id for category in pack.category if category.note_content}
    used, why = told or Narratives([], Counter())
    return {
        "boxes of cues outside the pack": sum(b.label not in cues for p in photos for b in p.boxes),
        "labels that became unknown": sum(
            label in cues and label not in picture.cues
            for photo, picture in zip(photos, pictures, strict=True)
            for label in photo.labelled
        ),
        **{name: why[name] for name in NARRATIVE_FILTERS},
        "narratives of categories outside the pack": sum(n.category not in reported for n in used),
    }


def read_card(folder: Path) -> dict[str, object] | None:
    """The card of `folder`, None where it has none; UsageError where it is no card."""
    file = folder / CARD
    if not file.is_file():
        return None
    try:
        card = json.loads(file.read_text("utf-8"))
    except ValueError as e:
        raise UsageError(f"expected a data card (JSON) at {file}, got {e}; make the records again") from e
    if not isinstance(card, dict):
        raise UsageError(f"expected a data card (a JSON object) at {file}, got a {type(card).__name__}")
    return card
