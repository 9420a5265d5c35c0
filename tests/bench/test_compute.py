"""The share that engines compute: arithmetic by hand, and reports from before there was one."""

import pytest
from yochi_bench.compute import compute_table
from yochi_bench.report_kinds import missing
from yochi_bench.timed import IN_EVIDENCE, IN_JUDGE, WALL


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
