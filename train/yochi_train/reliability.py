"""What probabilities were worth before and after calibration, on records that the fit did not see.

Where thresholds were tested (`learn_then_test`), two thirds of the picture groups are such records, and the
calibration shown is the bundle's own. Else the bundle's is fitted to all of them, and each half of the
picture groups is shown through a fit to the other half (cross-fitting): the same procedure on half of the
data. With too few groups for that the fit's own records are shown, which flatters it.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from yochi_bench.answers import Answers
from yochi_bench.calibration import expected_calibration_error
from yochi_runtime.bundle import Calibration
from yochi_runtime.record import Record

from .calibrate import Trained, applied, draft, fit_probabilities
from .learn_then_test import split
from .thresholds import Validation

ALL, CUES, VERDICT = "all slots", "cues that are no risk by themselves", "verdict: not proceed"
Shown = Literal["tested", "crosswise", "fitted"]
Said = tuple[NDArray[np.float64], NDArray[np.bool_]]  # (n,) probabilities, and whether they hold


@dataclass(frozen=True, eq=False)
class Reliability:
    """The same answers by source of risk and of all slots, whose truth is known; `records` they are of."""

    shown: Shown
    records: tuple[Record, ...]
    before: Mapping[str, Said]
    after: Mapping[str, Said]

    def errors(self) -> dict[str, dict[str, float | None]]:
        """Expected calibration error, {source: {"before", "after"}}, each 0..1; None of nothing."""
        return {
            name: {"before": _error(self.before[name]), "after": _error(self.after[name])}
            for name in self.after
        }


def reliability_of(
    trained: Trained, calibration: Calibration, records: Sequence[Record], answers: Answers
) -> Reliability:
    """`calibration` was fitted to `records`, or to a third of them where it has a test."""
    shown, parts = _parts(trained, calibration, records, answers)
    plain = draft(trained.pack)
    before: dict[str, list[Said]] = {}
    after: dict[str, list[Said]] = {}
    for rows, fitted in parts:
        some, said = [records[i] for i in rows], answers.take(rows)
        for sides, used in ((before, plain), (after, fitted)):
            for name, of in _said(applied(used, trained, some, said), some).items():
                sides.setdefault(name, []).append(of)
    those = tuple(records[i] for rows, _ in parts for i in rows)
    return Reliability(shown, those, _joined(before), _joined(after))


def _parts(
    trained: Trained, calibration: Calibration, records: Sequence[Record], answers: Answers
) -> tuple[Shown, list[tuple[list[int], Calibration]]]:
    """Rows, and the calibration that they are shown through."""
    if calibration.test is not None:
        return "tested", [(list(split(records).test), calibration)]
    halves: tuple[list[int], list[int]] = ([], [])
    for row, record in enumerate(records):
        halves[_half(record.picture_group)].append(row)
    if not all(halves):
        return "fitted", [(list(range(len(records))), calibration)]
    fits = [fit_probabilities(trained, [records[i] for i in half], answers.take(half))[0] for half in halves]
    return "crosswise", [(halves[0], fits[1]), (halves[1], fits[0])]


def _half(group: int) -> int:
    """0 or 1; another hash than that of the test's thirds."""
    return hashlib.sha256(f"half {group}".encode()).digest()[0] % 2


def _said(data: Validation, records: Sequence[Record]) -> dict[str, Said]:
    """By source of risk, then neutral cues, the verdict slot and all slots."""
    groups = data.groups()
    risks = {column for columns in groups.values() for column in columns}
    judged = [i for i in range(len(data.slots)) if not np.isnan(data.probability[:, i]).all()]
    groups |= {CUES: [i for i in judged if i not in risks], ALL: judged}
    counted = _counted(data, records)
    found: dict[str, Said] = {}
    for name, columns in groups.items():
        here = counted[:, columns]
        found[name] = data.probability[:, columns][here], data.truth[:, columns][here] == 1
    known = np.array([record.verdict is not None for record in records], dtype=bool)
    danger = np.array([record.verdict != "proceed" for record in records], dtype=bool)
    return {**found, VERDICT: (data.caution[known], danger[known])}


def _counted(data: Validation, records: Sequence[Record]) -> NDArray[np.bool_]:
    """(N, S): answers with a known truth; of cues one for each picture, since no note can change them."""
    first = {record.image: row for row, record in reversed(list(enumerate(records)))}
    once = np.isin(np.arange(len(records)), list(first.values()))
    cue = np.array([slot.cue is not None for slot in data.slots], dtype=bool)
    known = (data.truth >= 0) & ~np.isnan(data.probability)  # of signs only where read
    counted: NDArray[np.bool_] = known & (once[:, None] | ~cue)
    return counted


def _joined(parts: Mapping[str, Sequence[Said]]) -> dict[str, Said]:
    return {
        name: (np.concatenate([p for p, _ in said]), np.concatenate([t for _, t in said]))
        for name, said in parts.items()
    }


def _error(said: Said) -> float | None:
    error = expected_calibration_error(*said)
    return None if math.isnan(error) else round(error, 4)
