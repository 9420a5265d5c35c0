"""Latency: what is asked of the judge in each case, the arithmetic, and the command around it."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest
import yochi_runtime
from PIL import Image
from typer.testing import CliRunner
from yochi_bench import cli, latency
from yochi_runtime.errors import BundleError, CannotJudge, Reason
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.judgement import GO_ON, Identities, Judgement, cannot_judge
from yochi_runtime.verdict import Verdict


class FakeJudge:
    """Keeps what it was asked, and knows the last frame like the real judge."""

    def __init__(self, reason: Reason | None = None) -> None:
        self.asked: list[Inspection] = []
        self.reason = reason

    def judge(self, inspection: Inspection) -> Judgement:
        known = bool(self.asked) and self.asked[-1].frame.sha256 == inspection.frame.sha256
        self.asked.append(inspection)
        if self.reason is not None:
            failed = cannot_judge(self.reason, "expected an engine, got none; restart")
            return failed.model_copy(update={"timings_ms": {"judge": 1.0}})
        timings = {"vision": 0.0 if known else 100.0, "slots": 10.0}
        return Judgement(
            verdict=Verdict.PROCEED, advice=GO_ON, timings_ms=timings, identities=Identities(engine="fake")
        )

    def __enter__(self) -> "FakeJudge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.asked.clear()


def inspection(note: str = "Sweep the floor.", shade: int = 9) -> Inspection:
    return Inspection(Frame(np.full((40, 50, 3), shade, dtype=np.uint8)), Note(note))


def test_three_cases_cost_what_they_must() -> None:
    report = latency.measure(FakeJudge(), [inspection(), inspection("Lift it.")], warmup=2, n=5)
    seen = {name: case["stages"]["vision"] for name, case in report["cases"].items()}
    assert seen == {
        "new_frame": {"p50": 100.0, "p90": 100.0, "n": 5},
        "new_note": {"p50": 0.0, "p90": 0.0, "n": 5},
        "same_again": {"p50": 0.0, "p90": 0.0, "n": 5},
    }
    assert report["first_ms"]["vision"] == 100.0
    assert report["cases"]["new_note"]["stages"][latency.WALL]["n"] == 5
    assert report["identities"]["engine"] == "fake"


def test_even_without_warmup_only_new_frames_are_new() -> None:
    report = latency.measure(FakeJudge(), [inspection(), inspection("Lift it.")], warmup=0, n=3)
    assert report["cases"]["new_note"]["stages"]["vision"]["p90"] == 0.0
    assert report["cases"]["same_again"]["stages"]["vision"]["p90"] == 0.0


def test_new_frames_differ_in_one_pixel_and_leave_the_given_one_alone() -> None:
    judge, given = FakeJudge(), inspection(shade=255)
    before = given.frame.rgb.copy()
    latency.measure(judge, [given], warmup=0, n=4)
    new = [asked.frame for asked in judge.asked[1:5]]
    assert len({frame.sha256 for frame in (given.frame, *new)}) == 5
    assert all((frame.rgb != before).any(axis=2).sum() == 1 for frame in new)
    assert np.array_equal(given.frame.rgb, before)


def test_new_notes_alternate_on_one_frame() -> None:
    judge = FakeJudge()
    latency.measure(judge, [inspection("a"), inspection("b", shade=7)], warmup=0, n=4)
    of_case = judge.asked[5:10]  # after the first one and four new frames
    assert [asked.note.raw for asked in of_case] == ["a", "b", "a", "b", "a"]
    assert len({asked.frame.sha256 for asked in of_case}) == 1


def test_one_note_leaves_the_case_unmeasured_with_its_reason() -> None:
    report = latency.measure(FakeJudge(), [inspection(), inspection(shade=1)], warmup=0, n=2)
    assert report["cases"]["new_note"]["stages"] is None
    assert "at least two different notes" in report["cases"]["new_note"]["reason"]
    assert "new_note: not measured" in latency.render(report)


def test_failures_are_not_timed() -> None:
    with pytest.raises(CannotJudge, match="expected an engine") as caught:
        latency.measure(FakeJudge(Reason.ENGINE_FAILED), [inspection()])
    assert caught.value.reason is Reason.ENGINE_FAILED


def test_an_unproved_bundle_may_be_timed() -> None:
    report = latency.measure(FakeJudge(Reason.UNPROVED), [inspection()], warmup=0, n=2)
    assert report["cases"]["same_again"]["stages"]["judge"]["p50"] == 1.0


@pytest.mark.parametrize(
    ("inspections", "warmup", "n"), [([], 0, 1), ([inspection()], -1, 1), ([inspection()], 0, 0)]
)
def test_nothing_to_measure_is_refused(inspections: list[Inspection], warmup: int, n: int) -> None:
    with pytest.raises(ValueError, match="expected inspections"):
        latency.measure(FakeJudge(), inspections, warmup, n)


def test_percentiles_by_hand() -> None:
    timings: list[dict[str, float]] = [{"a": float(ms)} for ms in (10, 20, 30, 40, 50)]
    timings[0]["evidence"] = 7.0
    found = latency.percentiles(timings)
    assert found["a"] == {"p50": 30.0, "p90": 46.0, "n": 5}  # 0.9 * 4 = 3.6 steps: 40 + 0.6 * 10
    assert found["evidence"] == {"p50": 7.0, "p90": 7.0, "n": 1}


def test_peak_memory_is_the_kernels_number(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\n", encoding="ascii")
    assert latency.peak_rss_bytes(status) == (2048 * 1024, None)
    held, why = latency.peak_rss_bytes()
    assert why is None
    assert held is not None
    assert held > 10_000_000


def test_the_engines_memory_counts_too() -> None:
    code = "held = b'x' * 50_000_000; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        both, _ = latency.peak_rss_bytes_of_all()
        alone, _ = latency.peak_rss_bytes()
        child.communicate(b"\n")
    assert both is not None
    assert alone is not None
    assert both > alone + 50_000_000


def test_memory_that_cannot_be_read_is_null_with_its_reason(tmp_path: Path) -> None:
    held, why = latency.peak_rss_bytes(tmp_path / "none")
    assert held is None
    assert why is not None
    assert "only Linux" in why
    empty = tmp_path / "status"
    empty.write_text("Name:\tpython\n", encoding="ascii")
    assert latency.peak_rss_bytes(empty)[0] is None


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
    module.Judge = Judge
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


def test_latency_writes_a_table_and_json(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opened: list[dict[str, Any]],
    picture: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "new" / "report"
    notes = ["--note", "Sweep.", "--note", "Lift it."]
    assert run(monkeypatch, "latency", out, "--image", picture, *notes, "--count", 3, "--threads", 1) == 0
    assert opened == [{"bundle_path": None, "threads": 1}]
    shown = capsys.readouterr().out.splitlines()
    report = json.loads(shown[-1])
    assert report == json.loads((out / "latency.json").read_text(encoding="utf-8"))
    assert (out / "latency.txt").read_text(encoding="utf-8").splitlines() == shown[:-1]
    assert shown[0].split()[-3:] == ["new_frame", "new_note", "same_again"]
    assert (report["count"], report["threads"], report["cases"]["new_frame"]["stages"]["slots"]["n"]) == (
        3,
        1,
        3,
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

    monkeypatch.setattr(cli, "_measure", fails)
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
