"""What the page shows was not seen by the fit it is shown through, and it loads nothing."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from yochi_bench.answers import Answers
from yochi_bench.calibration import expected_calibration_error
from yochi_export.reliability_page import PAGE, reliability_page, write_reliability
from yochi_runtime.bundle import Bundle, open_bundle
from yochi_runtime.record import Record
from yochi_train import reliability
from yochi_train.calibrate import applied, calibrate, draft, fit_probabilities
from yochi_train.learn_then_test import calibrate_tested, split
from yochi_train.reliability import ALL, CUES, VERDICT, reliability_of

from tests.fixtures.tiny_bundle import make_bundle

from . import drawn

SOURCES = {"image_content", "note_instruction", "note_content", "combination"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("reliability")).folder)


@pytest.fixture(scope="module")
def records(bundle: Bundle) -> list[Record]:
    """600, each on a picture of its own."""
    found = drawn.records(bundle.pack, 600)
    return [r.model_copy(update={"image": f"{i}.png", "picture_group": i}) for i, r in enumerate(found)]


@pytest.fixture(scope="module")
def hot(bundle: Bundle, records: list[Record]) -> Answers:
    """Logits five times too large."""
    plain = drawn.answers(bundle.pack, records)
    return Answers(plain.cues * 5, plain.risks * 5, plain.verdict * 5)


def test_calibration_lessens_the_error_of_hot_logits(
    bundle: Bundle, records: list[Record], hot: Answers
) -> None:
    found = reliability_of(bundle, calibrate(bundle, records, hot).calibration, records, hot)
    assert found.shown == "crosswise"
    assert set(found.after) == SOURCES | {CUES, VERDICT, ALL}
    for name, error in found.errors().items():
        assert error["before"] is not None
        assert error["after"] is not None
        assert error["after"] < error["before"], name
    assert len(found.after[ALL][0]) == sum(len(found.after[name][0]) for name in (*SOURCES, CUES))
    assert len(found.after[VERDICT][0]) == 600


def test_no_half_is_shown_through_its_own_fit(
    bundle: Bundle, records: list[Record], hot: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each fit saw and what is then shown through it, taken down on the way."""
    fitted: dict[int, set[int]] = {}
    whole_fit, whole_apply = fit_probabilities, applied

    def fit(trained: Bundle, asked: list[Record], answers: Answers) -> object:
        made = whole_fit(trained, asked, answers)
        fitted[id(made[0])] = {r.picture_group for r in asked}
        return made

    def apply(calibration: object, trained: Bundle, asked: list[Record], answers: Answers) -> object:
        groups = {r.picture_group for r in asked}
        assert not groups & fitted.get(id(calibration), set())
        return whole_apply(calibration, trained, asked, answers)  # type: ignore[arg-type]

    monkeypatch.setattr(reliability, "fit_probabilities", fit)
    monkeypatch.setattr(reliability, "applied", apply)
    found = reliability_of(bundle, calibrate(bundle, records, hot).calibration, records, hot)
    one, other = fitted.values()
    assert one | other == {r.picture_group for r in records}
    assert not one & other
    assert sorted(r.id for r in found.records) == sorted(r.id for r in records)


def test_tested_thresholds_show_the_bundles_own_calibration_on_the_test(
    bundle: Bundle, records: list[Record], hot: Answers
) -> None:
    calibration = calibrate_tested(bundle, records, hot, 0.1).calibration
    found = reliability_of(bundle, calibration, records, hot)
    rows = split(records).test
    assert found.shown == "tested"
    assert [r.id for r in found.records] == [records[i].id for i in rows]
    data = applied(calibration, bundle, [records[i] for i in rows], hot.take(list(rows)))
    columns = data.groups()["note_content"]
    p, truth = data.probability[:, columns].ravel(), data.truth[:, columns].ravel() == 1
    assert found.errors()["note_content"]["after"] == round(expected_calibration_error(p, truth), 4)


def test_one_group_of_pictures_shows_the_fits_own_records_and_says_so(
    bundle: Bundle, records: list[Record], hot: Answers
) -> None:
    alike = [r.model_copy(update={"picture_group": 1}) for r in records]
    found = reliability_of(bundle, draft(bundle.pack), alike, hot)
    assert found.shown == "fitted"
    assert all(error["before"] == error["after"] for error in found.errors().values())
    assert "the records that the calibration was fitted to" in reliability_page(
        bundle, draft(bundle.pack), found
    )


def test_of_a_cue_a_picture_counts_once(bundle: Bundle, records: list[Record], hot: Answers) -> None:
    """No note can change it, so eight notes are one answer, not eight."""
    plain = reliability_of(bundle, draft(bundle.pack), records, hot)
    twice = [*records, *(r.model_copy(update={"id": f"{r.id}b"}) for r in records)]
    doubled = reliability_of(bundle, draft(bundle.pack), twice, hot.take([*range(600), *range(600)]))
    for name in (CUES, "image_content"):
        assert len(doubled.after[name][0]) == len(plain.after[name][0])
    assert len(doubled.after["note_content"][0]) == 2 * len(plain.after["note_content"][0])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]


def test_the_page(bundle: Bundle, records: list[Record], hot: Answers, tmp_path: Path) -> None:
    calibration = calibrate(bundle, records, hot).calibration
    found = reliability_of(bundle, calibration, records, hot)
    write_reliability(bundle, calibration, found, tmp_path)
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert text == reliability_page(bundle, calibration, found), "the same answers, the same bytes"
    parsed = _Tags()
    parsed.feed(text)
    assert parsed.seen.count("svg") == len(found.after)
    assert not parsed.addresses
    assert "script" not in parsed.seen
    for word in (
        "exchangeable",
        "does not hold for",
        "Clopper-Pearson",
        "the fit did not see",
        "Nothing is promised",
    ):
        assert word in text, word
    for error in found.errors().values():
        assert f"<td>{error['before']:.4f}</td><td>{error['after']:.4f}</td>" in text
    assert bundle.manifest.files["vision.onnx"].sha256 in text


def test_what_nobody_knows_is_said(bundle: Bundle, records: list[Record], hot: Answers) -> None:
    blank = [r.model_copy(update={"slots": {}, "verdict": None}) for r in records]
    found = reliability_of(bundle, draft(bundle.pack), blank, hot)
    assert all(not len(said) for said, _ in found.after.values())
    page = reliability_page(bundle, draft(bundle.pack), found)
    assert page.count("No answer whose truth is known") == len(found.after)
    assert np.isnan(expected_calibration_error([], []))


def test_a_promise_is_worded_as_it_was_tested(bundle: Bundle, records: list[Record], hot: Answers) -> None:
    calibration = calibrate_tested(bundle, records, hot, 0.1).calibration
    assert calibration.test is not None
    found = reliability_of(bundle, calibration, records, hot)
    assert "at most 10% of dangerous work" in reliability_page(bundle, calibration, found)
    few = calibration.model_copy(
        update={"test": calibration.test.model_copy(update={"status": "uncalibrated"})}
    )
    assert "Thresholds: uncalibrated" in reliability_page(bundle, few, found)
