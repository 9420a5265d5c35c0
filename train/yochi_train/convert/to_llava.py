"""`yochi-train records to-llava`: records in the form of DREAM's published training data.

A note's risk is quoted where the record marks the clause that carries it, or the note has only one; elsewhere
the quote stays empty: DREAM's published quotes are mostly the whole instruction, which says no more and looks
as if it did. A record whose verdict is unknown, or is not the one that its known risks make, has no reply to
learn from: it is left out and counted.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError
from yochi_runtime.evidence import clauses
from yochi_runtime.record import MARKED, Record
from yochi_runtime.taxonomy import Pack, Slot

from ..response import held, known_factors, respond
from .folder import Folder
from .llava_defects import risks
from .llava_form import IMAGE_MARK, SOURCE_NAMES
from .written import written


def to_llava(path: Path, out: Path) -> str:
    """Every record of `path` with a known verdict into the JSON array `out`; a line for the screen."""
    folder = Folder(path)
    if not out.parent.is_dir():
        raise UsageError(f"expected a folder for {out}, found none; make it first")
    counts: Counter[str] = Counter()
    with written(out) as lines:
        lines.write("[")
        for record in folder.records("conversations"):
            item = conversation(record, folder.pack)
            if item is None:
                counts["unknown" if record.verdict is None else "unexplained"] += 1
                continue
            lines.write(",\n" if counts["written"] else "\n")
            lines.write(json.dumps(item, ensure_ascii=False))
            counts["written"] += 1
        lines.write("\n]\n")
    return (
        f"{counts['written']} conversations: {out}; left out: {counts['unknown']} with an unknown verdict, "
        f"{counts['unexplained']} whose known risks make another"
    )


def conversation(record: Record, pack: Pack) -> dict[str, Any] | None:
    """One item of the file; None for a record that has no reply."""
    said = respond(record.verdict, known_factors(record.slots, pack), pack)
    if said is None:
        return None
    safe = record.verdict == "proceed"
    return {
        "id": record.id,
        "image": record.image,
        "safe": safe,
        "conversations": [
            {"from": "human", "value": f"{IMAGE_MARK}\n{record.note}", "safe": safe},
            {
                "from": "gpt",
                "value": said.of(record.lang),
                "observe": [_observed(slot, record, pack) for slot in held(record.slots, pack)],
                "verdict": record.verdict,
                "open": [slot.id for slot in risks(pack) if slot.id not in record.slots],
            },
        ],
    }


def _observed(slot: Slot, record: Record, pack: Pack) -> dict[str, str]:
    row = {
        "malicious_content": _quote(slot, record, pack),
        "source": SOURCE_NAMES[slot.source] if slot.source else "",
        "risk_category": slot.category or "",
    }
    return row | ({"cue": slot.cue} if slot.cue else {})


def _quote(slot: Slot, record: Record, pack: Pack) -> str:
    if slot.cue:
        return next(cue.name.of(record.lang) for cue in pack.cue if cue.id == slot.cue)
    if slot.source not in MARKED:
        return ""
    marked = [(start, end) for start, end, carried in record.spans if carried == slot.id]
    parts = marked or clauses(record.note)
    return record.note[slice(*parts[0])] if marked or len(parts) == 1 else ""
