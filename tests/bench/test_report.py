"""The report form: its published schema, what it refuses, and the page and table made of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError
from yochi_bench.cli import command
from yochi_bench.report import (
    Column,
    Kind,
    Number,
    Plot,
    Report,
    Row,
    Series,
    Table,
    published_schema,
    read_report,
    schema_text,
)
from yochi_bench.report_files import write_report
from yochi_bench.report_kinds import LATER, TABLES
from yochi_bench.report_page import page
from yochi_bench.report_plot import file_name, svg, svg_file
from yochi_bench.report_text import cell, render
from yochi_runtime.errors import UsageError

from .reports import SCHEMA, WORDS, report, valid_report


def test_the_published_schema_is_that_of_the_form() -> None:
    assert published_schema() == schema_text(), "run: yochi-bench schema > .../report.schema.json"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["schema"]) == 0
    assert capsys.readouterr().out == published_schema()


def test_a_report_is_valid_by_another_reader_of_the_schema_and_comes_back() -> None:
    text = whole("quantization").model_dump_json()
    SCHEMA.check_schema(SCHEMA.schema)
    SCHEMA.validate(json.loads(text))
    assert Report.model_validate_json(text) == whole("quantization")


def whole(kind: str) -> Report:
    """One with no more than what its kind must have."""
    tables = [
        Table(id=name, title=name, columns=tuple(Column(id=c, unit="1") for c in columns), rows=())
        for name, columns in TABLES[kind].items()
    ]
    return report(kind=kind, tables=tuple(tables))


def test_every_kind_says_what_it_holds() -> None:
    assert set(get_args(Kind)) == set(TABLES)


@pytest.mark.parametrize("kind", TABLES)
def test_a_report_that_lacks_a_table_or_a_column_is_of_no_kind(kind: str, tmp_path: Path) -> None:
    """By the schema and by our own writer, for each of them."""
    made = whole(kind)
    assert SCHEMA.is_valid(json.loads(made.model_dump_json()))
    for i, table in enumerate(made.tables):
        others = [*made.tables[:i], *made.tables[i + 1 :]]
        shorter = table.model_copy(update={"columns": table.columns[1:] or (Column(id="x", unit="1"),)})
        without = [*others, Table(id="x", title="", columns=table.columns, rows=())]
        for tables in (without, [*others, shorter]):
            broken = report(kind=kind, tables=tuple(tables))
            assert not SCHEMA.is_valid(json.loads(broken.model_dump_json()))
            with pytest.raises(ValueError, match=f"expected a whole report of {kind}, got one without the"):
                write_report(broken, tmp_path)


@pytest.mark.parametrize("kind", LATER)
def test_a_table_that_came_later_may_be_missing_but_not_halved(kind: str) -> None:
    made = whole(kind)
    assert made.lacks() == []
    for name, columns in LATER[kind].items():
        of = tuple(Column(id=c, unit="1") for c in columns)
        for given, lacking in ((of, []), (of[1:], [f"the column {columns[0]} of {name}"])):
            more = report(kind=kind, tables=(*made.tables, Table(id=name, title="", columns=given, rows=())))
            assert more.lacks() == lacking
            assert SCHEMA.is_valid(json.loads(more.model_dump_json())) == (not lacking)


def test_what_was_kept_is_valid() -> None:
    kept = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("*/report.json"))
    assert kept
    for file in kept:
        assert valid_report(file).lacks() == []


@pytest.mark.parametrize(
    "broken", [{"kind": "speed"}, {"format": 2}, {"threads": 0}, {"tables": []}, {"x": 1}]
)
def test_both_readers_refuse_the_same(broken: dict[str, Any]) -> None:
    text = json.loads(whole("quantization").model_dump_json()) | broken
    assert not SCHEMA.is_valid(text)
    with pytest.raises(ValidationError):
        Report.model_validate(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": None},
        {"value": 1.0, "reason": "why not"},
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": 1.0, "n": -1},
    ],
)
def test_a_null_says_why_and_nothing_is_not_a_number(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Number.model_validate(wrong)


def test_columns_rows_and_points_fit_together() -> None:
    one = Column(id="p50", unit="ms")
    row = Row(id="a", cells={"p50": Number(value=1.0)})
    with pytest.raises(ValidationError, match="unique ids"):
        Table(id="t", title="", columns=(one, one), rows=())
    with pytest.raises(ValidationError, match="unique ids"):
        Table(id="t", title="", columns=(one,), rows=(row, row))
    with pytest.raises(ValidationError, match="known columns"):
        Table(id="t", title="", columns=(Column(id="p90", unit="ms"),), rows=(row,))
    with pytest.raises(ValidationError, match="as many y as x"):
        Series(name="s", x=(1.0,), y=())
    with pytest.raises(ValidationError, match="above 0"):
        Plot(title="t", x="", y="", log=True, series=(Series(name="s", x=(0.0,), y=(1.0,)),))


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "give the report.json"), ("{}", "in kind: Field required"), ("no json", "Invalid JSON")],
)
def test_what_is_no_report_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_report(path)


class Parsed(HTMLParser):
    """Tags that are open, names seen, and attributes that load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "xlink:href", "onload")]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open and tag != "p":
            while self.open.pop() != tag:
                pass


