"""From raw answers on validation records to the calibration that a bundle carries.

Probabilities: Platt scaling. A cue has a fit of its own; the slots of a note or a combination share the fit
of their source, so that the highest of them means the same whichever it is. A cue with fewer than
MIN_EXAMPLES known positives or negatives shares the fit of all cues. Thresholds: each source's own (see
`thresholds`); neutral cues, which are never a risk by themselves, take their best F1 within 0.1 to 0.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from yochi_bench.answers import Answers
from yochi_bench.calibration import Platt, best_f_beta, fit_platt, fit_temperature, sigmoid
from yochi_runtime.bundle import Calibration, SlotCalibration, VerdictCalibration
from yochi_runtime.judgement import Coverage
from yochi_runtime.readout import coverage_of, verdict_probabilities
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack, Slot, Source
from yochi_runtime.verdict import JUDGED

from .thresholds import CAUTION, GRID, STOP, UNFITTED, Chosen, Validation, choose

MIN_EXAMPLES = 30
PLAIN = SlotCalibration(temperature=1.0, bias=0.0, threshold=UNFITTED)
DIGITS = 6
Floats = NDArray[np.float64]


class Trained(Protocol):
    """What answers: a bundle, or a model that is none yet."""

    @property
    def pack(self) -> Pack: ...

    def not_trained(self) -> frozenset[str]: ...


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


def calibrate(trained: Trained, records: Sequence[Record], answers: Answers) -> Calibrated:
    """Fit on `records` (validation split) and the answers that `trained` gave to them."""
    fitted, shared = fit_probabilities(trained, records, answers)
    data = applied(fitted, trained, records, answers)
    chosen = choose(data)
    own = {
        slot.id: fitted.slots[slot.id].model_copy(
            update={"threshold": _neutral_threshold(data.probability[:, i], data.truth[:, i])}
        )
        for i, (slot, judged) in enumerate(zip(data.slots, judged_slots(trained), strict=True))
        if judged and not _is_risk(slot)
    }
    neutral = fitted.model_copy(update={"slots": fitted.slots | own})
    return Calibrated(with_thresholds(neutral, trained, chosen), chosen, shared)


def fit_probabilities(
    trained: Trained, records: Sequence[Record], answers: Answers
) -> tuple[Calibration, tuple[str, ...]]:
    """Temperatures and biases, thresholds still a draft's; and the cues that share a fit."""
    slots = (*trained.pack.cue_slots, *trained.pack.risk_slots)
    fits, shared = _fits(slots, judged_slots(trained), answers.margins(), _truth(records, slots))
    entries = {slot.id: _entry(fit) for slot, fit in zip(slots, fits, strict=True)}
    return Calibration(slots=entries, verdict=_verdict(records, answers)), shared


def with_thresholds(calibration: Calibration, trained: Trained, chosen: Chosen) -> Calibration:
    """`calibration` with the `chosen` thresholds of every judged risk and of the verdict slot."""
    slots = (*trained.pack.cue_slots, *trained.pack.risk_slots)
    values = chosen.values
    own = {
        slot.id: calibration.slots[slot.id].model_copy(
            update={"threshold": values.get(str(slot.source), UNFITTED)}
        )
        for slot, judged in zip(slots, judged_slots(trained), strict=True)
        if judged and _is_risk(slot)
    }
    thresholds = {"threshold_caution": chosen.values[CAUTION], "threshold_stop": chosen.values[STOP]}
    verdict = calibration.verdict.model_copy(update=thresholds)
    return Calibration(slots=calibration.slots | own, verdict=verdict)


def applied(
    calibration: Calibration, trained: Trained, records: Sequence[Record], answers: Answers
) -> Validation:
    """What `calibration` makes of the answers to `records`, whose thresholds do not matter here."""
    slots = (*trained.pack.cue_slots, *trained.pack.risk_slots)
    margins = answers.margins()
    probability = np.full(margins.shape, np.nan)
    read = np.array([record.sign is not None for record in records])
    for i, (slot, judged) in enumerate(zip(slots, judged_slots(trained), strict=True)):
        if judged:
            own = calibration.slots[slot.id]
            said = sigmoid(margins[:, i] / own.temperature + own.bias)
            probability[:, i] = np.where(read, said, np.nan) if slot.source is Source.IMAGE_TEXT else said
    pairs = np.array([verdict_probabilities(row, calibration.verdict) for row in answers.verdict])
    severe = [s.category is not None and trained.pack.category_of(s.category).severity == "S2" for s in slots]
    caution, stop = pairs.reshape(-1, 2).T
    truths = [record.verdict for record in records]
    return Validation(slots, np.array(severe), probability, _truth(records, slots), caution, stop, truths)


def judged_slots(trained: Trained) -> list[bool]:
    """Of every cue and risk slot, in the pack's order, whether a box that reads signs would judge it."""
    untrained = trained.not_trained()
    slots = (*trained.pack.cue_slots, *trained.pack.risk_slots)
    return [coverage_of(slot, untrained, signs_read=True) is Coverage.JUDGED for slot in slots]


def _truth(records: Sequence[Record], slots: Sequence[Slot]) -> NDArray[np.int8]:
    """(N, S) 1, 0 or -1 unknown."""
    return np.array([[r.known(slot) for slot in slots] for r in records], dtype=np.int8)


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


def _entry(fit: Platt | None) -> SlotCalibration:
    if fit is None:
        return PLAIN
    return SlotCalibration(temperature=fit.temperature, bias=fit.bias, threshold=PLAIN.threshold)


def _is_risk(slot: Slot) -> bool:
    return slot.category is not None and slot.source is not None


def _neutral_threshold(probability: Floats, truth: NDArray[np.int8]) -> float:
    if not (truth == 1).any():
        return PLAIN.threshold
    best = best_f_beta(probability, truth == 1, truth >= 0).value
    return round(min(max(best, GRID[0]), GRID[-1]), DIGITS)
