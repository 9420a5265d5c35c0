"""`records stats`: counts by hand, and the balance rules exactly at their bars."""

import json
from pathlib import Path
from typing import Literal

import pytest
from yochi_runtime.record import Record, RiskSpan, Truth
from yochi_runtime.taxonomy import Pack
from yochi_train.stats import Counts, aligned, count_records, record_cell
from yochi_train.tables import Bar

from .made import command, record
from .rows import folder_of, picture_of, row

FALL_SAID, FALL_ASKED, FIRE, CROSSED = (
    "note_content:fall",
    "note_instruction:fall",
    "cue:fire",
    "combination:vehicle",
)


def known(pack: Pack, *risks: str, verdict: Truth | None, **changes: object) -> Record:
    """A record whose every slot is known; `risks` hold."""
    slots: dict[str, Literal[0, 1]] = {s.id: 0 for s in pack.slots if s.id != "verdict"}
    slots.update(dict.fromkeys(risks, 1))
    return record("r", slots, verdict=verdict).model_copy(update=changes)


def bar(counts: Counts, name: str) -> Bar:
    return next(bar for bar in counts.balance() if bar.name == name)


def test_cells_by_hand(pack: Pack) -> None:
    cells = {
        "U_I U_T": known(pack, FIRE, FALL_SAID, verdict="stop"),
        "U_I S_T": known(pack, FIRE, verdict="stop"),
        "S_I U_T": known(pack, FALL_ASKED, "cue:forklift", verdict="stop"),  # a forklift is no risk by itself
        "S_I S_T -> unsafe": known(pack, CROSSED, "cue:forklift", verdict="stop"),
        "S_I S_T -> safe": known(pack, verdict="proceed"),
        "unknown": known(pack, verdict=None),
    }
    assert {cell: record_cell(r, pack) for cell, r in cells.items()} == {cell: cell for cell in cells}


def test_a_cell_that_labels_do_not_decide_is_unknown(pack: Pack) -> None:
    slots = known(pack, FALL_SAID, verdict="stop").slots
    without = {slot: value for slot, value in slots.items() if slot != FIRE}
    assert record_cell(record("r", without, verdict="stop"), pack) == "unknown"
    unread = {slot: value for slot, value in slots.items() if not slot.startswith("image_text")}
    assert record_cell(record("r", unread, verdict="stop"), pack) == "S_I U_T"
    read = {**unread, "image_text:steering_text": 1}
    assert record_cell(Record(**{**vars(record("r")), "slots": read, "verdict": "stop"}), pack) == "U_I U_T"


def test_counts_by_hand(pack: Pack) -> None:
    both = known(pack, FIRE, "cue:smoke", FALL_SAID, FALL_ASKED, verdict="stop", lang="ja", kind="risk")
    counts = count_records([both, both, known(pack, verdict=None)], pack)
    told = counts.as_json()
    where = {"kind": "risk", "cell": "U_I U_T", "lang": "ja", "records": 2}
    assert told["risks"] == [
        {"source": "image_content", "category": "thermal_fire", **where},  # two cues, one risk
        {"source": "note_content", "category": "fall", **where},
        {"source": "note_instruction", "category": "fall", **where},
    ]
    assert told["verdicts"] == [
        {"name": "stop", "lang": "ja", "records": 2},
        {"name": "unknown", "lang": "en", "records": 1},
    ]
    assert told["kinds"] == [
        {"name": "harmless", "lang": "en", "records": 1},
        {"name": "risk", "lang": "ja", "records": 2},
    ]
    assert (told["records"], told["splits"], counts.categories["fall"]) == (3, {"test": 3}, 2)
    assert set(told) == {
        *("pack", "records", "splits", "kinds", "verdicts", "cells", "risks", "spans"),
        *("not_trained", "balance"),
    }


