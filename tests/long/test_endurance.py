"""The shipped bundle over thousands of judgements: `make test-long`. Up to hours, so not in `make check`."""

import os
from pathlib import Path

import pytest
from yochi_bench.cli import command
from yochi_bench.report import read_report

COUNT = int(os.environ.get("YOCHI_LONG_COUNT", "10000"))
MOST_GROWTH = 100.0  # KB per 1,000 judgements: 1 MB over all 10,000


@pytest.mark.timeout(6 * 3600)
def test_nothing_grows_and_no_fault_slips_through(tmp_path: Path) -> None:
    assert command(["endurance", str(tmp_path), "--count", str(COUNT)]) == 0
    report = read_report(tmp_path / "report.json")
    for row in report.table("growth").rows:
        assert (row.cells["growth"].value or 0.0) <= MOST_GROWTH, row
        assert row.cells["descriptors at the end"].value == row.cells["descriptors after a tenth"].value, row
    wrong = {(r.id, name): n.value for r in report.table("faults").rows for name, n in r.cells.items()}
    assert {what: n for what, n in wrong.items() if what[1] != "made" and n} == {}
