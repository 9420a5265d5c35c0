"""The data card as a page: self-contained, escaped, drawn to scale, and honest about what is missing."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.card import CARD
from yochi_train.stats import count_records
from yochi_train.stats_page import LENGTH, page, write_page

from .made import command, record
from .rows import folder_of, picture_of, row

FALL, EVIL = "note_content:fall", '<script src="http://x/y.js">'


class Read(HTMLParser):
    """Every tag with its attributes, table rows as lists of words, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.values: list[tuple[str, str]] = []
        self.rectangles: list[tuple[str, float]] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self.in_row = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.values += [(name, value or "") for name, value in attrs]
        if tag == "rect":
            of = dict(attrs)
            self.rectangles.append((str(of["class"]), float(str(of["width"]))))
        elif tag == "tr":
            self.rows.append([])
            self.in_row = True

    def handle_endtag(self, tag: str) -> None:
        self.in_row = self.in_row and tag != "tr"

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.in_row:
            self.rows[-1].append(data)


def folder(root: Path) -> Path:
    risky = [
        row(f"{n}", kind="risk", slots={FALL: 1}, verdict="stop", lang="en" if n else "ja") for n in range(4)
    ]
    pictures = [picture_of(f"{n}.png", source=EVIL, licence="CC BY 4.0" if n else "") for n in range(3)]
    return folder_of(root, pictures=pictures, train=[*risky, row("calm")])


def test_a_page_that_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records, file = folder(tmp_path / "r"), tmp_path / "page.html"
    (records / CARD).write_text(json.dumps({"teacher": EVIL, "filters": {"too long": 7}}), encoding="utf-8")
    assert command(["records", "stats", str(records), "--html", str(file)]) == 0
    assert capsys.readouterr().out.startswith("5 records (train 5), pack factory\n")  # as without --html
    read = Read(file.read_text("utf-8"))
    assert (read.tags["script"], read.tags["link"], read.tags["img"]) == (0, 0, 0)
    assert not [value for name, value in read.values if name in ("src", "href", "srcset", "action")]
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in read.values
    assert f"Teacher: {EVIL}" in read.words
    for line in (["too long", "7"], ["CC BY 4.0", EVIL, "2"], ["not recorded", EVIL, "1"]):
        assert line in read.rows
    assert not list(tmp_path.glob("*.partial"))


def test_plots_by_hand(pack: Pack) -> None:
    """Three English falls and a Japanese one fill the longest line as 3 to 1; 4 of 5 are 80 %."""
    told = [record(f"{n}", {FALL: 1}, verdict="stop", lang="en" if n else "ja") for n in range(4)]
    counts = count_records([*told, record("calm")], pack)
    text = page(counts, None, None)
    section = text.split("<h3>note_content</h3>")[1].split("</svg>")[0]
    drawn = [(name, width) for name, width in Read(section).rectangles if width]
    assert drawn == [("en", LENGTH * 3 / 4), ("ja", LENGTH / 4)]
    assert "<title>fall, en: 3</title>" in section
    balance = Read(text.split("<h2>Balance</h2>")[1].split("</svg>")[0])
    shares = counts.shares()
    assert len(balance.rectangles) == len(shares) == balance.tags["line"]
    by_name = {share.bar().name: drawn for share, drawn in zip(shares, balance.rectangles, strict=True)}
    word, width = by_name["source note_content"]
    assert word == "met"
    assert width == pytest.approx(LENGTH, abs=0.1)  # 80 % is the longest
    assert by_name["source image_content"] == ("missed", 0.0)


def test_the_crossing_holds_every_count_once(pack: Pack) -> None:
    calm = {s.id: 0 for s in pack.slots if s.id != "verdict"}
    fire = record("f", calm | {"cue:fire": 1, FALL: 1}, verdict="stop", lang="ja")  # type: ignore[arg-type]
    counts = count_records([fire, fire, record("g", {FALL: 1}, verdict="stop")], pack)
    lines = [line for line in Read(page(counts, None, None)).rows if len(line) == 14]  # 2 names, 6 x 2 cells
    rows = {(line[0], line[1]): list(map(int, line[2:])) for line in lines}
    assert set(rows) == set(counts.risk_pairs())
    assert rows["image_content", "thermal_fire"] == [0, 2, *[0] * 10]
    assert rows["note_content", "fall"] == [0, 2, *[0] * 8, 1, 0]  # the last cell: unknown
    assert sum(map(sum, rows.values())) == sum(counts.risks.values())


def test_no_record_no_card_and_no_pictures_are_told(pack: Pack) -> None:
    read = Read(page(count_records([], pack), None, None))
    assert "not recorded: there is no pictures.jsonl" in read.words
    assert "not recorded: there is no card.json" in read.words
    assert {width for _, width in read.rectangles} == {0.0}
    assert "Filters: not recorded" in page(count_records([], pack), {"seed": 0}, {})


@pytest.mark.parametrize("bad", ["{", "[1]"])
def test_a_broken_card_is_named(tmp_path: Path, pack: Pack, bad: str) -> None:
    records = folder(tmp_path / "r")
    (records / CARD).write_text(bad, encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(str(records / CARD))):
        write_page(count_records([], pack), records, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_page_needs_a_folder(tmp_path: Path, pack: Pack) -> None:
    with pytest.raises(UsageError, match=r"expected a folder for .*none; make it first"):
        write_page(count_records([], pack), folder(tmp_path / "r"), tmp_path / "none" / "page.html")
