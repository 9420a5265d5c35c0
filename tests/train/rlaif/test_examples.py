"""Which mistakes a report shows first, by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Slot, Source
from yochi_train.rlaif.examples import ANSWERS, sampled_answers, worst_mistakes
from yochi_train.rlaif.preference import Preferences
from yochi_train.thresholds import CAUTION, STOP, Validation

from ..rows import row
from .rounds_run import report, run

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SLOTS = (
    Slot(id="a", source=Source.NOTE_CONTENT, category="fall"),
    Slot(id="b", source=Source.COMBINATION, category="load"),
    Slot(id="seen", source=Source.IMAGE_CONTENT, category=None, cue="forklift"),  # raises nothing
)
VALUES = {str(Source.NOTE_CONTENT): 0.5, str(Source.COMBINATION): 0.2, CAUTION: 1.0, STOP: 0.9}


def record(name: str, image: str, verdict: str | None) -> Record:
    return Record.model_validate(row(name, image=image, verdict=verdict))


def validation(probability: list[list[float]], truth: list[list[int]], stop: list[float]) -> Validation:
    return Validation(
        SLOTS,
        np.array([True, True, False]),
        np.array(probability),
        np.array(truth, dtype=np.int8),
        np.zeros(len(stop)),
        np.array(stop),
        [],
    )


def test_the_worst_miss_stands_lowest_and_the_worst_alarm_highest() -> None:
    records = [
        record("near", "1.jpg", "stop"),
        record("far", "2.jpg", "caution"),
        record("blind", "3.jpg", "stop"),
        record("right", "4.jpg", "proceed"),
        record("loud", "5.jpg", "proceed"),
        record("said", "6.jpg", "proceed"),
        record("open", "7.jpg", None),
    ]
    shown = ["proceed", "proceed", "proceed", "proceed", "stop", "caution", "stop"]
    nan = math.nan
    found = worst_mistakes(
        records,
        validation(
            [
                [0.4, 0.1, 1.0],
                [0.1, 0.19, 1.0],  # the combination is higher, but does not hold
                [nan, 0.1, 1.0],  # the risk that holds is not judged
                [0.1, 0.1, 1.0],
                [0.9, 0.3, 1.0],
                [0.5, 0.1, 1.0],
                [0.9, 0.9, 1.0],
            ],
            [[1, 0, 1], [1, 0, 0], [1, -1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [-1, -1, -1]],
            [0.0, 0.0, 0.6, 0.0, 0.1, 0.95, 0.0],
        ),
        VALUES,
        shown,
    )
    assert [(one.kind, one.id, one.slot) for one in found] == [
        ("miss", "far", "a"),
        ("miss", "blind", STOP),  # nothing of it is judged but the verdict
        ("miss", "near", "a"),
        ("false alarm", "loud", "a"),
        ("false alarm", "said", STOP),
    ]
    assert [one.margin for one in found] == pytest.approx(
        [math.log(1 / 9), math.log(1.5 / 9), math.log(2 / 3), math.log(9), math.log(19) - math.log(9)]
    )


def test_one_mistake_a_picture() -> None:
    records = [record(str(i), "same.jpg", "stop") for i in range(3)]
    found = worst_mistakes(
        records,
        validation([[p, 0.0, 0.0] for p in (0.4, 0.1, 0.3)], [[1, 0, 0]] * 3, [0.0] * 3),
        VALUES,
        ["proceed"] * 3,
    )
    assert [one.id for one in found] == ["1"]


def test_a_run_tells_answers_of_its_pairs(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path)
    for number, of_round in enumerate(report(tmp_path)["rounds"], 1):
        pairs = Preferences.load(tmp_path / f"round-{number:02d}.json").pairs
        told = of_round["sampled"]
        assert len(told) == min(ANSWERS, len(pairs))
        assert told[0]["best"]["score"] == pairs[0].best.score
        assert told[0]["worst"]["score"] == pairs[0].worst.score
        assert all(one["best"]["score"] > one["worst"]["score"] for one in told)
        assert {one["kind"] for one in of_round["mistakes"]} <= {"miss", "false alarm"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Answers drawn in round 2" in page
    assert "not there any more" not in page


def test_a_round_without_pairs_has_no_answers() -> None:
    assert sampled_answers([], []) == []
