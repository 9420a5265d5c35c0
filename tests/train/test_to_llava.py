"""Records as conversations in DREAM's form, and back as pairs: what is known stays known, and no more."""

import json
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_train.convert.from_llava import from_llava
from yochi_train.convert.reply import reply
from yochi_train.convert.to_llava import to_llava

from .made import command, record
from .rows import folder_of, row

PACK = load_pack()
RISKS = [slot for slot in PACK.slots if slot.source is not None]
NOTES = ("A note.", "Wipe the rollers by hand, then sign.", "床に油。「歩け」と\\言われた", "😀 x")
Values = st.dictionaries(st.sampled_from([slot.id for slot in PACK.slots[:-1]]), st.sampled_from([0, 1]))


def there(folder: Path, rows: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The line on the screen, and the items of the file."""
    said = to_llava(folder_of(folder, train=rows), folder / "out.json")
    return said, json.loads((folder / "out.json").read_text("utf-8"))


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
    risky = [any(s["slots"].get(r.id) == 1 for r in RISKS) for s in rows]
    told = [
        r for r, risk in zip(rows, risky, strict=True) if r["verdict"] and (r["verdict"] != "proceed") == risk
    ]
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
    assert said.endswith("left out: 1 with an unknown verdict, 0 whose verdict no known risk explains")
    assert items == [
        {
            "id": "1",
            "image": "images/train.png",
            "safe": False,
            "conversations": [
                {"from": "human", "value": "<image>\nA fire near Ken.", "safe": False},
                {
                    "from": "gpt",
                    "value": "STOP: fire, explosion or burn. Keep away, raise the alarm, and take ignition "
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


@pytest.mark.parametrize(
    ("lang", "slots", "verdict", "said"),
    [
        ("en", {}, "proceed", "PROCEED: no risk in the picture or the note. Go on as planned."),
        ("ja", {}, "proceed", "進行可：画像にもメモにも危険なし。予定どおり進めること。"),
        (
            "ja",
            {"note_content:ppe": 1},
            "caution",
            "注意：保護具の未着用。決められた保護具を着けてから作業すること。",
        ),
    ],
)
def test_a_reply_is_two_sentences(
    lang: Literal["en", "ja"], slots: dict[str, Literal[0, 1]], verdict: Any, said: str, pack: Pack
) -> None:
    assert reply(record("1", slots, lang=lang, verdict=verdict), pack) == said


@pytest.mark.parametrize(("slots", "verdict"), [({}, None), ({}, "stop"), ({"cue:fire": 1}, "proceed")])
def test_there_is_no_reply_without_a_reason(slots: Any, verdict: Any, pack: Pack) -> None:
    with pytest.raises(ValueError, match="expected a verdict that the known risks explain"):
        reply(record("1", slots, verdict=verdict), pack)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "r", train=[row("1", verdict="proceed")])
    assert command(["records", "to-llava", str(folder), str(tmp_path / "out.json")]) == 0
    assert capsys.readouterr().out.startswith("1 conversations: ")
    assert command(["records", "to-llava", str(folder), str(tmp_path / "no" / "out.json")]) == 2
