"""Latency: what is asked of the judge in each case, and arithmetic on a clock of our own."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from yochi_bench.camera_stream import AGE, GATES, SHOWN, stream
from yochi_bench.energy import EnergyMeter
from yochi_bench.latency import Measured, Plan, measure, reading_notes
from yochi_bench.timed import WALL, Box
from yochi_bench.workload import Asked
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import CannotJudge, Reason
from yochi_runtime.inspection import Inspection
from yochi_runtime.judgement import Judgement

from .timed_judge import FakeJudge, asked, box


def run_of(judge: FakeJudge, what: Asked, warmup: int, count: int) -> Measured:
    return measure(box(judge), what, Plan(warmup, count, 2.0))


def cells(found: Measured, table: str, row: str) -> dict[str, float | None]:
    (one,) = (t for t in found.tables if t.id == table)
    (cells,) = (r.cells for r in one.rows if r.id == row)
    return {name: number.value for name, number in cells.items()}


@pytest.mark.usefixtures("good_frames")
def test_three_cases_cost_what_they_must() -> None:
    found = run_of(FakeJudge(), asked(), warmup=2, count=11)
    assert cells(found, "new_frame", "vision") == {"p50": 100.0, "p90": None, "p99": None, "max": 100.0}
    assert cells(found, "new_note", "vision")["max"] == 0.0
    assert cells(found, "same_again", "vision")["max"] == 0.0
    assert cells(found, "new_frame", WALL)["p50"] == pytest.approx(110.0)
    assert cells(found, "same_again", WALL)["max"] == pytest.approx(10.0)


@pytest.mark.usefixtures("good_frames")
def test_the_cold_start_stands_apart() -> None:
    found = run_of(FakeJudge(), asked(), warmup=0, count=2)
    assert cells(found, "cold", "load") == {"once": 500.0}
    assert cells(found, "cold", "load and first verdict")["once"] == pytest.approx(610.0)
    assert all(row.id != "load" for t in found.tables if t.id == "new_frame" for row in t.rows)


@pytest.mark.usefixtures("good_frames")
def test_even_without_warmup_only_new_frames_are_new() -> None:
    found = run_of(FakeJudge(), asked(), warmup=0, count=3)
    assert cells(found, "new_note", "vision")["max"] == 0.0
    assert cells(found, "same_again", "vision")["max"] == 0.0


@pytest.mark.usefixtures("good_frames")
def test_a_stage_that_never_ran_is_null_with_its_reason() -> None:
    (table,) = (t for t in run_of(FakeJudge(), asked(), 0, 2).tables if t.id == "new_frame")
    reasons = {row.id: row.cells["p50"].reason for row in table.rows}
    assert "--rules" in str(reasons["rules"])
    assert "yochi[ocr]" in str(reasons["sign text"])
    assert [row.id for row in table.rows][-1] == WALL


@pytest.mark.usefixtures("good_frames")
def test_new_frames_differ_in_one_pixel_and_leave_the_given_one_alone() -> None:
    judge, given = FakeJudge(), asked(shade=255)
    before = given.frames[0].rgb.copy()
    run_of(judge, given, warmup=0, count=4)
    new = [one.frame for one in judge.asked[1:5]]
    assert len({frame.sha256 for frame in (given.frames[0], *new)}) == 5
    assert all((frame.rgb != before).any(axis=2).sum() == 1 for frame in new)
    assert np.array_equal(given.frames[0].rgb, before)


@pytest.mark.usefixtures("good_frames")
def test_new_notes_alternate_on_one_frame() -> None:
    judge = FakeJudge()
    run_of(judge, asked("a", "b"), warmup=0, count=4)
    of_case = judge.asked[5:10]  # after the first one and four new frames
    assert [one.note.raw for one in of_case] == ["a", "b", "a", "b", "a"]
    assert len({one.frame.sha256 for one in of_case}) == 1


@pytest.mark.usefixtures("good_frames")
def test_one_note_leaves_the_case_unmeasured_with_its_reason() -> None:
    found = run_of(FakeJudge(), asked("a"), warmup=0, count=2)
    (table,) = (t for t in found.tables if t.id == "new_note")
    assert "at least two different notes" in str(table.rows[0].cells["p50"].reason)


@pytest.mark.usefixtures("good_frames")
def test_energy_is_a_judgements_share(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("1000000000\n")
    used = iter(range(0, 6_000_000, 1_000_000))  # one more joule at every look

    def meter() -> EnergyMeter:
        (zone / "energy_uj").write_text(f"{next(used)}\n")
        made = EnergyMeter(tmp_path)
        (zone / "energy_uj").write_text(f"{next(used)}\n")
        return made

    found = measure(box(FakeJudge()), asked(), Plan(0, 4, 2.0), meter)
    assert cells(found, "energy", "new_frame") == {"joules": 0.25}
    (table,) = (t for t in found.tables if t.id == "energy")
    assert table.caption.startswith("RAPL counts")


def test_failures_are_not_timed() -> None:
    with pytest.raises(CannotJudge, match="expected an engine") as caught:
        run_of(FakeJudge(Reason.ENGINE_FAILED), asked(), 0, 1)
    assert caught.value.reason is Reason.ENGINE_FAILED


def test_a_row_that_is_not_durable_is_a_failure(tmp_path: Path) -> None:
    lost = AuditLog(tmp_path / "no folder" / "audit.db")
    with pytest.raises(CannotJudge, match="expected to add a row to"):
        measure(Box(FakeJudge(), lost), asked(), Plan(0, 1, 1.0))


@pytest.mark.usefixtures("good_frames")
def test_an_unproved_bundle_may_be_timed() -> None:
    assert cells(run_of(FakeJudge(Reason.UNPROVED), asked(), 0, 2), "same_again", "judge")["max"] == 1.0


@pytest.mark.parametrize("wrong", [(-1, 1, 1.0), (0, 0, 1.0), (0, 1, 0.0)])
def test_nothing_to_measure_is_refused(wrong: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="expected warmup"):
        Plan(*wrong)


def test_a_reader_is_told_what_so_few_do_not_carry() -> None:
    assert reading_notes(Plan(0, 662, 1.0)) == []
    assert reading_notes(Plan(0, 64, 1.0)) == ["64 judgements a case do not carry p99; --count 662 does."]


# The camera: frame k arrives at k / rate on the fake clock.


def frames() -> Iterator[Inspection]:
    return asked().new_frames()


@pytest.mark.usefixtures("good_frames")
def test_a_fast_judge_waits_for_every_frame() -> None:
    """0.11 s a judgement, a frame each 0.5 s: none is missed, each is judged as it comes."""
    judge = FakeJudge()
    found = stream(box(judge), frames(), 2.0, 3)
    assert found.ages == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert found.shown == pytest.approx([110.0] * 3)
    assert judge.time.slept == pytest.approx([0.39, 0.39])
    assert [one["vision"] for one in found.stages] == [100.0] * 3
    assert found.offered == 3
    assert found.seconds == pytest.approx(1.11)


@pytest.mark.usefixtures("good_frames")
def test_a_slow_judge_passes_frames_over_and_its_frames_are_old() -> None:
    """0.11 s a judgement, a frame each 0.04 s. Begun at 0, 0.11, 0.22, 0.33 with frames 0, 2, 5, 8, which
    arrived at 0, 0.08, 0.20, 0.32."""
    judge = FakeJudge()
    found = stream(box(judge), frames(), 25.0, 4)
    assert found.ages == pytest.approx([0.0, 30.0, 20.0, 10.0])
    assert found.shown == pytest.approx([110.0, 140.0, 130.0, 120.0])
    assert found.offered == 9
    times, counts = found.tables(25.0)
    parts = {row.id: row.cells["max"].value for row in times.rows}
    assert list(parts)[:2] == [AGE, GATES]
    assert list(parts)[-1] == SHOWN
    assert [parts[name] for name in (SHOWN, "vision", WALL)] == pytest.approx([140.0, 100.0, 110.0])
    shown = {row.id: [n.value for n in row.cells.values()] for row in counts.rows}
    assert shown == {
        "offered": [9],
        "judged": [4],
        "passed over": [5],
        "judged a second": [pytest.approx(4 / 0.44)],
    }


def test_a_stale_frame_is_refused_as_on_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one frame in 30 s frame 1 is 10 s old when the next judgement begins."""
    slow = FakeJudge()
    monkeypatch.setattr("yochi_runtime.stream.time", SimpleNamespace(monotonic=lambda: slow.time.at))

    def judge(inspection: Inspection) -> Judgement:
        slow.time.at += 40.0
        return FakeJudge().judge(inspection)

    slow.judge = judge  # type: ignore[method-assign]
    with pytest.raises(CannotJudge) as caught:
        stream(box(slow), frames(), 1 / 30, 2)
    assert caught.value.reason is Reason.FRAME_STALE
