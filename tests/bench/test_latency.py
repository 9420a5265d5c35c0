"""Latency: what is asked of the judge in each case, arithmetic on a clock of our own, and the command."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
import yochi_runtime
from PIL import Image
from typer.testing import CliRunner
from yochi_bench import cli
from yochi_bench.camera_stream import AGE, GATES, SHOWN, stream
from yochi_bench.latency import Measured, Plan, measure, reading_notes
from yochi_bench.machine import EnergyMeter
from yochi_bench.report import Report, read_report
from yochi_bench.timed import WALL, Box, Clock
from yochi_bench.workload import Asked
from yochi_runtime.audit.log import AuditLog
from yochi_runtime.errors import BundleError, CannotJudge, Reason
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judgement import GO_ON, Identities, Judgement, cannot_judge
from yochi_runtime.opening import read_bundle
from yochi_runtime.verdict import Verdict


class FakeTime:
    """A clock that only goes on when somebody works or sleeps."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class FakeJudge:
    """Keeps what it was asked, knows the last frame like the real judge, and takes time on the fake clock.

    0.110 s for a new frame, 0.010 s for one that is known.
    """

    bundle = read_bundle(None)

    def __init__(self, reason: Reason | None = None, time: FakeTime | None = None) -> None:
        self.asked: list[Inspection] = []
        self.reason, self.time = reason, time or FakeTime()

    def judge(self, inspection: Inspection) -> Judgement:
        known = bool(self.asked) and self.asked[-1].frame.sha256 == inspection.frame.sha256
        first = not self.asked
        self.asked.append(inspection)
        self.time.at += 0.010 if known else 0.110
        if self.reason is not None:
            failed = cannot_judge(self.reason, "expected an engine, got none; restart")
            return failed.model_copy(update={"timings_ms": {"judge": 1.0}})
        timings = {"vision": 0.0 if known else 100.0, "note": 10.0} | ({"load": 500.0} if first else {})
        return Judgement(
            verdict=Verdict.PROCEED, advice=GO_ON, timings_ms=timings, identities=Identities(engine="fake")
        )

    def __enter__(self) -> "FakeJudge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.asked.clear()


def frame(shade: int = 9) -> Frame:
    return Frame(np.full((40, 50, 3), shade, dtype=np.uint8))


def asked(*notes: str, shade: int = 9) -> Asked:
    return Asked("drawn", (frame(shade),), tuple(Note(text) for text in notes or ("Sweep.", "Lift it.")))


def box(judge: FakeJudge) -> Box:
    return Box(judge, AuditLog(None), clock=judge.time.clock())


@pytest.fixture
def good_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera's gates let every drawn frame pass."""
    monkeypatch.setattr("yochi_bench.camera_stream.StreamGates.check", lambda *_: ())


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
    assert "reader of signs" in str(reasons["sign text"])
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


def test_failures_are_not_timed() -> None:
    with pytest.raises(CannotJudge, match="expected an engine") as caught:
        run_of(FakeJudge(Reason.ENGINE_FAILED), asked(), 0, 1)
    assert caught.value.reason is Reason.ENGINE_FAILED


def test_a_row_that_is_not_durable_is_a_failure(tmp_path: Path) -> None:
    lost = AuditLog(tmp_path / "no folder" / "audit.db")
    with pytest.raises(CannotJudge, match="add this judgement's row"):
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
    assert [row.id for row in times.rows] == [AGE, GATES, SHOWN]
    assert times.rows[2].cells["max"].value == pytest.approx(140.0)
    shown = {row.id: [n.value for n in row.cells.values()] for row in counts.rows}
    assert shown == {
        "offered": [9],
        "judged": [4],
        "passed over": [5],
        "judged a second": [pytest.approx(4 / 0.44)],
    }


def test_a_stale_frame_is_refused_as_on_the_box() -> None:
    """At 0.01 frames a second frame 0 is 40 s old when the next judgement begins."""
    slow = FakeJudge()

    def judge(inspection: Inspection) -> Judgement:
        slow.time.at += 40.0
        return FakeJudge().judge(inspection)

    slow.judge = judge  # type: ignore[method-assign]
    with pytest.raises(CannotJudge) as caught:
        stream(box(slow), frames(), 1 / 30, 2)
    assert caught.value.reason is Reason.FRAME_STALE


