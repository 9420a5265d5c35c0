"""What a person looks at in a run's report: the worst mistakes on held-out records, and some drawn answers.

A slot's margin is how far its probability stands above its threshold, in log-odds. The worst miss is the one
whose true risks stand lowest, the worst false alarm the one of which some risk stands highest.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from yochi_runtime.record import Record
from yochi_runtime.verdict import Verdict

from ..thresholds import CAUTION, STOP, UNFITTED, Validation
from .preference import Answer, Preference

MISTAKES = 6  # of each kind, one a picture
ANSWERS = 4  # pairs of a round
SAFE = Verdict.PROCEED.value
_CERTAIN = 1e-6  # nearer to 0 or 1 than this is as good as there: a margin stays a number

Kind = Literal["miss", "false alarm"]


@dataclass(frozen=True)
class Mistake:
    """`slot`: the true risk that came nearest to its threshold, or the one that was most above it; one of the
    verdict's own where no judged risk is known to hold. `probability`, `threshold` 0..1 and its `margin`."""

    kind: Kind
    id: str
    image: str
    note: str
    lang: str
    truth: str
    shown: str
    slot: str
    probability: float
    threshold: float
    margin: float


def worst_mistakes(
    records: Sequence[Record], data: Validation, values: Mapping[str, float], verdicts: Sequence[str]
) -> tuple[Mistake, ...]:
    """At most MISTAKES misses, then as many false alarms, the worst first; `verdicts` those of `values`."""
    found = [
        _mistake(row, record, data, values, shown)
        for row, (record, shown) in enumerate(zip(records, verdicts, strict=True))
        if record.verdict is not None and (record.verdict == SAFE) != (shown == SAFE)
    ]
    misses = sorted((one for one in found if one.kind == "miss"), key=lambda one: one.margin)
    alarms = sorted((one for one in found if one.kind == "false alarm"), key=lambda one: -one.margin)
    return (*_one_a_picture(misses), *_one_a_picture(alarms))


def _mistake(row: int, record: Record, data: Validation, values: Mapping[str, float], shown: str) -> Mistake:
    missed = shown == SAFE
    asked = [
        (slot.id, float(data.probability[row, i]), values.get(str(slot.source), UNFITTED))
        for i, slot in enumerate(data.slots)
        if slot.category is not None
        and not math.isnan(data.probability[row, i])
        and (not missed or data.truth[row, i] == 1)
    ]
    if not missed or not asked:  # the verdict slot may have said it alone
        asked += [
            (name, float(said[row]), values[name])
            for name, said in ((CAUTION, data.caution), (STOP, data.stop))
        ]
    slot, probability, threshold = max(asked, key=lambda one: _log_odds(one[1]) - _log_odds(one[2]))
    return Mistake(
        kind="miss" if missed else "false alarm",
        id=record.id,
        image=record.image,
        note=record.note,
        lang=record.lang,
        truth=str(record.verdict),
        shown=str(shown),
        slot=slot,
        probability=probability,
        threshold=threshold,
        margin=_log_odds(probability) - _log_odds(threshold),
    )


def _log_odds(p: float) -> float:
    kept = min(max(p, _CERTAIN), 1 - _CERTAIN)
    return math.log(kept / (1 - kept))


def _one_a_picture(mistakes: Sequence[Mistake]) -> list[Mistake]:
    first: dict[str, Mistake] = {}
    for one in mistakes:
        first.setdefault(one.image, one)
    return list(first.values())[:MISTAKES]


def sampled_answers(pairs: Sequence[Preference], records: Sequence[Record]) -> list[dict[str, Any]]:
    """At most ANSWERS of a round's pairs, spread evenly over it, with what they answer."""
    count = min(ANSWERS, len(pairs))
    return [
        {
            "note": records[pair.record].note,
            "image": records[pair.record].image,
            "lang": records[pair.record].lang,
            "truth": records[pair.record].verdict,
            **{name: _answer(getattr(pair, name)) for name in ("best", "worst")},
        }
        for pair in (pairs[i * len(pairs) // count] for i in range(count))
    ]


def _answer(answer: Answer) -> dict[str, Any]:
    kept: dict[str, Any] = answer.model_dump(
        mode="json", include={"said", "shown", "gs", "os", "told", "score", "text"}
    )
    return kept
