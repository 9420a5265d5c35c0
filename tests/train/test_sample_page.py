"""One page to look records over: self-contained, escaped, in both languages, and drawn evenly."""

import base64
import io
import random
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_train.convert.sample_page import SIDE, draw, sample_page

from .made import command, record
from .rows import folder_of, noise, row

SLOTS = {"cue:fire": 1, "cue:person": 0, "note_instruction:mechanical": 1}


class Read(HTMLParser):
    """Every tag and attribute, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.values: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def made(root: Path) -> tuple[Path, Path]:
    (root / "images").mkdir()
    noise(root / "images" / "train.png", 1, side=2 * SIDE)
    rows = [
        row("1", note='<script src="http://x/y.js">&</script>', slots=SLOTS, verdict="stop"),
        row("2", note="床に油、注意", lang="ja"),
    ]
    return folder_of(root / "r", train=rows), root


def test_a_page_that_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, photos = made(tmp_path)
    file = tmp_path / "page.html"
    words = ["records", "sample", str(folder), "--html", str(file), "--photos", str(photos), "--count", "9"]
    assert command(words) == 0
    assert capsys.readouterr().out == f"2 records: {file}\n"
    read = Read(file.read_text("utf-8"))
    assert (read.tags["article"], read.tags["script"], read.tags["link"]) == (2, 0, 0)
    sources = [value for name, value in read.values if name in ("src", "href", "srcset", "action")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    with Image.open(io.BytesIO(base64.b64decode(sources[0].partition(",")[2]))) as picture:
        assert picture.size == (SIDE, SIDE)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in read.values
    for said in (
        '<script src="http://x/y.js">&</script>',
        "床に油、注意",
        "STOP / 停止",
        "verdict unknown / 判定不明",
        "fire / 炎",
        "known to be absent / ないと分かっている: 1",
        "person / 人",
        "caught in or struck by a machine [note, instruction] / はさまれ・巻き込まれ［メモの指示］",
    ):
        assert said in read.words
    assert "smoke" not in read.words  # unknown


def test_a_missing_picture_is_told(tmp_path: Path) -> None:
    folder, photos = made(tmp_path)
    (photos / "images" / "train.png").unlink()
    with pytest.raises(UsageError, match="expected an image file at"):
        sample_page(folder, tmp_path / "page.html", photos, 2, 0)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("en", "ja", "count", "expected"),
    [
        (50, 50, 8, (4, 4)),
        (50, 50, 5, (3, 2)),
        (50, 1, 8, (7, 1)),
        (1, 50, 8, (1, 7)),
        (2, 1, 8, (2, 1)),
        (0, 9, 4, (0, 4)),
    ],
)
def test_both_languages_are_drawn(en: int, ja: int, count: int, expected: tuple[int, int]) -> None:
    records = [record(f"e{i}") for i in range(en)] + [record(f"j{i}", lang="ja") for i in range(ja)]
    chosen = draw(records, count, random.Random(0))
    assert (sum(r.lang == "en" for r in chosen), sum(r.lang == "ja" for r in chosen)) == expected
    assert len({r.id for r in chosen}) == len(chosen)
    assert chosen == draw(records, count, random.Random(0))


def test_every_record_is_drawn_as_often() -> None:
    records = [record(str(i)) for i in range(20)]
    counts = Counter(r.id for seed in range(1000) for r in draw(records, 5, random.Random(seed)))
    assert len(counts) == 20
    assert all(190 <= count <= 310 for count in counts.values())  # 250, four standard deviations
