"""Calibration recovers what the answers were drawn with, and thresholds serve the verdict table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from yochi_bench.answers import Answers
from yochi_bench.scored import score
from yochi_bench.verdicts import row
from yochi_runtime.bundle import Bundle, open_bundle
from yochi_runtime.taxonomy import Slot, Source
from yochi_train.calibrate import MIN_EXAMPLES, PLAIN, applied, calibrate, draft
from yochi_train.thresholds import (
    CAUTION,
    GRID,
    PLATEAU,
    PROCEED_RECALL,
    STOP,
    UNFITTED,
    Validation,
    VerdictTable,
    choose,
)

from tests.fixtures.tiny_bundle import make_bundle

from . import drawn


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("calibrate"), untrained=["cue:pallet"]).folder)


@pytest.fixture(scope="module")
def hot(bundle: Bundle) -> Answers:
    """Answers to 600 records whose logits are all five times too large."""
    plain = drawn.answers(bundle.pack, drawn.records(bundle.pack, 600))
    return Answers(plain.cues * 5, plain.risks * 5, plain.verdict * 5)


def calibrated(bundle: Bundle, answers: Answers) -> Bundle:
    found = calibrate(bundle, drawn.records(bundle.pack, 600), answers).calibration
    return Bundle(bundle.path, bundle.sha256, bundle.manifest, bundle.pack, found)


def test_every_slot_gets_an_entry_and_untrained_ones_stay_plain(bundle: Bundle, hot: Answers) -> None:
    found = calibrate(bundle, drawn.records(bundle.pack, 600), hot).calibration
    slots = {slot.id for slot in (*bundle.pack.cue_slots, *bundle.pack.risk_slots)}
    assert set(found.slots) == slots == set(draft(bundle.pack).slots)
    assert found.slots["cue:pallet"] == PLAIN
    assert all(found.slots[s.id] == PLAIN for s in bundle.pack.risk_slots if str(s.source) == "image_text")


def test_hot_logits_are_cooled(bundle: Bundle) -> None:
    """Margins of +-1.5 with unit noise mean log-odds of 3 times the margin; these are five times hotter."""
    records = drawn.records(bundle.pack, 1500)
    plain = drawn.answers(bundle.pack, records, strength=3.0)
    answers = Answers(plain.cues * 5, plain.risks * 5, plain.verdict * 5)
    found = calibrate(bundle, records, answers).calibration
    for slot in bundle.pack.risk_slots:
        if str(slot.source) == "note_instruction":
            assert found.slots[slot.id].temperature == pytest.approx(5 / 3, rel=0.3)
    assert found.verdict.temperature == pytest.approx(5 / 1.5, rel=0.2)


def test_verdicts_keep_the_floor_and_the_bars_on_separable_data(bundle: Bundle, hot: Answers) -> None:
    records = drawn.records(bundle.pack, 600)
    judged = score(calibrated(bundle, hot), records, hot).verdicts
    rates = row([r.verdict for r in records], [v.value for v in judged])
    assert rates["proceed_recall"].value >= PROCEED_RECALL
    assert rates["stop_recall"].value >= 0.85
    assert rates["miss"].value <= 0.05


def test_risks_of_a_source_share_a_threshold_of_the_grid(bundle: Bundle, hot: Answers) -> None:
    found = calibrate(bundle, drawn.records(bundle.pack, 600), hot).calibration
    by_source: dict[str, set[float]] = {}
    for slot in (*bundle.pack.cue_slots, *bundle.pack.risk_slots):
        own = found.slots[slot.id]
        assert GRID[0] <= own.threshold <= GRID[-1]
        if slot.category is not None and own != PLAIN:
            by_source.setdefault(str(slot.source), set()).add(own.threshold)
    assert {len(values) for values in by_source.values()} == {1}
    assert set(by_source) >= {"image_content", "note_instruction", "note_content", "combination"}


def test_risks_of_a_note_share_the_fit_of_their_source_and_cues_have_their_own(
    bundle: Bundle, hot: Answers
) -> None:
    records = drawn.records(bundle.pack, 600)
    warped = hot.risks.copy()
    first = next(i for i, s in enumerate(bundle.pack.risk_slots) if s.id == "note_content:egress")
    warped[:, first] *= 3  # a slot that is hotter than its source: the highest must still mean the same
    found = calibrate(bundle, records, Answers(hot.cues, warped, hot.verdict)).calibration.slots
    for source in ("note_instruction", "note_content", "combination"):
        fits = {
            (found[s.id].temperature, found[s.id].bias)
            for s in bundle.pack.risk_slots
            if str(s.source) == source
        }
        assert len(fits) == 1
    assert len({found[s.id].temperature for s in bundle.pack.cue_slots if s.id != "cue:pallet"}) > 5


def test_a_rare_cue_takes_the_fit_of_all_cues(bundle: Bundle, hot: Answers) -> None:
    rare = "cue:forklift"
    records = [
        r.model_copy(update={"slots": {k: v for k, v in r.slots.items() if k != rare or i < MIN_EXAMPLES}})
        for i, r in enumerate(drawn.records(bundle.pack, 600))
    ]
    found = calibrate(bundle, records, hot)
    assert found.shared == (rare,)
    assert found.calibration.slots[rare].temperature < 3
    assert calibrate(bundle, drawn.records(bundle.pack, 600), hot).shared == ()


def test_the_search_gives_the_verdicts_that_the_box_gives(bundle: Bundle, hot: Answers) -> None:
    """The vectorized table and the runtime's own functions, record by record."""
    records = drawn.records(bundle.pack, 90)
    answers = hot.take(list(range(90)))
    ready = calibrated(bundle, hot)
    scored = score(ready, records, answers)
    own = ready.calibration.verdict
    logits = answers.verdict.astype(np.float64) / own.temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    share = weights / weights.sum(axis=1, keepdims=True)
    severe = [
        bool(s.category) and bundle.pack.category_of(s.category or "").severity == "S2" for s in scored.slots
    ]
    data = Validation(
        scored.slots,
        np.array(severe),
        scored.probability,
        scored.truth,
        share[:, 1] + share[:, 2],
        share[:, 2],
        [r.verdict for r in records],
    )
    values = {name: float(scored.threshold[columns[0]]) for name, columns in data.groups().items()}
    values |= {CAUTION: own.threshold_caution, STOP: own.threshold_stop}
    assert VerdictTable(data).verdicts(values) == [v.value for v in scored.verdicts]


