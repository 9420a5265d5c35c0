"""Endurance: growth and drift by hand, faults that slip through, and the command through real engines."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yochi_bench.cli import command
from yochi_bench.endurance import (
    EVERY,
    FAULTS,
    NO_FAULT,
    drift_table,
    endure,
    growth_table,
    slope_per_thousand,
)
from yochi_bench.memory import process_use
from yochi_bench.report import read_report
from yochi_bench.workload import shipped
from yochi_runtime.gates import check_content
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.limits import GateError

from tests.fixtures.tiny_bundle import TinyBundle

from .timed_judge import FakeJudge, asked, box


def test_a_line_through_memory() -> None:
    """400 bytes more each judgement are 400 KB per 1,000; noise around them cancels."""
    held = [(at, 50_000_000 + 400 * at + (8000 if at % 200 else -8000)) for at in range(1000, 10_001, 100)]
    assert slope_per_thousand(held).value == pytest.approx(400, abs=1)
    assert slope_per_thousand(held[:10]).value is None


def test_growth_leaves_the_first_tenth_out() -> None:
    used = [(at, {"all": (10**9 if at <= 10 else 2_000_000, 7 + at)}) for at in range(1, 101)]
    (row,) = growth_table(used, 100).rows
    assert row.cells["growth"].value == pytest.approx(0, abs=1e-6)
    assert (row.cells["descriptors after a tenth"].value, row.cells["descriptors at the end"].value) == (
        18,
        107,
    )


def test_drift_by_hand() -> None:
    table = drift_table([10.0] * 20 + [1.0] * 160 + [30.0] * 20)
    assert [row.cells["p50"].value for row in table.rows] == [10.0, 30.0]


@pytest.fixture
def fake_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yochi_bench.endurance.process_use", lambda: {"all": (1, 1)})


@pytest.mark.usefixtures("fake_use")
def test_a_judge_that_lets_every_fault_pass_is_found() -> None:
    """The fake knows no gates: all three faults of 30 frames are missed, no good frame is refused."""
    tables, _ = endure(box(FakeJudge()), asked(), 3 * EVERY, seed=0)
    (faults,) = [table for table in tables if table.id == "faults"]
    counts = {row.id: (row.cells["made"].value, row.cells["wrong"].value) for row in faults.rows}
    assert counts == {NO_FAULT: (27, 0), **dict.fromkeys(FAULTS, (1, 1))}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_every_fault_is_one_that_the_gates_refuse(fault: str) -> None:
    for image in islice(shipped(("en",)).images, 0, 100, 40):
        frame = Frame(FAULTS[fault](read_frame(image).rgb, np.random.default_rng(0)))
        with pytest.raises(GateError):
            check_content(frame)


def test_a_process_knows_its_memory_and_descriptors(tmp_path: Path) -> None:
    before = process_use()
    with (tmp_path / "a").open("w"):
        held = process_use()["yochi-bench"]
    assert held[0] > 10_000_000
    assert held[1] == before["yochi-bench"][1] + 1


def test_the_command(
    tiny: TinyBundle, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[Any] = ["endurance", tmp_path / "out", "--image", photos / "0.png", "--note", "Sweep."]
    more = ["--bundle", tiny.folder, "--count", EVERY, "--threads", 1]
    assert command([str(word) for word in (*words, *more)]) == 0, capsys.readouterr().err
    report = read_report(tmp_path / "out" / "report.json")
    rows = {row.id: row.cells for row in report.table("growth").rows}
    assert {"yochi-bench", "language engine", "vision engine", "all"} <= set(rows)
    assert rows["all"]["growth"].value is None  # ten judgements say nothing
    assert report.table("faults").rows[0].cells["wrong"].value == 9  # nobody trusts this bundle