def test_spans_by_hand(pack: Pack) -> None:
    said, asked = RiskSpan(0, 4, FALL_SAID), RiskSpan(5, 9, FALL_ASKED)
    spans = [(said, asked, said), (RiskSpan(0, 2, CROSSED),), ()]
    records = [known(pack, verdict=None, spans=s, lang=lang) for s in spans for lang in ("en", "ja", "ja")]
    counts = count_records(records, pack)
    assert counts.as_json()["spans"] == [
        {"source": "combination", "lang": "en", "spans": 1},
        {"source": "combination", "lang": "ja", "spans": 2},
        {"source": "note_content", "lang": "en", "spans": 2},
        {"source": "note_content", "lang": "ja", "spans": 4},
        {"source": "note_instruction", "lang": "en", "spans": 1},
        {"source": "note_instruction", "lang": "ja", "spans": 2},
    ]
    table = counts.text().split("spans of notes ")[1].splitlines()
    assert [line.split() for line in table[2:5]] == [
        ["note_instruction", "1", "2"],
        ["note_content", "2", "4"],
        ["combination", "1", "2"],
    ]


def test_a_cell_at_its_bar(pack: Pack) -> None:
    """3 of 25 are 12 %; a record whose cell is unknown is not counted, 3 of 26 are 11.5 %."""
    unsafe, safe = known(pack, FALL_SAID, verdict="stop"), known(pack, verdict="proceed")
    counts = count_records([unsafe] * 3 + [safe] * 22 + [known(pack, verdict=None)] * 9, pack)
    assert vars(bar(counts, "cell S_I U_T")) == {
        "name": "cell S_I U_T",
        "value": "12.0 % (3/25)",
        "bar": ">= 12 %",
        "met": True,
    }
    counts.add(safe)
    assert not bar(counts, "cell S_I U_T").met
    assert bar(counts, "cell U_I S_T").value == "0.0 % (0/26)"


def test_a_source_at_its_bar(pack: Pack) -> None:
    """2 of 25 are 8 %."""
    counts = count_records([known(pack, FIRE, verdict="stop")] * 2 + [known(pack, verdict=None)] * 23, pack)
    assert bar(counts, "source image_content").met
    counts.add(known(pack, verdict=None))
    assert not bar(counts, "source image_content").met
    assert not bar(counts, "source image_text").met  # the pack has the source, so it is asked for


def test_a_trained_category_at_its_bar(pack: Pack) -> None:
    """30 records make a slot trained; 30 of 1,500 are 2 %. 29 of each of two slots train nothing."""
    fall, calm = known(pack, FALL_SAID, verdict="stop"), known(pack, verdict=None)
    vehicle = [known(pack, f"note_{source}:vehicle", verdict="stop") for source in ("content", "instruction")]
    counts = count_records([*[fall] * 30, *vehicle * 29, *[calm] * (1500 - 88)], pack)
    assert counts.trained() == ["fall"]
    assert bar(counts, "trained category fall").value == "2.0 % (30/1500)"
    assert bar(counts, "trained category fall").met
    counts.add(calm)
    assert not bar(counts, "trained category fall").met
    assert "vehicle" in counts.text().split("not trained, fewer than 30 records a slot: ")[1].splitlines()[0]


def test_nothing_meets_no_bar(pack: Pack) -> None:
    counts = Counts(pack)
    assert counts.balance()
    assert not any(rule.met for rule in counts.balance())
    assert "0 of " in counts.text()


def test_columns_are_of_equal_width() -> None:
    assert aligned(["a", "long"], [["wide", "1"], ["b", "22"]]) == "a     long\n----  ----\nwide  1\nb     22"


def test_the_command_prints_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    risky = row("1", kind="risk", slots={FALL_SAID: 1}, verdict="stop")
    folder = folder_of(
        tmp_path, pictures=[picture_of("a.png")], train=[risky, row("2")], val=[row("3", split="val")]
    )
    assert command(["records", "stats", str(folder)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("3 records (train 2, val 1), pack factory\n")
    line = next(line for line in text.splitlines() if line.startswith("note_content      fall "))
    assert line.split() == ["note_content", "fall", "1", *"0000000", "1"]
    assert "image_text        steering_text" in text  # also what no record has
    assert command(["records", "stats", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(r["category"], r["records"]) for r in told["risks"]] == [("fall", 1)]


def test_a_bad_row_is_not_counted_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, train=[row("1"), b"{\n"])
    assert command(["records", "stats", str(folder)]) == 2
    err = capsys.readouterr().err
    assert f"{folder / 'train.jsonl'}:2: " in err
    assert err.endswith("run: yochi-train records validate\n")
    assert command(["records", "stats", str(folder / "none")]) == 2
