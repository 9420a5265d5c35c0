"""Endurance: growth and drift by hand, faults that slip through, and the command through real engines."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from yochi_bench.camera_faults import (
    EVERY,
    FAULTS,
    LATE,
    LOST,
    NO_FAULT,
    PICTURE_FAULTS,
    STILL,
    STILL_S,
    FaultyCamera,
)
from yochi_bench.cli import command
from yochi_bench.endurance import (
    Plan,
    Reading,
    Run,
    drift_table,
    endure,
    faults_table,
    growth_table,
    heat_table,
    slope_per_thousand,
)
from yochi_bench.memory import process_use
from yochi_bench.report import Number, Table
from yochi_bench.workload import shipped
from yochi_runtime.errors import Reason
from yochi_runtime.gates import check_content
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Inspection
from yochi_runtime.judgement import cannot_judge
from yochi_runtime.limits import GateError
from yochi_runtime.run import Looked, judge_shot
from yochi_runtime.stream import StreamGates

from tests.fixtures.tiny_bundle import TinyBundle

from .reports import valid_report
from .timed_judge import FakeJudge, FakeTime, asked, box

NO_HEAT = Number(value=None, reason="expected a zone, got none")


def reading(at: int, memory: int, descriptors: int = 1, heat: Number = NO_HEAT) -> Reading:
    return Reading(at, {"all": (memory, descriptors)}, heat, NO_HEAT)


def table(found: list[Table], name: str) -> dict[str, dict[str, float | None]]:
    (one,) = (t for t in found if t.id == name)
    return {row.id: {k: n.value for k, n in row.cells.items()} for row in one.rows}


def test_a_line_through_memory() -> None:
    """400 bytes more each judgement are 400 KB per 1,000; noise around them cancels."""
    held = [(at, 50_000_000 + 400 * at + (8000 if at % 200 else -8000)) for at in range(1000, 10_001, 100)]
    assert slope_per_thousand(held).value == pytest.approx(400, abs=1)
    assert slope_per_thousand(held[:10]).value is None


def test_growth_leaves_the_first_tenth_out() -> None:
    readings = [reading(at, 10**9 if at <= 10 else 2_000_000, 7 + at) for at in range(1, 101)]
    (row,) = growth_table(readings).rows
    assert row.cells["growth"].value == pytest.approx(0, abs=1e-6)
    assert (row.cells["descriptors after a tenth"].value, row.cells["descriptors at the end"].value) == (
        18,
        107,
    )


def test_drift_by_hand() -> None:
    table = drift_table([10.0] * 20 + [1.0] * 160 + [30.0] * 20)
    assert [row.cells["p50"].value for row in table.rows] == [10.0, 30.0]
    assert [row.cells["p90"].value for row in table.rows] == [None, None]  # 20 carry none
    assert drift_table([10.0] * 90 + [7.0] * 810).rows[0].cells["p90"].value == 10.0


def test_heat_by_hand() -> None:
    readings = [reading(at, 1, heat=Number(value=degrees)) for at, degrees in enumerate((40.0, 71.5, 60.0))]
    found = table([heat_table(readings)], "heat")
    assert found["hottest zone, degrees C"] == {"first": 40.0, "last": 60.0, "highest": 71.5}
    assert set(found["throttle events"].values()) == {None}
    lost = heat_table([*readings, reading(3, 1)]).rows[0].cells
    assert lost["highest"].reason == NO_HEAT.reason  # a zone that went away is not the coolest


def test_misses_and_false_alarms_by_hand() -> None:
    run = Run()
    run.made.update({NO_FAULT: 90, LOST: 3, LATE: 3})
    run.refused.update({NO_FAULT: 2, LOST: 3, LATE: 1})
    found = table([faults_table(run)], "faults")
    assert found[NO_FAULT] == {"made": 90, "false cannot_judge": 2}
    assert (found[LOST], found[LATE]) == ({"made": 3, "missed": 0}, {"made": 3, "missed": 2})
    assert found[STILL] == {"made": 0, "missed": 0}


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The gates' clock, too; nobody reads memory."""
    made = FakeTime()
    monkeypatch.setattr("yochi_bench.endurance.process_use", lambda: {"all": (1, 1)})
    monkeypatch.setattr("yochi_runtime.stream.time", SimpleNamespace(monotonic=lambda: made.at))
    return made


