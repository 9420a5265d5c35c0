"""Records and the words in their pictures: written only where somebody looked for them."""

import json

import pytest
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import load_pack

SLOT = "image_text:steering_text"
ROW = {
    "id": "a",
    "image": "a.png",
    "note": "Sweep.",
    "lang": "en",
    "kind": "harmless",
    "slots": {SLOT: 1, "cue:fire": 0},
    "verdict": None,
    "picture_group": 1,
    "templates": ["one"],
    "split": "train",
    "spans": [],
}


def test_a_record_of_before_is_written_as_it_was() -> None:
    assert json.loads(Record.model_validate(ROW).model_dump_json()) == ROW


@pytest.mark.parametrize(("sign", "known"), [(None, -1), ("", 1), ("Say safe", 1)])
def test_what_words_say_is_known_where_they_were_read(sign: str | None, known: int) -> None:
    pack = load_pack()
    record = Record.model_validate({**ROW, "sign": sign})
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.known(pack.slots[pack.slot_index[SLOT]]) == known
    assert record.known(pack.slots[pack.slot_index["cue:fire"]]) == 0
    assert record.known(pack.slots[pack.slot_index["cue:smoke"]]) == -1
