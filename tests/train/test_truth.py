"""What follows for a pair, worked out by hand. The load-bearing rule: what is not known is never "no"."""

from typing import Literal

import pytest
from yochi_runtime.taxonomy import Pack
from yochi_train.truth import pair_slots, pair_verdict

from .made import note, picture

Checked = Literal["safe", "not_safe", "unsure", ""]
NO_TRIGGERS = dict.fromkeys(
    ("conveyor", "crusher", "forklift", "excavator", "wheel_loader", "dump_truck", "pallet"), 0
)
COMBINATIONS = ("combination:mechanical", "combination:vehicle", "combination:load")


@pytest.mark.parametrize(
    ("cues", "expected"),
    [
        ({"conveyor": 1}, 1),
        ({"conveyor": 0, "crusher": 1}, 1),
        ({"conveyor": 0, "crusher": 0}, 0),
        ({"conveyor": 0}, None),  # nobody looked for a crusher
        ({"pallet": 1}, None),
        ({}, None),
    ],
)
def test_a_combination_note_with_its_triggers(pack: Pack, cues: dict[str, int], expected: int | None) -> None:
    slots = pair_slots(picture(cues), note(combination="mechanical"), pack, "combination")
    assert slots.get("combination:mechanical") == expected


def test_a_note_for_one_machine_does_not_combine_with_another(pack: Pack) -> None:
    """ "Reach in" before a forklift: the slot tells which machine the note is about, seen or not."""
    seen = picture({"conveyor": 1, "crusher": 0, "pallet": 0})
    slots = pair_slots(seen, note(combination="load"), pack, "combination")
    assert [slots[name] for name in COMBINATIONS] == [0, 0, 0]


def test_a_risky_note_combines_with_nothing_only_where_nothing_is_seen(pack: Pack) -> None:
    risky = note("note_instruction:electrical")
    assert "combination:load" not in pair_slots(picture({"pallet": 1}), risky, pack, "risk")
    assert pair_slots(picture({"pallet": 0}), risky, pack, "risk")["combination:load"] == 0


def test_a_harmless_note_never_combines(pack: Pack) -> None:
    slots = pair_slots(picture({"conveyor": 1, "pallet": 1}), note(), pack, "harmless")
    assert [slots[name] for name in COMBINATIONS] == [0, 0, 0]


def test_note_slots_are_the_notes_risks_and_plausible_ones_stay_open(pack: Pack) -> None:
    told = note("note_instruction:fall", maybe=["note_instruction:ppe"])
    slots = pair_slots(picture(), told, pack, "risk")
    of_note = {name: value for name, value in slots.items() if name.startswith("note_")}
    assert of_note.pop("note_instruction:fall") == 1
    assert "note_instruction:ppe" not in of_note
    assert set(of_note.values()) == {0}
    assert len(of_note) == 2 * 14 - 1 - 2  # two sources, steering asked only, less the two above


def test_cues_of_the_pair_are_those_of_the_picture_and_no_more(pack: Pack) -> None:
    slots = pair_slots(picture({"fire": 1, "forklift": 0}), note(), pack, "harmless")
    assert {k: v for k, v in slots.items() if k.startswith("cue:")} == {"cue:fire": 1, "cue:forklift": 0}


def test_words_in_a_photo_are_unknown_and_in_a_rendered_picture_they_are_known(pack: Pack) -> None:
    slots = pair_slots(picture(NO_TRIGGERS, checked="safe"), note(), pack, "harmless")
    assert not [name for name in slots if name.startswith("image_text")]
    for value in (0, 1):
        read = picture(NO_TRIGGERS, texts={"steering_text": value})
        assert pair_slots(read, note(), pack, "harmless")["image_text:steering_text"] == value


def test_words_that_steer_make_it_caution_and_never_proceed(pack: Pack) -> None:
    read = picture(NO_TRIGGERS, texts={"steering_text": 1}, checked="not_safe")
    slots = pair_slots(read, note(), pack, "harmless")
    assert pair_verdict(read, slots, frozenset(), pack) == "caution"


@pytest.mark.parametrize(
    ("unsaid", "expected"), [(["load"], None), (["slip_trip"], "caution"), ([], "caution")]
)
def test_a_hazard_that_no_slot_says_may_make_a_caution_a_stop(
    pack: Pack, unsaid: list[str], expected: str | None
) -> None:
    seen = picture({**NO_TRIGGERS, "no_hard_hat": 1}, checked="not_safe", unsaid=unsaid)
    assert pair_verdict(seen, pair_slots(seen, note(), pack, "harmless"), frozenset(), pack) == expected


@pytest.mark.parametrize(
    ("checked", "expected"), [("safe", "proceed"), ("", None), ("unsure", None), ("not_safe", None)]
)
def test_proceed_only_where_eyes_have_checked(pack: Pack, checked: Checked, expected: str | None) -> None:
    calm = picture(NO_TRIGGERS, checked=checked)
    slots = pair_slots(calm, note(), pack, "harmless")
    assert pair_verdict(calm, slots, frozenset(), pack) == expected


def test_a_plausible_risk_keeps_a_safe_picture_from_proceed(pack: Pack) -> None:
    calm, told = picture(NO_TRIGGERS, checked="safe"), note(maybe=["note_content:ppe"])
    slots = pair_slots(calm, told, pack, "harmless")
    assert pair_verdict(calm, slots, told.maybe, pack) is None


@pytest.mark.parametrize(
    ("risk", "expected"),
    [
        ("note_instruction:electrical", "stop"),  # S2
        ("note_content:slip_trip", "caution"),  # S1
    ],
)
def test_a_known_risk_of_the_note_decides_by_its_severity(pack: Pack, risk: str, expected: str) -> None:
    calm, told = picture(NO_TRIGGERS), note(risk)
    assert pair_verdict(calm, pair_slots(calm, told, pack, "risk"), frozenset(), pack) == expected


@pytest.mark.parametrize(
    ("cue", "expected"),
    [("fire", "stop"), ("no_hard_hat", "caution"), ("forklift", None), ("hard_hat", None)],
)
def test_a_known_risk_of_the_picture_decides_and_a_neutral_cue_does_not(
    pack: Pack, cue: str, expected: str | None
) -> None:
    seen = picture({cue: 1})
    assert pair_verdict(seen, pair_slots(seen, note(), pack, "harmless"), frozenset(), pack) == expected


def test_a_slight_risk_is_no_caution_while_a_combination_may_make_it_stop(pack: Pack) -> None:
    told = note("note_content:slip_trip")
    unlabelled = picture({})  # there may be a conveyor
    assert pair_verdict(unlabelled, pair_slots(unlabelled, told, pack, "risk"), frozenset(), pack) is None


def test_the_quadruple(pack: Pack) -> None:
    """Dangerous pair, same note with another picture, same picture with another note, neither: 1, 0, 0, 0."""
    trigger = picture({**NO_TRIGGERS, "conveyor": 1}, checked="safe")
    calm = picture(NO_TRIGGERS, checked="safe")
    risky, harmless = note(combination="mechanical"), note()
    four = [
        pair_slots(trigger, risky, pack, "combination"),
        pair_slots(calm, risky, pack, "combination"),
        pair_slots(trigger, harmless, pack, "harmless"),
        pair_slots(calm, harmless, pack, "harmless"),
    ]
    assert [slots["combination:mechanical"] for slots in four] == [1, 0, 0, 0]
    shown = [trigger, calm, trigger, calm]
    verdicts = [pair_verdict(p, s, frozenset(), pack) for p, s in zip(shown, four, strict=True)]
    assert verdicts == ["stop", "proceed", "proceed", "proceed"]
