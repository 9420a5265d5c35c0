"""From raw answers to calibrated probabilities.

A slot: p = sigmoid((logit(yes) - logit(no)) / temperature + bias) (Platt 1999, "Probabilistic outputs for
support vector machines"). The verdict: softmax of its three logits / temperature (Guo et al. 2017,
arXiv 1706.04599). Slots that were not trained, or of words that nobody read, keep their coverage and get no
probability.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle, Calibration, VerdictCalibration
from .engines import Logits
from .errors import EngineError, Reason
from .judgement import Coverage, SlotResult
from .reader import SlotLogits
from .taxonomy import VERDICT_SLOT, Slot, Source


@dataclass(frozen=True)
class Readout:
    """Every slot in the pack's order. `caution` is P(caution or stop), `stop` P(stop), both 0..1."""

    slots: tuple[SlotResult, ...]
    caution: float
    stop: float

    def unlooked(self, why: str | None) -> "Readout":
        """With the reason why there are slots that nobody looked at."""
        told = (
            s.model_copy(update={"why": why}) if s.coverage is Coverage.NOT_LOOKED else s for s in self.slots
        )
        return replace(self, slots=tuple(told))

    def of(self, slot: str) -> SlotResult:
        return next(result for result in self.slots if result.id == slot)


def read_out(bundle: Bundle, look: Logits, after_note: SlotLogits, *, signs_read: bool = False) -> Readout:
    """`look` (cues, 2) as (no, yes). EngineError for anything that is not a probability.

    `signs_read`: whether somebody looked for words in the picture; otherwise their slots are not answered.
    The verdict slot's result is P(caution or stop) with the threshold for caution.
    """
    margins = np.concatenate([yes_margins(look), yes_margins(after_note.risks)])
    caution, stop = verdict_probabilities(after_note.verdict, bundle.calibration.verdict)
    return Readout((*_slots(bundle, margins, caution, signs_read),), caution, stop)


def _slots(
    bundle: Bundle, margins: NDArray[np.float64], caution: float, signs_read: bool
) -> Iterator[SlotResult]:
    untrained = bundle.not_trained()
    asked = (*bundle.pack.cue_slots, *bundle.pack.risk_slots)
    if len(asked) != len(margins):
        raise EngineError(
            Reason.ENGINE_OUTPUT, f"expected {len(asked)} answers, got {len(margins)}; get the bundle again"
        )
    for slot, margin in zip(asked, margins, strict=True):
        coverage = coverage_of(slot, untrained, signs_read=signs_read)
        if coverage is Coverage.JUDGED:
            yield _judged(slot.id, float(margin), bundle.calibration)
        else:
            yield SlotResult(id=slot.id, coverage=coverage)
    yield SlotResult(
        id=VERDICT_SLOT.id,
        coverage=Coverage.JUDGED,
        probability=caution,
        threshold=bundle.calibration.verdict.threshold_caution,
    )


def coverage_of(slot: Slot, untrained: frozenset[str], *, signs_read: bool = False) -> Coverage:
    if slot.source is Source.IMAGE_TEXT and not signs_read:
        return Coverage.NOT_LOOKED
    return Coverage.NOT_TRAINED if slot.id in untrained else Coverage.JUDGED


def _judged(slot: str, margin: float, calibration: Calibration) -> SlotResult:
    own = calibration.slots[slot]
    probability = sound(_sigmoid(margin / own.temperature + own.bias), slot)
    return SlotResult(id=slot, coverage=Coverage.JUDGED, probability=probability, threshold=own.threshold)


def yes_margins(logits: Logits) -> NDArray[np.float64]:
    """(n, 2) logits (no, yes) to (n,) logit(yes) - logit(no)."""
    wide = finite(logits)
    margins: NDArray[np.float64] = wide[:, 1] - wide[:, 0]
    return margins


def verdict_probabilities(logits: Logits, calibration: VerdictCalibration) -> tuple[float, float]:
    """P(caution or stop) and P(stop) from the logits of (proceed, caution, stop)."""
    wide = finite(logits) / calibration.temperature
    weights = np.exp(wide - wide.max())
    _, caution, stop = (float(w) for w in weights / weights.sum())
    return sound(min(caution + stop, 1.0), "verdict"), sound(stop, "verdict")  # 1.0: rounding of the sum


def _sigmoid(x: float) -> float:
    # The form with a negative exponent on either side, so that nothing overflows.
    small = float(np.exp(-abs(x)))
    return 1.0 / (1.0 + small) if x >= 0 else small / (1.0 + small)


def finite(logits: Logits) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    if not np.isfinite(wide).all():
        raise EngineError(
            Reason.ENGINE_OUTPUT, "expected finite answers, got NaN or infinity; judge it again"
        )
    return wide


def sound(probability: float, name: str) -> float:
    """`probability` if it is one; NaN fails the comparison too."""
    if not 0.0 <= probability <= 1.0:
        raise EngineError(
            Reason.ENGINE_OUTPUT,
            f"expected a probability for {name}, got {probability}; calibrate the bundle again",
        )
    return probability
