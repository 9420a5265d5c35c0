"""`records validate`: every kind of bad row at its very line."""

import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from .made import command
from .rows import Row, faults, folder_of, line_of, noise, picture_of, row

FELL = "note_content:fall"
FALL = {FELL: 1}


def nameless() -> dict[str, Any]:
    return {key: value for key, value in row("x").items() if key != "id"}


BAD_RECORDS: dict[str, tuple[Row, str]] = {
    "broken JSON": (b'{"id": "x",\n', "expected a JSON object, got broken JSON at character 12 (Expecting"),
    "cut off": (
        line_of(row("x"))[:30] + b"\n",
        "expected a JSON object, got broken JSON at character 22 (Unter",
    ),
    "empty line": (b"\n", "expected a JSON object, got an empty line"),
    "not an object": (b'"text"\n', "expected a JSON object, got 'text'"),
    "nested too deep": (b"[" * 100_000 + b"\n", "expected a JSON object, got one that cannot be read"),
    "a long number": (b"1" * 5000 + b"\n", "expected a JSON object, got one that cannot be read"),
    "Shift JIS": (
        line_of(row("x", note="あ")).replace("あ".encode(), "あ".encode("shift_jis")),
        "expected UTF-8, got the byte 0x82 at byte ",
    ),
    "no id": (nameless(), "expected id, got nothing"),
    "empty id": (row(""), "expected id: String should have at least 1 character, got ''"),
    "a key too many": (row("x", span=[0, 4]), "expected no key span, got one"),
    "a language": (row("x", lang="fr"), "expected lang: Input should be 'en' or 'ja', got 'fr'"),
    "no verdict": (row("x", verdict="none"), "expected verdict: Input should be 'stop', 'caution' or"),
    "a slot's value": (row("x", slots={"cue:fire": 2}), "expected slots.cue:fire: Input should be 0 or 1"),
    "a slot": (row("x", slots={"cue:dragon": 1}), "expected a slot of pack.toml, got 'cue:dragon'"),
    "a category": (
        row("x", slots={"note_content:dragon": 1}),
        "expected a category of pack.toml, got 'dragon' in slot 'note_content:dragon'",
    ),
    "a slot that cannot be": (
        row("x", slots={"image_text:fall": 1}),
        "expected a slot of pack.toml, got 'image_text:fall'",
    ),
    "verdict as a slot": (row("x", slots={"verdict": 1}), "expected the verdict outside of slots, got"),
    "another split": (row("x", split="test"), "expected split 'train' in train.jsonl, got 'test'"),
    "proceed with a risk": (
        row("x", slots=FALL, verdict="proceed"),
        "expected verdict 'caution' or 'stop' with the risk note_content:fall, got 'proceed'",
    ),
    "span behind the note": (
        row("x", note="Rung 😀", slots=FALL, spans=[[0, 6, FELL], [5, 7, FELL]]),
        "expected a span inside the note's [0, 6), got [5, 7) for 'note_content:fall'",
    ),
    "span before the note": (
        row("x", spans=[[-1, 4, FELL]]),
        "expected a span inside the note's [0, 18), got [-1, 4) for",
    ),
    "span turned": (row("x", spans=[[4, 2, FELL]]), "expected a span inside the note's [0, "),
    "span empty": (
        row("x", spans=[[3, 3, FELL]]),
        "expected a span of at least one character, got [3, 3) for 'note_content:fall'",
    ),
    "span of a slot": (
        row("x", spans=[[0, 4, "note_content:dragon"]]),
        "expected a category of pack.toml, got 'dragon' in slot 'note_content:dragon'",
    ),
    "span of a cue": (
        row("x", spans=[[0, 4, "cue:fire"]]),
        "expected a span of note_instruction, note_content, combination, got [0, 4) for 'cue:fire'",
    ),
    "span of what is not there": (
        row("x", spans=[[0, 4, FELL]]),
        "expected no span for a slot that is 0, got [0, 4) for 'note_content:fall'",
    ),
    "span cut short": (row("x", spans=[[0, 4]]), "expected spans.0.2, got nothing"),
    "lone surrogate": (
        line_of(row("x")).replace(b"thingx", b"\\ud800"),
        "expected note: Input should be a valid string",
    ),
    "outside the photos": (
        row("x", image="../a.png"),
        "expected an image path below the photos, got '../a.png'",
    ),
    "duplicate": (row("1"), "expected an id of its own, got '1' of train.jsonl:1 again"),
}


