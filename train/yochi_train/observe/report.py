"""What came of a run, in numbers: OUT/report.json."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, get_args

from yochi_runtime.errors import UsageError

from .answers import DefectKind
from .filters import Filter
from .log import LoggedAnswer
from .procedure import ObservedPair


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    completion: float


def read_price(words: str) -> Price:
    """From "2.5,10"; UsageError where it is not two prices."""
    try:
        prompt, completion = (float(word) for word in words.split(","))
    except ValueError:
        prompt = completion = -1.0
    if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
        raise UsageError(f'expected --price as two numbers such as "2.5,10", got {words!r}')
    return Price(prompt, completion)


@dataclass
class Tally:
    """Counts over the observed pairs; a filter that found nothing is there with 0."""

    pairs: int = 0
    unanswered: list[str] = field(default_factory=list)
    filters: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys((*get_args(Filter), *get_args(DefectKind)), 0))
    )
    dropped: Counter[str] = field(
        default_factory=lambda: Counter({"unconfirmed": 0, "explained_apart": 0, "repeated": 0})
    )
    kept: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, pair: ObservedPair) -> None:
        self.pairs += 1
        self.verdicts[str(pair.verdict)] += 1
        self.kept.update(
            f"{kept.observation.source} x {kept.observation.category}" for kept in pair.observations
        )
        self.filters.update(defect.why for defect in pair.defects)
        for drop in pair.dropped:
            (self.dropped if drop.why in self.dropped else self.filters)[drop.why] += 1


def report(
    tally: Tally, answers: Iterable[LoggedAnswer], identity: dict[str, str], price: Price | None
) -> dict[str, Any]:
    """The report as JSON data; free of times and of the answers' order, so that an interrupted run and one
    with several workers give the same.

    Tokens are those of all answers in the log. `cost_usd` is None without a price, or where an answer came
    without its counts.
    """
    rows = list(answers)
    counted = [r for r in rows if r.prompt_tokens is not None and r.completion_tokens is not None]
    prompt = sum(r.prompt_tokens or 0 for r in counted)
    completion = sum(r.completion_tokens or 0 for r in counted)
    cost = None
    if price is not None and len(counted) == len(rows):
        cost = round((prompt * price.prompt + completion * price.completion) / 1e6, 6)
    return {
        **identity,
        "pairs": {"observed": tally.pairs, "unanswered": tally.unanswered},
        "answers": {
            "all": len(rows),
            "asked_again": sum(r.attempt > 0 for r in rows),
            "models": dict(sorted(Counter(r.model for r in rows).items())),
        },
        "tokens": {
            "prompt": prompt,
            "completion": completion,
            "answers_without_counts": len(rows) - len(counted),
        },
        "cost_usd": cost,
        "filters": dict(tally.filters),
        "dropped": dict(tally.dropped),
        "kept": dict(tally.kept),
        "verdicts": dict(tally.verdicts),
    }
