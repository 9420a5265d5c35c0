"""Two reports: what is refused, and what is said of a difference."""

from pathlib import Path
from typing import Any

import pytest
from yochi_bench.cli import command
from yochi_bench.compare import change, compare, refusals
from yochi_bench.report import Column, Number, Report

from .reports import MACHINE, report


def with_hash(part: str, letter: str) -> dict[str, Any]:
    held = getattr(report(), part)
    return {part: held.model_copy(update={"sha256": letter * 64})}


DIFFERENT: dict[str, dict[str, Any]] = {
    "kind": {"kind": "peers"},
    "workload": with_hash("workload", "e"),
    "bundle": with_hash("bundle", "e"),
    "threads": {"threads": 4},
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_is_not_comparable_is_refused_and_named(what: str) -> None:
    found = refusals(report(), report(**DIFFERENT[what]))
    assert len(found) == 1
    assert found[0].startswith(f"{what}: ")


def test_every_reason_is_named() -> None:
    changed = {name: value for part in DIFFERENT.values() for name, value in part.items()}
    assert len(refusals(report(), report(**changed))) == len(DIFFERENT)


def test_one_thing_may_be_what_is_compared() -> None:
    assert refusals(report(), report(**DIFFERENT["bundle"]), "bundle") == []
    assert refusals(report(), report(**DIFFERENT["bundle"]), "threads") != []


def test_the_machine_and_settings_may_differ_and_are_named() -> None:
    other = report(
        machine=MACHINE.model_copy(update={"sha256": "f" * 64, "cores": 8}), settings={"count": 10}
    )
    shown = compare(report(), other)
    assert "The machines differ." in shown
    assert "Setting count: 64 and 10." in shown
    assert "Setting rules: False and None." in shown


def number(value: float | None, low: float | None = None, high: float | None = None) -> Number:
    return Number(value=value, reason=None if value is not None else "no meter", low=low, high=high)


@pytest.mark.parametrize(
    ("a", "b", "unit", "better", "said"),
    [
        (number(10), number(5), "ms", "lower", "x 0.50, better"),
        (number(10), number(20), "ms", "lower", "x 2.00, worse"),
        (number(10), number(20), "1/s", "higher", "x 2.00, better"),
        (number(10), number(10), "ms", "lower", "x 1.00"),
        (number(10), number(20), "ms", None, "x 2.00"),
        (number(0), number(2), "ms", "lower", "+2 ms, worse"),
        (number(0.5), number(0.4), "1", "higher", "-0.100, worse"),
        (number(0.5, 0.4, 0.6), number(0.6, 0.55, 0.7), "1", "higher", "+0.100, limits overlap"),
        (number(0.5, 0.4, 0.5), number(0.6, 0.55, 0.7), "1", "higher", "+0.100, better"),
        (number(0.6, 0.55, 0.7), number(0.5, 0.4, 0.5), "1", "lower", "-0.100, better"),
        (number(None), number(2), "ms", "lower", "not measured in both"),
    ],
)
def test_a_difference_in_words(a: Number, b: Number, unit: str, better: Any, said: str) -> None:
    assert change(a, b, Column(id="c", unit=unit, better=better)) == said


def saved(folder: Path, name: str, of: Report) -> str:
    path = folder / name
    path.write_text(of.model_dump_json(), encoding="utf-8")
    return str(path)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = saved(tmp_path, "a.json", report())
    b = saved(tmp_path, "b.json", report(**DIFFERENT["bundle"]))
    assert command(["compare", a, a]) == 0
    assert "whole call p50" in capsys.readouterr().out
    assert command(["compare", a, b]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "got bundle: bbbbbbbbbbbb and eeeeeeeeeeee" in err
    assert command(["compare", a, b, "--across", "bundle"]) == 0
    assert command(["compare", a, str(tmp_path)]) == 2
