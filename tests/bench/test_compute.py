"""The share that engines compute: arithmetic by hand, a real engine's word, and when it is not believed."""

import numpy as np
import pytest
from yochi_bench.compute import compute_table
from yochi_bench.report_kinds import missing
from yochi_bench.timed import IN_EVIDENCE, IN_JUDGE, WALL
from yochi_runtime.engine_child import COMPUTED
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judge import Judge
from yochi_runtime.supervision import computed
from yochi_runtime.wire import Message

from tests.fixtures.tiny_bundle import TinyBundle


def test_shares_by_hand() -> None:
    one = {IN_JUDGE: 90.0, IN_EVIDENCE: 40.0, "judge": 100.0, "audit": 10.0, WALL: 160.0}
    two = {IN_JUDGE: 60.0, IN_EVIDENCE: 0.0, "judge": 100.0, "audit": 20.0, WALL: 130.0}
    row, null = compute_table({"new_frame": [one, two]}, {"new_note": "expected two notes, got one"}).rows
    assert {name: number.value for name, number in row.cells.items()} == pytest.approx(
        {
            "of judging": 150 / 200,
            "of the whole call": 190 / 260,  # the audit's 30 ms are apart
            "computed": 95.0,
            "other": 35.0,
            "audit": 15.0,
        }
    )
    assert {number.n for number in row.cells.values()} == {2}
    assert {number.reason for number in null.cells.values()} == {"expected two notes, got one"}


def test_a_report_from_before_is_whole_without_it_and_not_with_half_of_it() -> None:
    tables = {
        "cold": {"once"},
        "compute": {"of judging"},
    }
    assert "the column computed of compute" in list(missing("latency", tables))
    del tables["compute"]
    assert not [said for said in missing("latency", tables) if "compute" in said]


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        (3.0, 3.0),
        (0.0, 0.0),
        (11.0, 0.0),
        (-1.0, 0.0),
        (float("nan"), 0.0),
        (True, 0.0),
        ("3", 0.0),
        (None, 0.0),
    ],
)
def test_what_an_engine_says_is_believed_within_the_time_it_was_waited_for(
    said: object, believed: float
) -> None:
    assert computed(Message({COMPUTED: said}), 10.0) == believed


def test_engines_compute_within_the_stages(tiny: TinyBundle) -> None:
    with Judge.open(tiny.folder) as judge:
        noise = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        judgement = judge.judge(Inspection(Frame(noise), Note("Sweep the floor.")))
        of = judge.computed_ms
        assert 0.0 < of["judge"] <= judgement.timings_ms["judge"]
        assert 0.0 <= of["evidence"] <= judgement.timings_ms["evidence"]
        judge.judge(Inspection(Frame(noise * 0), Note("Sweep the floor.")))  # refused by a gate
        assert sum(judge.computed_ms.values()) == 0.0
