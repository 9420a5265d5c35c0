"""`yochi-bench latency` as it is typed: its files, exit codes and lines."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yochi_runtime
from PIL import Image
from typer.testing import CliRunner
from yochi_bench import cli
from yochi_bench.report import Report
from yochi_runtime.errors import BundleError, Reason

from .reports import valid_report
from .timed_judge import FakeJudge


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
    report = valid_report(out / "report.json")
    assert Report.model_validate(json.loads(shown[-1])) == report
    assert (out / "report.txt").read_text(encoding="utf-8").splitlines() == shown[:-1]
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == [
        "report.html",
        "report.json",
        "report.txt",
        "share-of-judgements-that-are-ready-by-then.svg",
    ]
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