def test_the_page_stands_alone_and_escapes_every_word() -> None:
    text = page(report())
    parsed = Parsed()
    parsed.feed(text)
    assert parsed.open == []
    assert parsed.loads == []
    assert {"svg", "polyline", "circle", "table"} <= set(parsed.seen)
    assert not {"b", "i", "script", "img", "link", "iframe"} & set(parsed.seen)
    assert "default-src 'none'" in text
    assert "&lt;none&gt; &amp; no other" in text
    assert all(letter * 64 in text for letter in "abcd")
    assert "http" not in text.replace("http-equiv", "")


def test_points_lie_where_arithmetic_puts_them() -> None:
    """620 x 300 pixels from (70, 14): x 0..2 and y 0..1 fill them, since both ends are round numbers."""
    drawn = svg(report().plots[0])
    assert 'points="70.0,314.0 380.0,164.0 690.0,14.0"' in drawn
    assert '<circle cx="380.0" cy="14.0"' in drawn


def test_an_axis_may_begin_at_the_lowest() -> None:
    """From 240 to 300 in steps of 20; 241 and 299 are a sixtieth of 620 pixels from the ends."""
    line = Series(name="s", x=(241.0, 299.0), y=(0.0, 1.0))
    plot = Plot(title="t", x="", y="", series=(line,), x_from_zero=False)
    assert 'points="80.3,314.0 679.7,14.0"' in svg(plot)
    alone = plot.model_copy(update={"series": (Series(name="s", x=(7.0,), y=(1.0,), marks=True),)})
    assert '<circle cx="70.0"' in svg(alone)


def test_a_plots_own_file_is_whole_and_escapes_every_word() -> None:
    plot = report().plots[0].model_copy(update={"title": "Ready <by> then: 90 %"})
    root = ElementTree.fromstring(svg_file(plot))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"line <i>", "ms", "share"} <= set(names)
    assert file_name(plot) == "ready-by-then-90.svg"


def test_logarithms_stand_evenly() -> None:
    line = Series(name="s", x=(1.0, 10.0, 100.0), y=(0.1, 1.0, 10.0))
    drawn = svg(Plot(title="t", x="", y="", log=True, series=(line,)))
    assert 'points="70.0,314.0 380.0,164.0 690.0,14.0"' in drawn


@pytest.mark.parametrize("x", [(), (3.0,), (5.0, 5.0), (-2.0, 4.0), (1e-9, 2e-9)])
def test_any_points_can_be_drawn(x: tuple[float, ...]) -> None:
    plot = Plot(title="t", x="", y="", series=(Series(name="s", x=x, y=x),))
    numbers = [float(n) for n in re.findall(r"[-\d.]+", "".join(re.findall(r'points="([^"]*)"', svg(plot))))]
    assert all(13 < n < 691 for n in numbers)


def test_the_table_in_words() -> None:
    shown = render(report()).splitlines()
    assert shown[1].split() == ["p50", "[ms]", "score", "peak", "[MB]"]
    assert shown[2].split() == ["whole", "call", "12.5", "(<", "20.0)", "2.5"]
    assert shown[3].split() == ["F1", "0.750", "[0.700,", "0.800]"]
    assert shown[4].split() == ["energy", "-"]
    assert shown[6] == f"  -: energy p50: {WORDS}"
    assert shown[-1] == "64 judgements do not carry p99."


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(3.0, "count", "3"), (0.0123, "ms", "0.0123"), (123.45, "ms", "123.5"), (12345.6, "ms", "12346")],
)
def test_numbers_have_the_digits_that_they_deserve(value: float, unit: str, shown: str) -> None:
    assert cell(Number(value=value), unit) == shown
