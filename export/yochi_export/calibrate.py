"""From a bundle's raw answers on validation records to its `calibration.json`.

Probabilities: Platt scaling. A cue has a fit of its own; the slots of a note or a combination share the fit
of their source, so that the highest of them means the same whichever it is. A cue with fewer than
MIN_EXAMPLES known positives or negatives shares the fit of all cues. Thresholds: each source's own (see
`thresholds`); neutral cues, which are never a risk by themselves, take their best F1 within 0.1 to 0.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from yochi_bench.calibration import Platt, best_f_beta, fit_platt, fit_temperature
from yochi_runtime.bundle import Bundle, Calibration, SlotCalibration, VerdictCalibration
from yochi_runtime.judgement import Coverage
from yochi_runtime.readout import coverage_of, verdict_probabilities
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Slot
from yochi_runtime.verdict import JUDGED
from yochi_train.answers import Answers

from .thresholds import CAUTION, GRID, STOP, Chosen, Validation, choose

MIN_EXAMPLES = 30
PLAIN = SlotCalibration(temperature=1.0, bias=0.0, threshold=0.5)
DIGITS = 6
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """`calibration` for the bundle; `chosen` says what its thresholds reach on validation."""

    calibration: Calibration
    chosen: Chosen
    shared: tuple[str, ...]  # judged cues that took the fit of all cues


def draft(pack: Pack) -> Calibration:
    """Every slot uncalibrated: what a bundle carries until its answers are known."""
    verdict = VerdictCalibration(temperature=1.0, threshold_caution=0.5, threshold_stop=0.5)
    return Calibration(
        slots={slot.id: PLAIN for slot in (*pack.cue_slots, *pack.risk_slots)}, verdict=verdict
    )


def calibrate(bundle: Bundle, records: Sequence[Record], answers: Answers) -> Calibrated:
    """Fit on `records` (validation split) and the answers that `bundle` gave to them."""
    slots = (*bundle.pack.cue_slots, *bundle.pack.risk_slots)
    truth = np.array([[r.slots.get(slot.id, -1) for slot in slots] for r in records], dtype=np.int8)
    judged = [coverage_of(slot, bundle.not_trained()) is Coverage.JUDGED for slot in slots]
    fits, shared = _fits(slots, judged, answers.margins(), truth)
    verdict = _verdict(records, answers)
    data = _validation(bundle, slots, fits, answers, truth, records, verdict)
    chosen = choose(data)
    own = {
        slot.id: _entry(slot, fit, data.probability[:, i], truth[:, i], chosen)
        for i, (slot, fit) in enumerate(zip(slots, fits, strict=True))
    }
    thresholds = {"threshold_caution": chosen.values[CAUTION], "threshold_stop": chosen.values[STOP]}
    return Calibrated(Calibration(slots=own, verdict=verdict.model_copy(update=thresholds)), chosen, shared)


def _fits(
    slots: Sequence[Slot], judged: Sequence[bool], margins: Floats, truth: NDArray[np.int8]
) -> tuple[list[Platt | None], tuple[str, ...]]:
    """A fit for every judged slot, and which cues share one."""
    groups = [_group(slot) if on else None for slot, on in zip(slots, judged, strict=True)]
    pooled = {name: _fit(margins, truth, _members(groups, name)) for name in set(groups) if name}
    fits: list[Platt | None] = []
    shared = []
    for i, (slot, name) in enumerate(zip(slots, groups, strict=True)):
        rare = min((truth[:, i] == 1).sum(), (truth[:, i] == 0).sum()) < MIN_EXAMPLES
        if name is None:
            fits.append(None)
        elif slot.cue and not rare:
            fits.append(_fit(margins, truth, [i]))
        else:
            fits.append(pooled[name])
            shared += [slot.id] if slot.cue else []
    return fits, tuple(shared)


def _members(groups: Sequence[str | None], name: str) -> list[int]:
    return [i for i, other in enumerate(groups) if other == name]


def _fit(margins: Floats, truth: NDArray[np.int8], columns: Sequence[int]) -> Platt:
    """One fit over these slots; rounded, for what stands in the file is what thresholds are chosen with."""
    known = truth[:, columns].ravel()
    fit = fit_platt(margins[:, columns].ravel(), known == 1, known >= 0)
    return Platt(round(fit.temperature, DIGITS), round(fit.bias, DIGITS), fit.positives, fit.negatives)


def _group(slot: Slot) -> str:
    return "cue" if slot.cue else str(slot.source)


def _verdict(records: Sequence[Record], answers: Answers) -> VerdictCalibration:
    """The temperature; thresholds are chosen later."""
    words = [str(v) for v in JUDGED]
    classes = np.array([words.index(r.verdict) if r.verdict else 0 for r in records])
    known = np.array([r.verdict is not None for r in records])
    temperature = round(fit_temperature(answers.verdict, classes, known), DIGITS)
    return VerdictCalibration(temperature=temperature, threshold_caution=0.5, threshold_stop=0.5)


def _validation(
    bundle: Bundle,
    slots: Sequence[Slot],
    fits: Sequence[Platt | None],
    answers: Answers,
    truth: NDArray[np.int8],
    records: Sequence[Record],
    verdict: VerdictCalibration,
) -> Validation:
    margins = answers.margins()
    probability = np.full(margins.shape, np.nan)
    for i, fit in enumerate(fits):
        if fit is not None:
            probability[:, i] = fit.probability(margins[:, i])
    pairs = np.array([verdict_probabilities(row, verdict) for row in answers.verdict]).reshape(-1, 2)
    severe = [
        slot.category is not None and bundle.pack.category_of(slot.category).severity == "S2"
        for slot in slots
    ]
    truths = [record.verdict for record in records]
    return Validation(slots, np.array(severe), probability, truth, pairs[:, 0], pairs[:, 1], truths)


def _entry(
    slot: Slot, fit: Platt | None, probability: Floats, truth: NDArray[np.int8], chosen: Chosen
) -> SlotCalibration:
    if fit is None:
        return PLAIN
    if slot.category is not None and slot.source is not None:
        threshold = chosen.values[str(slot.source)]
    elif (truth == 1).any():
        best = best_f_beta(probability, truth == 1, truth >= 0).value
        threshold = round(min(max(best, GRID[0]), GRID[-1]), DIGITS)
    else:
        threshold = PLAIN.threshold
    return SlotCalibration(temperature=fit.temperature, bias=fit.bias, threshold=threshold)