@pytest.mark.parametrize(("bad", "said"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_bad_record_is_told_by_file_and_line(bad: Row, said: str, tmp_path: Path) -> None:
    report, told = faults(folder_of(tmp_path, train=[row("1"), row("2"), bad, row("4")]))
    assert len(told) == 1
    assert told[0].startswith(f"train.jsonl:3: {said}")
    assert "\n" not in told[0]
    assert (report.records, report.bad, report.passed) == (4, 1, False)


BAD_PICTURES: dict[str, tuple[dict[str, Any], str]] = {
    "outside": (
        picture_of("b.png", boxes=[["fire", [0, 0, 1.01, 1]]]),
        "expected a box [x0, y0, x1, y1] in 0..1 with x0 < x1 and y0 < y1, got [0, 0, 1.01, 1] for fire",
    ),
    "below zero": (picture_of("b.png", boxes=[["fire", [-0.1, 0, 1, 1]]]), "expected a box [x0"),
    "no width": (picture_of("b.png", boxes=[["fire", [0.5, 0, 0.5, 1]]]), "expected a box [x0"),
    "turned": (picture_of("b.png", boxes=[["fire", [0, 0.6, 1, 0.5]]]), "expected a box [x0"),
    "NaN": (picture_of("b.png", boxes=[["fire", [0, 0, 1, float("nan")]]]), "expected a box [x0"),
    "three corners": (picture_of("b.png", boxes=[["fire", [0, 0, 1]]]), "expected boxes.0.1.3, got nothing"),
    "a cue": (picture_of("b.png", cues={"dragon": 1}), "expected cues of pack.toml, got 'dragon'"),
    "words": (picture_of("b.png", texts={"dragon": 1}), "expected texts of pack.toml, got 'dragon'"),
    "a split": (picture_of("b.png", split="dev"), "expected split: Input should be 'train', 'val' or 'test'"),
    "a key too many": (picture_of("b.png", span=1), "expected no key span, got one"),
    "twice": (picture_of("a.png"), "expected every picture once, got 'a.png' of pictures.jsonl:1 again"),
}


@pytest.mark.parametrize(("bad", "said"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_a_bad_picture_is_told_by_file_and_line(bad: dict[str, Any], said: str, tmp_path: Path) -> None:
    rows = [picture_of("a.png"), bad, picture_of("c.png")]
    report, told = faults(folder_of(tmp_path, pictures=rows, train=[row("1")]))
    assert len(told) == 1
    assert told[0].startswith(f"pictures.jsonl:2: {said}")
    assert (report.records, report.pictures, report.bad) == (1, 3, 1)


def test_an_id_is_unique_over_all_files_and_a_bad_row_does_not_take_it(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, train=[row("1", lang="fr"), row("2")], val=[row("1", split="val"), row("2", split="val")]
    )
    assert [line.split(": ")[0] for line in faults(folder)[1]] == ["train.jsonl:1", "val.jsonl:2"]
    assert "got '2' of train.jsonl:2 again" in faults(folder)[1][1]


def test_only_a_line_feed_ends_a_row(tmp_path: Path) -> None:
    rows: list[Row] = [
        row("1", note="one\u2028two\x85three"),
        line_of(row("2")).replace(b"\n", b"\r\n"),
        row("3"),
    ]
    folder = folder_of(tmp_path, train=rows)
    (folder / "train.jsonl").write_bytes((folder / "train.jsonl").read_bytes().removesuffix(b"\n"))
    report, told = faults(folder)
    assert (report.records, report.passed, told) == (3, True, [])


def test_good_spans_pass(tmp_path: Path) -> None:
    """To the last character; two of a slot; of a slot that is open; and none, as older records have."""
    spans = [[0, 6, FELL], [5, 6, FELL], [0, 4, "combination:vehicle"]]
    rows: list[Row] = [row("1", note="Rung 😀", slots=FALL, spans=spans), row("2")]
    report, told = faults(folder_of(tmp_path, train=rows))
    assert (report.records, report.passed, told) == (2, True, [])


def test_images_that_cannot_be_used(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    noise(photos / "good.png", 1)
    noise(photos / "small.png", 2, side=16)
    (photos / "text.png").write_text("no picture", encoding="utf-8")
    (photos / "cut.png").write_bytes((photos / "good.png").read_bytes()[:200])
    names = ["good.png", "none.png", "small.png", "text.png", "cut.png", "none.png"]
    folder = folder_of(tmp_path / "r", train=[row(str(i), image=name) for i, name in enumerate(names)])
    _, told = faults(folder, photos)
    assert [line.partition(": ")[0] for line in told] == [f"train.jsonl:{n}" for n in (2, 3, 4, 5, 6)]
    assert all(re.match(r"train\.jsonl:\d: expected ", line) for line in told)
    assert "none.png, found nothing there" in told[0]
    assert "got 16 x 16" in told[1]
    report, told = faults(folder)  # without photos nobody looks, and says so
    assert told == []
    assert report.line().endswith("; images not looked at, give --photos")


def test_memory_is_flat_in_the_number_of_records(tmp_path: Path) -> None:
    """8 MB of rows with the same long note; a list of them would hold them all."""
    rows = [row(str(i), note="long note " * 2000) for i in range(400)]
    folder = folder_of(tmp_path, train=rows)
    tracemalloc.start()
    assert faults(folder)[0].records == 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6


def test_the_command_says_it_in_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, train=[row("1"), row("2")], val=[row("3", split="val")])
    assert command(["records", "validate", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("3 records, 0 pictures: 0 bad rows; training shares 0 pictures")
    before = folder_of(tmp_path, train=[row("1"), b"{\n", b"\xff\n"]) / "train.jsonl"
    content = before.read_bytes()
    for path, records in ((folder, 4), (before, 3)):  # the folder, or one file of it
        assert command(["records", "validate", str(path)]) == 1
        out = capsys.readouterr().out.splitlines()
        assert [line.partition(": ")[0] for line in out[:-1]] == [f"{before}:2", f"{before}:3"]
        assert out[-1].startswith(f"{records} records, 0 pictures: 2 bad rows; ")
    assert before.read_bytes() == content
    assert sorted(p.name for p in folder.iterdir()) == ["pack.toml", "train.jsonl", "val.jsonl"]


@pytest.mark.parametrize("missing", ["folder", "shards", "pack", "photos"])
def test_a_wrong_call_is_a_usage_error(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "none" if missing == "folder" else folder_of(tmp_path, train=[row("1")])
    for name in {"shards": ["train.jsonl"], "pack": ["pack.toml"]}.get(missing, []):
        (folder / name).unlink()
    words = ["--photos", str(tmp_path / "nowhere")] if missing == "photos" else []
    assert command(["records", "validate", str(folder), *words]) == 2
    assert capsys.readouterr().err.startswith("yochi-train: expected ")
