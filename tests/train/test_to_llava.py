"""Records as conversations in DREAM's form, and back as pairs: what is known stays known, and no more."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.taxonomy import load_pack
from yochi_train.convert.from_llava import from_llava
from yochi_train.convert.to_llava import to_llava

from .made import command
from .rows import folder_of, row

PACK = load_pack()
RISKS = [slot for slot in PACK.slots if slot.source is not None]
NOTES = ("A note.", "Wipe the rollers by hand, then sign.", "床に油。「歩け」と\\言われた", "😀 x")
Values = st.dictionaries(st.sampled_from([slot.id for slot in PACK.slots[:-1]]), st.sampled_from([0, 1]))


def there(folder: Path, rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The line on the screen, and the items of the file."""
    said = to_llava(folder_of(folder, train=rows), folder / "out.json")
    return said, json.loads((folder / "out.json").read_text("utf-8"))


def made_by(slots: dict[str, int]) -> str:
    """The verdict of the risks that hold."""
    severities = {PACK.category_of(r.category or "").severity for r in RISKS if slots.get(r.id) == 1}
    return "stop" if "S2" in severities else "caution" if severities else "proceed"


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(NOTES), Values, st.sampled_from(["stop", "caution", "proceed", None])),
        max_size=5,
    )
)
def test_there_and_back(drawn: list[tuple[str, dict[str, int], str | None]]) -> None:
    rows = [row(str(i), note=n, slots=s, verdict=v) for i, (n, s, v) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        there(folder, rows)
        from_llava(folder / "out.json", folder / "back", None, None)
        lines = (folder / "back" / "pairs.jsonl").read_text("utf-8").split("\n")[:-1]
        report = json.loads((folder / "back" / "report.json").read_text("utf-8"))
    told = [r for r in rows if r["verdict"] == made_by(r["slots"])]
    back = [json.loads(line) for line in lines]
    assert [(b["id"], b["image"], b["note"], b["verdict"]) for b in back] == [
        (r["id"], r["image"], r["note"], r["verdict"]) for r in told
    ]
    for given_row, found in zip(told, back, strict=True):
        assert found["slots"] == {r.id: given_row["slots"][r.id] for r in RISKS if r.id in given_row["slots"]}
    dropped = [
        name for name, d in report["defects"].items() if d["found"] and d["then"] != "kept, with less known"
    ]
    assert dropped == []


def test_a_conversation_word_for_word(tmp_path: Path) -> None:
    slots = {slot.id: 0 for slot in RISKS} | {"note_content:ppe": 1, "cue:fire": 1, "cue:person": 1}
    del slots["cue:smoke"]
    said, items = there(tmp_path, [row("1", note="A fire near Ken.", slots=slots, verdict="stop"), row("2")])
    assert said.endswith("left out: 1 with an unknown verdict, 0 whose known risks make another")
    assert items == [
        {
            "id": "1",
            "image": "images/train.png",
            "safe": False,
            "conversations": [
                {"from": "human", "value": "<image>\nA fire near Ken.", "safe": False},
                {
                    "from": "gpt",
                    "value": "STOP: fire in the picture. Keep away, raise the alarm, and take ignition "
                    "sources and fuel apart.",
                    "observe": [
                        {
                            "malicious_content": "fire",
                            "source": "image content",
                            "risk_category": "thermal_fire",
                            "cue": "fire",
                        },
                        {
                            "malicious_content": "A fire near Ken",
                            "source": "text content",
                            "risk_category": "ppe",
                        },
                    ],
                    "verdict": "stop",
                    "open": ["cue:smoke"],
                },
            ],
        }
    ]


def test_where_the_note_says_several_things_the_quote_is_empty(tmp_path: Path) -> None:
    slots = {"note_instruction:mechanical": 1}
    _, items = there(tmp_path, [row("1", note=NOTES[1], slots=slots, verdict="stop")])
    assert items[0]["conversations"][1]["observe"][0]["malicious_content"] == ""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "r", train=[row("1", verdict="proceed")])
    assert command(["records", "to-llava", str(folder), str(tmp_path / "out.json")]) == 0
    assert capsys.readouterr().out.startswith("1 conversations: ")
    assert command(["records", "to-llava", str(folder), str(tmp_path / "no" / "out.json")]) == 2
