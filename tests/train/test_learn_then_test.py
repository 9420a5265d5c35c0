"""Learn-then-Test: the fixed sequence by hand, one record a picture, and what a bundle says of it."""

import numpy as np
import pytest
from yochi_bench.answers import Answers
from yochi_bench.scored import score
from yochi_runtime.bundle import Bundle, Calibration, open_bundle
from yochi_runtime.record import Record
from yochi_train.calibrate import calibrate
from yochi_train.learn_then_test import SHIFTS, calibrate_tested, last_rejected, moved, split
from yochi_train.thresholds import Chosen

from tests.export import drawn
from tests.fixtures.tiny_bundle import make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("tested")).folder)


def of_pictures(bundle: Bundle, count: int, pictures: int) -> list[Record]:
    records = drawn.records(bundle.pack, count)
    return [r.model_copy(update={"picture_group": i % pictures}) for i, r in enumerate(records)]


@pytest.mark.parametrize(
    ("missed", "trials", "last"),
    [
        ([0, 0, 0], 59, 2),  # 0.95^59 = 0.0485
        ([0, 0, 0], 58, None),  # 0.95^58 = 0.0510: not even a judge that misses nothing shows it
        ([0, 1, 1, 2, 5], 93, 2),  # one of 93: 0.0500 and a little less; two: 0.15
        ([0, 1, 2, 1], 92, 0),  # one of 92: 0.0519
        ([0, 3, 0], 93, 0),  # what stands behind the first that fails is not looked at
        ([9, 0], 93, None),
    ],
)
def test_the_sequence_ends_at_the_first_rule_that_is_not_rejected(
    missed: list[int], trials: int, last: int | None
) -> None:
    assert last_rejected(missed, trials, 0.05) == last


def test_all_thresholds_move_together_and_one_stays() -> None:
    found = moved(
        Chosen({"note_content": 0.5, "combination": 0.8, "verdict:stop": 1.0}, {}), np.log(3)
    ).values
    assert found["note_content"] == pytest.approx(0.25)  # odds 1 / 3
    assert found["combination"] == pytest.approx(4 / 7, abs=1e-6)  # odds 4 / 3
    assert found["verdict:stop"] == 1.0
    assert list(SHIFTS) == sorted(SHIFTS, reverse=True), "strictest first"


def test_a_picture_is_on_one_side_and_counts_once(bundle: Bundle) -> None:
    records = of_pictures(bundle, 300, 60)
    rows = split(records)
    sides = [{records[i].picture_group for i in side} for side in (rows.fit, rows.test)]
    assert sides[0] & sides[1] == set()
    assert sides[0] | sides[1] == set(range(60))
    assert set(rows.dangerous) <= set(rows.test)
    groups = [records[i].picture_group for i in rows.dangerous]
    assert len(groups) == len(set(groups))
    assert {records[i].verdict for i in rows.dangerous} <= {"stop", "caution"}
    again = split(records[::-1])
    assert {records[::-1][i].id for i in again.dangerous} == {records[i].id for i in rows.dangerous}


def test_thresholds_that_hold_are_in_the_bundle_with_what_was_counted(bundle: Bundle) -> None:
    records = of_pictures(bundle, 1200, 600)
    answers = drawn.answers(bundle.pack, records)
    found = calibrate_tested(bundle, records, answers, 0.05)
    test, rows = found.calibration.test, split(records)
    assert test is not None
    assert (test.status, test.pictures) == ("held", len(rows.dangerous))
    judged = score(_with(bundle, found.calibration), records, answers).verdicts
    assert [judged[i].value for i in rows.dangerous].count("proceed") == test.missed
    assert last_rejected([test.missed], test.pictures, 0.05) == 0
    assert Calibration.model_validate_json(found.calibration.text()) == found.calibration


def test_too_few_pictures_are_uncalibrated_and_change_nothing(bundle: Bundle) -> None:
    records = of_pictures(bundle, 600, 60)
    answers = drawn.answers(bundle.pack, records)
    found = calibrate_tested(bundle, records, answers, 0.05).calibration
    assert found.test is not None
    assert found.test.status == "uncalibrated"
    assert found.test.pictures < 59
    rows = list(split(records).fit)
    alone = calibrate(bundle, [records[i] for i in rows], answers.take(rows)).calibration
    assert found.model_copy(update={"test": None}) == alone
    assert "test" not in alone.text(), "a calibration that nobody tested is the bytes that it was"


def test_a_judge_that_knows_nothing_holds_it_by_stopping_everything(bundle: Bundle) -> None:
    """All answers are alike, so every record has the same probability: a threshold takes all or none."""
    records = of_pictures(bundle, 600, 300)
    plain = drawn.answers(bundle.pack, records)
    deaf = Answers(np.ones_like(plain.cues), np.ones_like(plain.risks), np.ones_like(plain.verdict))
    found = calibrate_tested(bundle, records, deaf, 0.05)
    assert found.calibration.test is not None
    assert (found.calibration.test.status, found.calibration.test.missed) == ("held", 0)
    assert found.chosen.rates["proceed_recall"] == 0.0


def _with(bundle: Bundle, calibration: Calibration) -> Bundle:
    return Bundle(bundle.path, bundle.sha256, bundle.manifest, bundle.pack, calibration)