SIGN = "image_text:steering_text"


def test_signs_are_fitted_where_they_were_read_and_judged_nowhere_else(tmp_path: Path, hot: Answers) -> None:
    """Half of the records were read; the verdicts of the search are those of the box, both halves."""
    bundle = open_bundle(make_bundle(tmp_path, signs=True).folder)
    drawn_records = drawn.records(bundle.pack, 600)
    records = [r.model_copy(update={"sign": ("words", None)[i % 2]}) for i, r in enumerate(drawn_records)]
    found = calibrate(bundle, records, hot)
    assert found.calibration.slots[SIGN].temperature != PLAIN.temperature
    assert found.calibration.slots[SIGN].threshold == found.chosen.values["image_text"]
    made = Bundle(bundle.path, bundle.sha256, bundle.manifest, bundle.pack, found.calibration)
    scored = score(made, records, hot)
    column = scored.column(SIGN)
    assert np.isnan(scored.probability[:, column]).tolist() == [i % 2 == 1 for i in range(600)]
    assert set(scored.truth[1::2, column]) == {-1}
    data = applied(found.calibration, bundle, records, hot)
    assert VerdictTable(data).verdicts(found.chosen.values) == [v.value for v in scored.verdicts]
    unread = calibrate(bundle, drawn_records, hot)
    assert unread.calibration.slots[SIGN].threshold == UNFITTED
    assert "image_text" not in unread.chosen.values


def one_source(p: list[float], truth: list[int], verdict: Sequence[str]) -> Validation:
    """One S2 slot; the verdict slot knows nothing."""
    slot = Slot(id="note_content:fall", source=Source.NOTE_CONTENT, category="fall")
    zero = np.zeros(len(p))
    return Validation(
        [slot], np.array([True]), np.array(p)[:, None], np.array(truth, np.int8)[:, None], zero, zero, verdict
    )


def test_the_best_of_the_grid_is_found_on_one_source() -> None:
    """Dangerous at 0.62 and above, safe up to 0.58."""
    p = [0.1, 0.3, 0.5, 0.58, 0.62, 0.7, 0.9]
    truth = [int(x > 0.6) for x in p]
    found = choose(one_source(p, truth, ["stop" if t else "proceed" for t in truth]))
    assert found.values == {"note_content": 0.6, CAUTION: 1.0, STOP: 1.0}
    assert found.rates["proceed_recall"] == found.rates["stop_recall"] == 1.0
    assert found.rates["f1:note_content"] == 1.0


def test_verdicts_decide_only_where_the_f1_is_as_good() -> None:
    """F1 by hand: 1.0 at 0.55 and 0.6, 0.97 at 0.5, for 16 risky records at 0.62 and one safe one at 0.52.

    The verdict of the record at 0.52 is a stop for another reason: the verdicts alone would take 0.5.
    """
    p, truth = [0.62] * 16 + [0.52] + [0.2] * 3, [1] * 16 + [0] * 4
    data = one_source(p, truth, ["stop"] * 17 + ["proceed"] * 3)
    assert data.f1([0])[GRID.index(0.5)] == pytest.approx(32 / 33)
    assert choose(data).values["note_content"] == 0.55  # 32 / 33 is more than PLATEAU below 1
    wide = one_source([0.62] * 32 + [0.52] + [0.2] * 3, [1] * 32 + [0] * 4, ["stop"] * 33 + ["proceed"] * 3)
    assert 1 - PLATEAU < 64 / 65
    assert choose(wide).values["note_content"] < 0.55
    assert choose(wide).rates["stop_recall"] == 1.0


def test_a_verdict_without_a_named_risk_is_said_only_where_it_gains() -> None:
    """The slot sees nothing, the verdict slot everything: then it speaks."""
    data = one_source([0.2] * 6, [0] * 6, ["stop"] * 3 + ["proceed"] * 3)
    loud = replace(data, caution=np.array([0.99] * 3 + [0.1] * 3), stop=np.array([0.97] * 3 + [0.1] * 3))
    assert choose(data).values[STOP] == 1.0
    assert choose(loud).values[STOP] < 0.97
    assert choose(loud).rates["stop_recall"] == choose(loud).rates["proceed_recall"] == 1.0
