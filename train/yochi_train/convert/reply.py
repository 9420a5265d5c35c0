"""What a model should answer to a record: the verdict with its reason, then what to do. Two sentences."""

from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Slot, Text
from yochi_runtime.verdict import Verdict
from yochi_runtime.wording import wording

_CALM = Text(
    en="no risk in the picture or the note. Go on as planned.",
    ja="画像にもメモにも危険なし。予定どおり進めること。",
)


def held(record: Record, pack: Pack) -> list[Slot]:
    """The risks that are known to hold, the serious ones first, in the pack's order."""
    slots = [s for s in pack.slots if s.category and record.slots.get(s.id) == 1]
    return sorted(slots, key=lambda s: pack.category_of(s.category or "").severity, reverse=True)


def reply(record: Record, pack: Pack) -> str:
    """In the record's language. ValueError where the verdict is unknown or not explained by a known risk."""
    risks = held(record, pack)
    if record.verdict is None or (record.verdict == "proceed") == bool(risks):
        raise ValueError(f"expected a verdict that the known risks explain, got {record.verdict}")
    head = wording(record.lang).verdicts[Verdict(record.verdict)]
    colon, stop = ("：", "。") if record.lang == "ja" else (": ", ". ")
    if not risks:
        return f"{head}{colon}{_CALM.of(record.lang)}"
    worst = pack.category_of(risks[0].category or "")
    return f"{head}{colon}{worst.name.of(record.lang)}{stop}{worst.advice.of(record.lang)}"