def test_a_judge_that_lets_every_picture_pass_misses_its_faults(time: FakeTime) -> None:
    """It knows no gates for a picture by itself; the stream's hold without it. 0.11 s each, 5 a second."""
    tables, plots = endure(box(FakeJudge(time=time)), asked(), Plan(count=6 * EVERY), seed=0)
    found = table(tables, "faults")
    assert found[NO_FAULT] == {"made": 54, "false cannot_judge": 0}
    for name in FAULTS:
        assert found[name] == {"made": 1, "missed": int(name in PICTURE_FAULTS)}, name
    # Frame n is repeated as frame n + 1 and waited for until 2.1 s after it; frame n + 10 is the next.
    assert table(tables, "camera_frames")["passed over"]["frames"] == 8
    assert [plot.title for plot in plots] == ["Resident memory", "Time of a judgement over the run"]
    assert plots[1].series[0].x[-1] == 54


def test_a_run_ends_by_the_clock(time: FakeTime) -> None:
    """0.05 min at 5 a second are 15 frames from 0 to 2.8 s; the one at 3.0 is begun in time and ends it."""
    tables, _ = endure(box(FakeJudge(time=time)), asked(), Plan(minutes=0.05), seed=0)
    assert table(tables, "camera_frames")["judged"]["frames"] == 16
    tables, _ = endure(box(FakeJudge(time=time)), asked(), Plan(count=4, minutes=0.05), seed=0)
    assert table(tables, "camera_frames")["judged"]["frames"] == 4


def test_a_good_frame_that_is_refused_is_counted(time: FakeTime) -> None:
    judge = FakeJudge(Reason.ENGINE_FAILED, time)
    tables, _ = endure(box(judge), asked(), Plan(count=20), seed=0)
    assert table(tables, "faults")[NO_FAULT] == {"made": 18, "false cannot_judge": 18}


@pytest.mark.parametrize("wrong", [{}, {"count": 3, "rate": 0.0}])
def test_a_run_needs_an_end_and_a_rate(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected an end"):
        Plan(**wrong)


def test_a_frozen_camera_waits_and_gives_the_same_pixels(time: FakeTime) -> None:
    """Each fault of the stream is refused for its own reason."""
    camera, gates = FaultyCamera(asked().new_frames(), time.clock(), 0), StreamGates()
    reasons: dict[str, Any] = {}

    def look(_: Inspection) -> Looked:
        return Looked(cannot_judge(Reason.ENGINE_FAILED, "asked"))

    for number in range(6 * EVERY):
        time.at = 100.0 + number
        seen = camera.read(time.at)
        judged = judge_shot(seen.shot, look, seen.note, gates)
        reasons.setdefault(seen.fault, judged.judgement.reasons)
    assert (reasons[LATE], reasons[STILL]) == ((Reason.FRAME_STALE,), (Reason.FRAME_FROZEN,))
    assert reasons[LOST] == (Reason.FRAME_UNREADABLE,)
    assert reasons[NO_FAULT] == (Reason.ENGINE_FAILED,)
    assert time.slept == pytest.approx([STILL_S - 1.0])


@pytest.mark.parametrize("fault", list(PICTURE_FAULTS))
def test_every_fault_is_one_that_the_gates_refuse(fault: str) -> None:
    for image in islice(shipped(("en",)).images, 0, 100, 40):
        frame = Frame(PICTURE_FAULTS[fault](read_frame(image).rgb, np.random.default_rng(0)))
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
    more = ["--bundle", tiny.folder, "--count", EVERY, "--rate", 2, "--threads", 1]
    assert command([str(word) for word in (*words, *more)]) == 0, capsys.readouterr().err
    report = valid_report(tmp_path / "out" / "report.json")
    rows = {row.id: row.cells for row in report.table("growth").rows}
    assert {"yochi-bench", "language engine", "vision engine", "all"} <= set(rows)
    assert rows["all"]["growth"].value is None  # ten judgements say nothing
    good = report.table("faults").rows[0].cells
    assert (good["made"].value, good["false cannot_judge"].value) == (9, 9)  # nobody trusts this bundle
    assert report.settings["minutes"] is None
