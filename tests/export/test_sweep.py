"""The sweep: which rung is recommended and why, and two rungs of a tiny run through everything."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yochi_bench.cli import command as bench_command
from yochi_bench.intervals import Interval
from yochi_bench.noninferiority import NonInferiority
from yochi_bench.report import Number
from yochi_bench.verdicts import Rate
from yochi_export import cli, rung_cost, sweep
from yochi_export.options import NOT_PROVED
from yochi_export.order import Order
from yochi_export.parity import Parity
from yochi_export.rung_cost import RungCost, together
from yochi_export.rungs import VisionRung
from yochi_export.sweep import Sweep, Swept, recommend, verdict_of
from yochi_export.targets import Target, choose
from yochi_runtime.bundle import Bundle, open_bundle

from tests.bench.reports import valid_report
from tests.fixtures.tiny_bundle import make_bundle

from .conftest import COUNT

LIMITS = Interval(0.0, 0.0, 0.0, 0.9, 100, 0, {"pictures": 9})
PASSED = Parity(
    records=500,
    pictures=100,
    templates=90,
    slots=40,
    mean_difference=0.004,
    max_difference=0.1,
    worst_slot="cue:fire",
    flips={"stop->caution": 2},
    flip_rate=0.004,
    flip_limit=0.0125,
    stops_lost=0,
    miss=NonInferiority(310, 0, 0, 0.01, LIMITS, 0.0097),
    drifts=(),
)

FAILED = replace(PASSED, flip_limit=0.03, stops_lost=1)
MB = 10**6


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("swept")).folder)


def swept(bundle: Bundle, rung: VisionRung, ms: float, size: int, parity: Parity, peak: int = 500) -> Swept:
    cost = RungCost(ms=(ms,) * 24, peak=Number(value=peak * MB))
    return Swept(rung, bundle, size * MB, cost, parity, Rate(3, 310), Rate(20, 190))


@pytest.fixture(scope="module")
def ladder(bundle: Bundle) -> list[Swept]:
    return [
        swept(bundle, VisionRung.FP32, 100.0, 26, PASSED),
        swept(bundle, VisionRung.FP16, 101.0, 13, PASSED),
        swept(bundle, VisionRung.STATIC, 90.0, 10, FAILED),
        swept(bundle, VisionRung.NBITS8, 104.0, 9, PASSED),
        swept(bundle, VisionRung.NBITS4, 106.0, 8, PASSED),
    ]


def test_of_the_proved_and_fast_the_smallest_is_recommended(ladder: list[Swept]) -> None:
    """101 and 104 ms are within 5 % of 100, 106 are not; the fastest of all is not proved."""
    choice = choose(Target.X86, 26 * MB, 271 * MB, fixed=True)
    best, why = recommend(ladder, choice)
    assert best is ladder[3]
    assert why.startswith("Recommended for generic-x86: nbits-8")
    assert "not proved: int8-static" in why
    on_gpu, _ = recommend(ladder, replace(choice, target=Target.CUDA, vision=(VisionRung.FP16,)))
    assert on_gpu is ladder[1]


def test_what_is_not_proved_or_does_not_fit_is_never_recommended(ladder: list[Swept]) -> None:
    choice = choose(Target.X86, 26 * MB, 271 * MB, fixed=True)
    undecided = [replace(one, parity=replace(PASSED, records=499)) for one in ladder]
    assert recommend(undecided, choice) == (None, "None is recommended: 0 of 5 rungs are proved, 0 fit.")
    assert recommend(ladder, replace(choice, budget=499 * MB))[0] is None


def test_the_table_marks_it_and_the_notes_say_what_failed(ladder: list[Swept]) -> None:
    choice = choose(Target.X86, 26 * MB, 271 * MB, fixed=True)
    found = Sweep(tuple(ladder), *recommend(ladder, choice), choice)
    rows = {row.id: row.cells for row in found.table().rows}
    assert list(rows) == ["fp32", "fp16", "int8-static", "nbits-8 (recommended)", "nbits-4"]
    assert rows["fp16"]["flips"] == Number(value=0.004, high=0.0125, n=500)
    assert rows["fp16"]["more misses"] == Number(value=0.0, high=0.0097, n=310)
    assert [s.name for s in found.plot().series][-2:] == ["nbits-4", "bar"]
    assert found.notes()[2] == "int8-static: failed; flips up to 3.0%; 1 stops lost"
    assert verdict_of(PASSED) == "passed"


def test_turns_are_one_measurement() -> None:
    turns = [RungCost(ms=(1.0, 2.0), peak=Number(value=7.0)), RungCost(ms=(3.0,), peak=Number(value=9.0))]
    assert together(turns) == RungCost(ms=(1.0, 2.0, 3.0), peak=Number(value=9.0))


def test_two_rungs_of_a_tiny_run(
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sweep, "VisionRung", (VisionRung.FP16, VisionRung.NBITS8))
    monkeypatch.setattr(sweep, "TIMED", 12)  # 11 carry a p50
    monkeypatch.setattr(sweep, "TURNS", 2)
    measured = list[str]()

    def measure_cost(bundle: Path, *of: Any) -> RungCost:
        measured.append(bundle.parent.name)
        return rung_cost.measure_cost(bundle, *of)

    monkeypatch.setattr(sweep, "measure_cost", measure_cost)
    words = ["sweep", order.run.path, order.out, "--records", order.records, "--photos", order.photos]
    call = [str(word) for word in (*words, "--threads", 1, "--count", COUNT)]
    assert cli.command(call) == NOT_PROVED, "six records prove nothing"
    report = valid_report(order.out / "sweep" / "report.json")
    rows = {row.id: row.cells for row in report.table("ladder").rows}
    assert list(rows) == ["fp16", "nbits-8"]
    assert measured == ["fp16", "nbits-8"] * 2  # by turns
    assert rows["nbits-8"]["graph"].value < rows["fp16"]["graph"].value  # type: ignore[operator]
    assert (rows["fp16"]["peak memory"].value or 0) > 50 * MB
    assert any(note.startswith("fp16: undecided") for note in report.notes)
    assert "The rungs of the vision half" in (order.out / "sweep" / "report.html").read_text(encoding="utf-8")
    bundles = [json.loads((order.out / r / "bundle" / "manifest.json").read_text()) for r in rows]
    assert bundles[0]["files"]["vision.onnx"] != bundles[1]["files"]["vision.onnx"]
    fronts = order.out / "fronts"
    assert bench_command(["quantization", str(order.out), str(fronts)]) == 0
    shown = {row.id: row.cells for row in valid_report(fronts / "report.json").table("fronts").rows}
    assert {name: cells["size"].value for name, cells in shown.items()} == {
        name: cells["size"].value for name, cells in rows.items()
    }
    assert shown["nbits-8"]["factor error"].value == 1 or shown["fp16"]["factor error"].value == 1
    assert (fronts / "quantization-latency-and-factor-error.svg").read_text("utf-8").count("<circle") == 2
    capsys.readouterr()
    assert cli.command(call) == NOT_PROVED
    again = capsys.readouterr().err
    assert "time and memory" not in again, "what was measured is not measured again"
    assert "vision as" not in again
