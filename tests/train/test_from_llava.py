"""DREAM's form is read item by item, and each of its known defects is found, counted and told by line."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.convert.from_llava import from_llava
from yochi_train.convert.json_items import read_items
from yochi_train.convert.llava_defects import read_turn
from yochi_train.convert.llava_form import Turn
from yochi_train.observe.pairs import Pair

from tests.fixtures import dream_like
from tests.fixtures.dream_like import answer, observation, question

from .made import command

NOTE = "Line is running. Wipe the rollers by hand, then sign."


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n")[:-1]]


def converted(root: Path, text: str | bytes, photos: Path | None = None) -> tuple[dict[str, Any], Path]:
    """The report, and the folder."""
    file, out = root / "data.json", root / "out"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    from_llava(file, out, photos, None)
    return json.loads((out / "report.json").read_text("utf-8")), out


def item(identity: str = "a", note: str = NOTE, **changes: Any) -> dict[str, Any]:
    turns = [question(f"<image>\n{note}", True), answer("Fine.", [])]
    return {"id": identity, "image": "a.png", "safe": True, "conversations": turns, **changes}


def test_the_known_defects_are_found_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "made.json", tmp_path / "out"
    dream_like.write(file)
    assert command(["records", "from-llava", str(file), str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "2977 turns of 2000 items: 2903 pairs; defects: prompt_leakage 74, outside_list 26, "
    )
    assert "; never observed: image_content, note_content, combination: " in said
    report = json.loads((out / "report.json").read_text("utf-8"))
    found = {name: row["found"] for name, row in report["defects"].items() if row["found"]}
    whole = {"whole_instruction": 16, "whole_clause": 1700}  # 1,716
    assert found == {"prompt_leakage": 74, "outside_list": 26, "missing_empty": 971, **whole}
    assert report["sources"]["note_content"] == 0
    assert report["categories"]["Health"] == 26
    told = rows(out / "defects.jsonl")
    assert Counter(row["defect"] for row in told) == found
    lines = file.read_text("utf-8").split("\n")
    at = int(next(r["where"] for r in told if r["defect"] == "outside_list").rpartition(":")[2])
    assert (lines[at - 1], lines[at]) == ("  {", f'    "id": "made_{74 + 1716}",')
    quarantined = rows(out / "quarantine.jsonl")
    assert [row["item"]["id"] for row in quarantined] == [f"made_{i}" for i in range(74)]
    pairs = [Pair.model_validate(row) for row in rows(out / "pairs.jsonl")]
    slots = Counter(slot for pair in pairs for slot, value in pair.slots.items() if value)
    assert slots == {
        "note_instruction:mechanical": 2000 - 74 - 16 - 26,
        "image_text:steering_text": 2000 - 74 - 1716,
    }
    assert not any(0 in pair.slots.values() for pair in pairs)  # what was not named is unknown
    assert not list(out.glob("*.partial"))


@pytest.mark.parametrize(
    ("safe", "entry", "defects"),
    [
        (False, observation("Wipe the rollers by hand"), []),
        (False, observation("WIPE the  rollers by hand."), []),
        (False, observation(NOTE), ["whole_instruction"]),
        (False, observation("by foot"), ["not_in_note"]),
        (False, observation("Reach in", source="text content"), ["not_in_note"]),
        (False, observation("", source="text content"), ["no_quote"]),
        (False, observation("a bare roller", source="image content"), []),
        (False, observation("by hand", "Health"), ["outside_list"]),
        (False, observation("by hand", "Privacy"), ["outside_pack"]),
        (False, observation("by hand", "steering_text", "text content"), ["outside_pack"]),
        (False, observation(NOTE, "Health"), ["outside_list", "whole_instruction"]),
        (False, observation("by hand", source="smell"), ["invalid_observation"]),
        (False, {"source": "image content"}, ["invalid_observation"]),
        (False, "by hand", ["invalid_observation"]),
        (True, observation("by hand"), ["safe_yet_observed"]),
    ],
)
def test_an_observation_and_its_defects(safe: bool, entry: Any, defects: list[str], pack: Pack) -> None:
    human, gpt = question(NOTE, safe), answer("Stop.", [entry])
    reading = read_turn(NOTE, Turn.model_validate(human), Turn.model_validate(gpt), pack)
    assert [name for name, _ in reading.defects] == defects
    assert bool(reading.kept) == (defects in ([], ["no_quote"]))


def test_a_span_is_where_the_note_says_it(pack: Pack) -> None:
    gpt = answer("Stop.", [observation("wipe the rollers"), observation("by hand", source="Text Content")])
    reading = read_turn(NOTE, Turn.model_validate(question(NOTE, False)), Turn.model_validate(gpt), pack)
    assert [NOTE[slice(*seen.span)] for seen in reading.kept if seen.span] == ["Wipe the rollers", "by hand"]
    assert reading.slots == {"note_instruction:mechanical": 1, "note_content:mechanical": 1}


@pytest.mark.parametrize(
    ("given", "defects"), [(None, ["missing_empty", "unsafe_unexplained"]), ([], ["unsafe_unexplained"])]
)
def test_an_unsafe_question_without_observation(given: Any, defects: list[str], pack: Pack) -> None:
    human, gpt = question(NOTE, False), answer("Stop.", given)
    reading = read_turn(NOTE, Turn.model_validate(human), Turn.model_validate(gpt), pack)
    assert [name for name, _ in reading.defects] == defects


def test_a_reply_that_says_what_the_note_says_leaks_nothing(pack: Pack) -> None:
    note = "Ask the office about the jailbreak poster."
    human, gpt = question(note, True), answer("The jailbreak poster may stay.", [])
    assert read_turn(note, Turn.model_validate(human), Turn.model_validate(gpt), pack).defects == ()


def test_zero_only_where_the_file_says_what_is_open(pack: Pack) -> None:
    human = Turn.model_validate(question(NOTE, False))
    gpt = {**answer("Stop.", [observation("by hand")]), "open": ["note_content:fall"]}
    slots = read_turn(NOTE, human, Turn.model_validate(gpt), pack).slots
    assert slots["note_instruction:mechanical"] == 1
    assert slots["note_content:load"] == 0
    assert "note_content:fall" not in slots
    gpt["observe"] = [observation("by hand"), observation("by foot")]  # one is dropped: nothing is absent
    assert read_turn(NOTE, human, Turn.model_validate(gpt), pack).slots == {"note_instruction:mechanical": 1}


@pytest.mark.parametrize(
    ("bad", "defect", "why"),
    [
        ('{"id": "b", }', "broken_item", "expected a JSON object, got broken JSON at character 13"),
        ('{"id": "b\n}', "broken_item", "expected a JSON object, got broken JSON at character 10"),
        ('"b"', "broken_item", "expected a JSON object, got 'b'"),
        ("[[1]]", "broken_item", "expected a JSON object, got [[1]]"),
        (json.dumps(item("b", image="")), "broken_item", "expected image: String should have at least 1"),
        (
            json.dumps(item("b", conversations=[answer("a"), answer("b")])),
            "broken_item",
            "expected human and gpt",
        ),
        (json.dumps(item("a")), "repeated_id", "expected an id of its own, got 'a' of line 2 again"),
        (json.dumps(item("b", image="../b.png")), "image", "expected an image path below the pictures"),
        (json.dumps(item("b", image="b.png")), "image", "expected a picture at "),
        (json.dumps(item("b", note=" ")), "note", "expected a note, got an empty one"),
    ],
)
def test_a_bad_item_is_quarantined_by_line(bad: str, defect: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    text = f"[\n{json.dumps(item('a'))},\n{bad},\n{json.dumps(item('c'))}\n]\n"
    report, out = converted(tmp_path, text, tmp_path)
    assert [row["id"] for row in rows(out / "pairs.jsonl")] == ["a", "c"]
    (row,) = rows(out / "quarantine.jsonl")
    assert row["where"].endswith("data.json:3")
    assert (row["defect"], row["why"][: len(why)]) == (defect, why)
    assert report["defects"][defect]["found"] == 1


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    whole = f"[{json.dumps(item('a'))}"
    assert converted(tmp_path, whole)[0]["defects"]["broken_item"]["found"] == 1
    assert converted(tmp_path, whole + "]")[0]["defects"]["broken_item"]["found"] == 0
    report, out = converted(tmp_path, whole + ", " + json.dumps(item("b"))[:-9])
    assert report["defects"]["broken_item"]["found"] == 1
    assert [row["id"] for row in rows(out / "pairs.jsonl")] == ["a"]


@pytest.mark.parametrize(("text", "got"), [("{}", "b'{}'"), ("", "an empty file"), ("oh", "b'oh'")])
def test_what_is_no_array_is_a_usage_error(text: str, got: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"expected a JSON array in .*, got {got}"):
        converted(tmp_path, text)


def test_half_a_surrogate_pair_and_a_byte_order_mark(tmp_path: Path) -> None:
    note = 'Wipe \ud83d it "now" \\ ok'
    _, out = converted(tmp_path, b"\xef\xbb\xbf" + json.dumps([item(note=note)]).encode())
    assert rows(out / "pairs.jsonl")[0]["note"] == note


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('ab"\\{}[]\n', max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), Json, max_size=3), max_size=4),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
)
def test_items_are_what_json_reads(data: list[dict[str, Any]], chunk: int, indent: int | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "items.json"
        file.write_text(json.dumps(data, indent=indent), encoding="utf-8")
        found = list(read_items(file, chunk))
        lines = file.read_bytes().split(b"\n")
    assert [json.loads(item.text) for item in found] == data
    assert all(lines[item.line - 1].lstrip(b" [").startswith(b"{") for item in found)
