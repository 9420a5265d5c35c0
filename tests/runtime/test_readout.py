"""Raw answers to probabilities, with the arithmetic written out."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.bundle import Bundle, Calibration, VerdictCalibration, open_bundle
from yochi_runtime.errors import EngineError
from yochi_runtime.judgement import Coverage
from yochi_runtime.reader import SlotLogits
from yochi_runtime.readout import read_out, verdict_probabilities, yes_margins

from tests.fixtures.tiny_bundle import make_bundle

SIGN = "image_text:steering_text"
Numbers = st.floats(-(2.0**100), 2.0**100, width=32)


def bundle_with(folder: Path, calibrations: dict[str, tuple[float, float, float]]) -> Bundle:
    """The tiny bundle; (temperature, bias, threshold) of some slots replaced in memory."""
    made = open_bundle(make_bundle(folder, untrained=["note_content:fall"]).folder)
    slots = json.loads(made.calibration.model_dump_json())
    for slot, (temperature, bias, threshold) in calibrations.items():
        slots["slots"][slot] = {"temperature": temperature, "bias": bias, "threshold": threshold}
    return Bundle(made.path, made.sha256, made.manifest, made.pack, Calibration.model_validate(slots))


def flat(bundle: Bundle) -> tuple[np.ndarray, SlotLogits]:
    look = np.zeros((len(bundle.pack.cue), 2), dtype=np.float32)
    risks = np.zeros((len(bundle.pack.risk_slots), 2), dtype=np.float32)
    return look, SlotLogits(risks=risks, verdict=np.zeros(3, dtype=np.float32))


def test_platt_by_hand(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, {"cue:fire": (2.0, -1.0, 0.4), "note_instruction:fall": (1.0, 0.5, 0.9)})
    look, after = flat(bundle)
    look[bundle.pack.slot_index["cue:fire"]] = (1.0, 5.0)  # margin 4, 4 / 2 - 1 = 1
    fall = bundle.pack.slot_index["note_instruction:fall"] - len(look)
    after.risks[fall] = (3.0, 0.5)  # margin -2.5, + 0.5 = -2
    readout = read_out(bundle, look, after)
    assert readout.of("cue:fire").probability == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-12)
    assert readout.of("cue:fire").threshold == 0.4
    assert readout.of("note_instruction:fall").probability == pytest.approx(1 / (1 + math.exp(2)), abs=1e-12)


@pytest.mark.parametrize(
    ("read", "untrained", "coverage"),
    [
        (False, [], Coverage.NOT_LOOKED),
        (False, [SIGN], Coverage.NOT_LOOKED),
        (True, [SIGN], Coverage.NOT_TRAINED),
        (True, [], Coverage.JUDGED),
    ],
)
def test_words_in_the_picture_are_judged_where_they_were_read(
    tmp_path: Path, read: bool, untrained: list[str], coverage: Coverage
) -> None:
    bundle = open_bundle(make_bundle(tmp_path, untrained=untrained, signs=True).folder)
    assert read_out(bundle, *flat(bundle), signs_read=read).of(SIGN).coverage is coverage


def test_verdict_by_hand() -> None:
    calibration = VerdictCalibration(temperature=2.0, threshold_caution=0.5, threshold_stop=0.5)
    logits = np.array([0.0, 2 * math.log(2), 2 * math.log(5)], dtype=np.float32)  # weights 1 : 2 : 5
    caution, stop = verdict_probabilities(logits, calibration)
    assert caution == pytest.approx(7 / 8, abs=1e-6)
    assert stop == pytest.approx(5 / 8, abs=1e-6)


def test_slots_stand_in_the_packs_order_with_their_coverage(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, {})
    readout = read_out(bundle, *flat(bundle))
    assert [slot.id for slot in readout.slots] == [slot.id for slot in bundle.pack.slots]
    assert readout.of("note_content:fall").coverage is Coverage.NOT_TRAINED
    assert readout.of("note_content:fall").probability is None
    assert readout.of("image_text:steering_text").coverage is Coverage.NOT_LOOKED
    assert readout.of("image_text:steering_text").probability is None
    assert readout.of("verdict").probability == pytest.approx(2 / 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["look", "risks", "verdict"])
def test_nothing_but_finite_logits_becomes_a_probability(tmp_path: Path, bad: float, where: str) -> None:
    bundle = bundle_with(tmp_path, {})
    look, after = flat(bundle)
    {"look": look, "risks": after.risks, "verdict": after.verdict}[where].flat[1] = bad
    with pytest.raises(EngineError, match="finite"):
        read_out(bundle, look, after)


def test_a_wrong_number_of_answers_is_refused(tmp_path: Path) -> None:
    bundle = bundle_with(tmp_path, {})
    look, after = flat(bundle)
    with pytest.raises(EngineError, match="answers"):
        read_out(bundle, look[1:], after)


@given(st.lists(Numbers, min_size=3, max_size=3), st.floats(1e-3, 1e3))
def test_any_finite_verdict_logits_give_probabilities(logits: list[float], temperature: float) -> None:
    calibration = VerdictCalibration(temperature=temperature, threshold_caution=0.5, threshold_stop=0.5)
    caution, stop = verdict_probabilities(np.array(logits, dtype=np.float32), calibration)
    assert 0 <= stop <= caution <= 1


@given(Numbers, Numbers)
def test_margins_are_yes_minus_no(no: float, yes: float) -> None:
    found = yes_margins(np.array([[no, yes]], dtype=np.float32))
    assert found.tolist() == [yes - no]
