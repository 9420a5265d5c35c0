"""Thresholds with a promise: at most so many misses, with so much confidence, on a split nobody fitted on.

Learn-then-Test (Angelopoulos, Bates, Candes, Jordan and Lei, arXiv 2110.01052), for one family of rules: all
thresholds that were chosen, moved together by one number, in logits. A rule's null hypothesis is that it
misses more than `limit` of the dangerous; its p-value is the exact binomial tail. The rules are tested from
the strictest on, and the first that is not rejected ends it (fixed sequence testing, section 3), so all that
were rejected hold together at the level 1 - CONFIDENCE; of them the loosest is taken.

Records of one picture are not independent. So a picture group counts once, by one of its dangerous records,
whichever has the least hash. Groups are told apart, note templates are not: those that two groups share make
the promise a little bolder than it says.

A third of the picture groups fits probabilities and the family, the others test. The promise is for work that
is exchangeable with those pictures; in another plant it does not follow.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from yochi_bench.answers import Answers
from yochi_bench.intervals import binomial_tail
from yochi_runtime.bundle import Calibration, MissTest
from yochi_runtime.record import Record

from .calibrate import DIGITS, Calibrated, Trained, applied, calibrate, with_thresholds
from .thresholds import Chosen, VerdictTable

CONFIDENCE = 0.95
SHIFTS = tuple(6.0 - 0.25 * i for i in range(33))  # logits, strictest first: 0.5 becomes 0.002 to 0.88
FIT_PARTS, PARTS = 1, 3


@dataclass(frozen=True)
class Rows:
    """Row numbers: `fit` of all records, `test` of all, `dangerous` one for each picture group of `test`."""

    fit: tuple[int, ...]
    test: tuple[int, ...]
    dangerous: tuple[int, ...]


def calibrate_tested(
    trained: Trained, records: Sequence[Record], answers: Answers, limit: float
) -> Calibrated:
    """As `calibrate`, with thresholds whose share of misses is at most `limit`, or marked `uncalibrated`.

    `chosen.rates` are of the test's records.
    """
    rows = split(records)
    fitted = calibrate(trained, [records[i] for i in rows.fit], answers.take(list(rows.fit)))
    data = applied(
        fitted.calibration, trained, [records[i] for i in rows.dangerous], answers.take(list(rows.dangerous))
    )
    table = VerdictTable(data)
    missed = [table.verdicts(moved(fitted.chosen, shift).values).count("proceed") for shift in SHIFTS]
    last = last_rejected(missed, len(rows.dangerous), limit)
    chosen = fitted.chosen if last is None else moved(fitted.chosen, SHIFTS[last])
    test = MissTest(
        status="uncalibrated" if last is None else "held",
        limit=limit,
        confidence=CONFIDENCE,
        pictures=len(rows.dangerous),
        missed=missed[0 if last is None else last],
    )
    calibration = with_thresholds(fitted.calibration, trained, chosen).model_copy(update={"test": test})
    return replace(
        fitted,
        calibration=calibration,
        chosen=Chosen(chosen.values, _rates(calibration, trained, records, answers, rows.test, chosen)),
    )


def split(records: Sequence[Record]) -> Rows:
    """By the hash of the picture group, so that a picture falls to the same side every time."""
    fit, test = [], []
    first: dict[int, tuple[str, int]] = {}
    for row, record in enumerate(records):
        if int(_hash(str(record.picture_group)), 16) % PARTS < FIT_PARTS:
            fit.append(row)
            continue
        test.append(row)
        if record.verdict in ("stop", "caution"):
            mine = _hash(record.id), row
            first[record.picture_group] = min(first.get(record.picture_group, mine), mine)
    return Rows(tuple(fit), tuple(test), tuple(sorted(row for _, row in first.values())))


def moved(chosen: Chosen, shift: float) -> Chosen:
    """Every threshold so many logits lower; 1, which says nothing, stays."""
    return replace(chosen, values={name: _moved(value, shift) for name, value in chosen.values.items()})


def _moved(threshold: float, shift: float) -> float:
    if threshold in (0.0, 1.0):
        return threshold
    odds = threshold / (1 - threshold) * float(np.exp(-shift))
    return round(odds / (1 + odds), DIGITS)


def last_rejected(missed: Sequence[int], trials: int, limit: float) -> int | None:
    """The last rule before the first whose hypothesis stands; None where that is the first."""
    last = None
    for place, count in enumerate(missed):
        if binomial_tail(count, trials, limit) > 1 - CONFIDENCE:
            break
        last = place
    return last


def _rates(
    calibration: Calibration,
    trained: Trained,
    records: Sequence[Record],
    answers: Answers,
    rows: Sequence[int],
    chosen: Chosen,
) -> dict[str, float]:
    data = applied(calibration, trained, [records[i] for i in rows], answers.take(list(rows)))
    return VerdictTable(data.known()).rates(chosen.values)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