# The command


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "frame.png"
    Image.new("RGB", (64, 48), (10, 20, 30)).save(path)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts a fake in the place of `yochi_runtime.judge`; lists how it was opened."""
    calls: list[dict[str, Any]] = []

    class Judge:
        @staticmethod
        def open(bundle_path: Path | None = None, **options: Any) -> FakeJudge:
            calls.append({"bundle_path": bundle_path, **options})
            if bundle_path is not None:
                raise BundleError(Reason.BUNDLE_CHANGED, "expected the bundle\nas packed, got another")
            return FakeJudge()

    class Module:
        pass

    module: Any = Module()
    module.Judge, module.MAX_THREADS = Judge, 4
    monkeypatch.setitem(sys.modules, "yochi_runtime.judge", module)
    monkeypatch.setattr(yochi_runtime, "judge", module, raising=False)
    return calls


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    """The command as installed; its exit code."""
    monkeypatch.setattr(sys, "argv", ["yochi-bench", *map(str, args)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    return 0 if code is None else int(code)


@pytest.mark.usefixtures("good_frames")
def test_latency_writes_table_json_and_page(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opened: list[dict[str, Any]],
    picture: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "new" / "report"
    notes = ["--note", "Sweep.", "--note", "Lift it."]
    assert (
        run(
            monkeypatch,
            "latency",
            out,
            "--image",
            picture,
            *notes,
            "--count",
            3,
            "--rate",
            50,
            "--threads",
            1,
        )
        == 0
    )
    assert opened == [{"bundle_path": None, "threads": 1}]
    shown = capsys.readouterr().out.splitlines()
    report = read_report(out / "report.json")
    assert Report.model_validate(json.loads(shown[-1])) == report
    assert (out / "report.txt").read_text(encoding="utf-8").splitlines() == shown[:-1]
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.txt"]
    assert (report.threads, report.settings["count"]) == (1, 3)
    assert report.table("new_frame").rows[-1].cells["max"].n == 3
    assert report.bundle.sha256 == FakeJudge.bundle.sha256
    assert report.command == (
        f"yochi-bench latency {out} --image {picture} --note Sweep. --note 'Lift it.' --count 3 --warmup 3 "
        "--rate 50.0 --threads 1"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing command"),
        (["nonsense"], "No such command"),
        (["latency"], "Missing"),
        (["latency", "{out}", "--nonsense"], "No such option"),
        (["latency", "{out}", "--image", "{none}", "--note", "a"], "expected an image file at"),
        (["latency", "{out}", "--image", "{picture}", "--note", "a", "--count", "0"], "--count"),
        (["latency", "{picture}", "--image", "{picture}", "--note", "a"], "expected to make the folder"),
    ],
)
def test_a_wrong_call_is_exit_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opened: list[dict[str, Any]],
    picture: Path,
    tmp_path: Path,
    args: list[str],
    message: str,
) -> None:
    filled = [a.format(out=tmp_path / "out", none=tmp_path / "none.jpg", picture=picture) for a in args]
    assert run(monkeypatch, *filled) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert message in shown.err
    assert opened == []


@pytest.mark.parametrize(
    ("more", "note", "message"),
    [(["--bundle", "."], "a", "expected the bundle as packed"), ([], "", "expected a note")],
)
def test_what_cannot_be_judged_is_exit_3_and_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opened: list[dict[str, Any]],
    picture: Path,
    tmp_path: Path,
    more: list[str],
    note: str,
    message: str,
) -> None:
    assert run(monkeypatch, "latency", tmp_path / "out", "--image", picture, "--note", note, *more) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert message in shown.err
    assert len(opened) == len(more) // 2


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("odd"), 1, "report it with the output of --debug"),
    ],
)
def test_interrupts_and_faults_show_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
    raised: BaseException,
    code: int,
    message: str,
) -> None:
    def fails(*_: object) -> None:
        raise raised

    monkeypatch.setattr(cli, "_latency", fails)
    assert run(monkeypatch, "latency", tmp_path / "out", "--image", picture, "--note", "a") == code
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 1
    assert message in shown


def test_debug_shows_what_was_raised(opened: list[dict[str, Any]], picture: Path, tmp_path: Path) -> None:
    args = [
        "latency",
        str(tmp_path / "out"),
        "--image",
        str(picture),
        "--note",
        "a",
        "--bundle",
        ".",
        "--debug",
    ]
    result = CliRunner().invoke(cli.app, args)
    assert isinstance(result.exception, BundleError)
    assert len(opened) == 1


def test_help_names_what_can_be_given() -> None:
    shown = CliRunner().invoke(cli.app, ["latency", "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert all(option in shown.output for option in ("--image", "--note", "--bundle", "--count", "--threads"))
