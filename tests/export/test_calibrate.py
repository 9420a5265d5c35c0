"""Calibration recovers what the answers were drawn with, and thresholds serve the verdict table."""

import numpy as np
import pytest
from yochi_bench.verdicts import row
from yochi_export.calibrate import MIN_EXAMPLES, PLAIN, calibrate, draft
from yochi_export.thresholds import CAUTION, GRID, STOP, Validation, _Table, choose
from yochi_runtime.bundle import Bundle, open_bundle
from yochi_train.answers import Answers
from yochi_train.scored import score

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


def test_verdicts_are_better_than_the_bar_on_separable_data(bundle: Bundle, hot: Answers) -> None:
    records = drawn.records(bundle.pack, 600)
    judged = score(calibrated(bundle, hot), records, hot).verdicts
    rates = row([r.verdict for r in records], [v.value for v in judged])
    assert rates["proceed_recall"].value >= 0.93
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


def test_a_rare_slot_takes_the_fit_of_its_source(bundle: Bundle, hot: Answers) -> None:
    rare = "note_content:egress"
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
    assert _Table(data).verdicts(values) == [v.value for v in scored.verdicts]


def test_the_best_of_the_grid_is_found_on_one_source() -> None:
    """One S2 slot; the verdict slot knows nothing. Dangerous at 0.62 and above, safe up to 0.58."""
    from yochi_runtime.taxonomy import Slot, Source

    slot = Slot(id="note_content:fall", source=Source.NOTE_CONTENT, category="fall")
    p = np.array([0.1, 0.3, 0.5, 0.58, 0.62, 0.7, 0.9])
    truth = (p > 0.6).astype(np.int8)
    zero = np.zeros(len(p))
    verdict = ["stop" if t else "proceed" for t in truth]
    found = choose(Validation([slot], np.array([True]), p[:, None], truth[:, None], zero, zero, verdict))
    assert found.values["note_content"] == 0.6
    assert found.objective == pytest.approx(1.5)  # all stops, no miss, F1 of one, nothing red
    assert found.rates["proceed_recall"] == found.rates["stop_recall"] == 1.0
