"""Fronts of a sweep: dominance by hand and as a property, and the command on a sweep's report."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.cli import command
from yochi_bench.quantization import front, quantization
from yochi_bench.report import Column, Number, Report, Row, Table
from yochi_runtime.errors import UsageError

from .reports import report, valid_report

SWEEP = "yochi-export sweep RUN OUT"
# latency ms, size bytes, miss: `slow` is beaten by `fp16` in all three, `int8` is small, `fp32` misses least.
RUNGS = {
    "fp32": (12.0, 4e7, 0.04),
    "fp16": (11.0, 2e7, 0.05),
    "int8": (7.0, 1e7, 0.09),
    "slow": (13.0, 3e7, 0.06),
}


def sweep(**changed: object) -> Report:
    columns = (Column(id="latency", unit="ms"), Column(id="size", unit="bytes"), Column(id="miss", unit="1"))
    rows = [
        Row(id=name, cells={c.id: Number(value=v) for c, v in zip(columns, values, strict=True)})
        for name, values in RUNGS.items()
    ]
    broken = {"latency": Number(value=None, reason="expected a graph that runs, got none")}
    table = Table(id="sweep", title="Rungs", columns=columns, rows=(*rows, Row(id="q4", cells=broken)))
    return report(**{"kind": "sweep", "command": SWEEP, "tables": (table,), "plots": (), **changed})


def test_the_front_by_hand() -> None:
    made = quantization(sweep(), "yochi-bench quantization A OUT")
    fronts = {row.id: row.cells["miss"].value for row in made.table("fronts").rows}
    assert fronts == {"fp32": 1.0, "fp16": 1.0, "int8": 1.0, "slow": 0.0, "q4": 0.0}
    line, *marks = made.plots[0].series
    assert (line.x, line.y) == ((7.0, 11.0, 12.0), (0.09, 0.05, 0.04))
    assert [mark.name for mark in marks] == ["fp32, 40 MB", "fp16, 20 MB", "int8, 10 MB", "slow, 30 MB"]
    before = sweep()
    assert (made.machine, made.bundle, made.date) == (before.machine, before.bundle, before.date)
    assert f"Measured by: {SWEEP}" in made.notes


costs = st.dictionaries(
    st.text(min_size=1, max_size=2), st.tuples(*[st.integers(0, 3).map(float)] * 3), min_size=1
)


@given(costs)
def test_whoever_is_left_out_is_beaten_by_one_on_the_front(rungs: dict[str, tuple[float, ...]]) -> None:
    kept = front(rungs)
    assert kept
    for name, own in rungs.items():
        as_good = [k for k in kept if all(a <= b for a, b in zip(rungs[k], own, strict=True))]
        assert as_good
        assert (name in kept) == all(rungs[k] == own for k in as_good)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "quality"}, "expected a report of yochi-export sweep, got one of quality"),
        ({"tables": report().tables}, "columns latency and size"),
        ({"tables": (sweep().tables[0].model_copy(update={"rows": ()}),)}, "expected a rung with latency"),
    ],
)
def test_what_is_no_sweep_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quantization(sweep(**changed), "c")


@pytest.mark.parametrize("given", ["swept", "swept/sweep", "swept/sweep/report.json"])
def test_the_command_draws_the_fronts_of_a_sweeps_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    (tmp_path / "swept" / "sweep").mkdir(parents=True)
    (tmp_path / "swept" / "sweep" / "report.json").write_text(sweep().model_dump_json(), encoding="utf-8")
    file, out = tmp_path / given, tmp_path / "out"
    assert command(["quantization", str(file), str(out)]) == 0, capsys.readouterr().err
    found = valid_report(out / "report.json")
    assert found.command == f"yochi-bench quantization {file} {out}"
    assert "beaten by none" in (out / "report.html").read_text("utf-8")
    drawn = ElementTree.parse(out / "quantization-latency-and-miss.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{space}circle")) == len(RUNGS)
    assert len(drawn.findall(f"{space}polyline")) == 1
    words = [text.text for text in drawn.findall(f"{space}text")]
    assert {"beaten by none", "int8, 10 MB", "latency [ms]", "miss"} <= set(words)


def test_a_folder_without_a_report_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["quantization", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "expected a report at" in capsys.readouterr().err
