"""One pair taken apart: the eight cases of a combination, what is confirmed, what stays open."""

from itertools import product

import pytest
from yochi_runtime.taxonomy import Pack, Source
from yochi_train.observe.procedure import ObservedPair, combination_stays, disentangle
from yochi_train.observe.teacher import Question, TeacherRefused, Topic
from yochi_train.observe.truth_teacher import TruthTeacher

from .observed import GUARD, NO, NOTE, TOGETHER, WIPE, Answers, all_known, listed, pair, seen

SLOT = "combination:mechanical"
EGRESS = seen("image_content", "egress", "exit blocked by pallets")
STRAIN = seen("image_content", "ergonomic", "man bent over a low crate")  # no cue shows it


def reasons(found: ObservedPair) -> list[tuple[str, str]]:
    return [(drop.observation.key, drop.why) for drop in found.dropped]


@pytest.mark.parametrize(("image", "note", "both"), [*product([False, True], repeat=3)])
def test_a_combination_stays_only_if_neither_side_alone_explains_it(
    image: bool, note: bool, both: bool, pack: Pack
) -> None:
    expected = (image, note, both) == (False, False, True)
    assert combination_stays(image, note, both) == expected
    answers = Answers(
        {
            "image": listed(*[GUARD] * image),
            "note": listed(*[WIPE] * note),
            "both": listed(*[TOGETHER] * both),
        }
    )
    found = disentangle(pair(), pack, answers)
    assert found.slots[SLOT] == int(expected)
    assert ((SLOT, "explained_apart") in reasons(found)) == (both and not expected)
    # what is explained apart costs no question
    assert (f"confirm {SLOT}" in answers.names) == expected
    assert found.slots["cue:guard_missing"] == int(image)
    assert found.slots["note_instruction:mechanical"] == int(note)
    assert found.verdict == ("stop" if image or note or both else "proceed")


def test_another_category_explains_nothing(pack: Pack) -> None:
    answers = Answers({"image": listed(EGRESS), "both": listed(TOGETHER)})
    assert disentangle(pair(), pack, answers).slots[SLOT] == 1


def test_what_was_not_confirmed_explains_nothing(pack: Pack) -> None:
    answers = Answers(
        {"note": listed(WIPE), "both": listed(TOGETHER), "confirm note_instruction:mechanical": NO}
    )
    found = disentangle(pair(), pack, answers)
    assert reasons(found) == [("note_instruction:mechanical", "unconfirmed")]
    assert found.slots[SLOT] == 1
    assert "note_instruction:mechanical" not in found.slots


def test_a_side_that_shows_only_beside_the_other_is_confirmed_alone_and_explains(pack: Pack) -> None:
    asked: list[Topic] = []
    answers = Answers({"both": listed(TOGETHER, WIPE)})

    def ask(topic: Topic, failed: tuple[tuple[str, str], ...]) -> str:
        asked.append(topic)
        return answers(topic, failed)

    found = disentangle(pair(), pack, ask)
    assert [(t.view, t.claim is None) for t in asked] == [
        ("image", True),
        ("note", True),
        ("both", True),
        ("note", False),
    ]
    assert reasons(found) == [(SLOT, "explained_apart")]


def test_a_combination_is_confirmed_too(pack: Pack) -> None:
    found = disentangle(pair(), pack, Answers({"both": listed(TOGETHER), f"confirm {SLOT}": NO}))
    assert reasons(found) == [(SLOT, "unconfirmed")]
    assert SLOT not in found.slots
    assert found.verdict is None


def test_what_is_kept_has_its_place_in_the_note(pack: Pack) -> None:
    found = disentangle(pair(), pack, Answers({"image": listed(GUARD), "note": listed(WIPE)}))
    guard, wipe = found.observations
    assert guard.span is None
    assert wipe.span is not None
    assert NOTE[slice(*wipe.span)] == "Wipe the rollers by hand"


def test_the_same_claim_is_confirmed_once(pack: Pack) -> None:
    answers = Answers({"image": listed(GUARD, GUARD), "both": listed(GUARD)})
    found = disentangle(pair(), pack, answers)
    assert answers.names == ["image", "note", "both", "confirm cue:guard_missing"]
    assert reasons(found) == [("cue:guard_missing", "repeated")] * 2
    assert found.slots["cue:guard_missing"] == 1


def test_nothing_named_is_nothing_there_but_for_cues_nobody_asked_about(pack: Pack) -> None:
    found = disentangle(pair(), pack, Answers({}))
    assert found.slots == {slot.id: 0 for slot in pack.slots if slot.source is not None}
    assert "cue:conveyor" not in found.slots
    assert (found.verdict, found.lang, found.defects) == ("proceed", "en", ())


def test_a_filtered_observation_is_not_asked_about_and_leaves_its_slot_open(pack: Pack) -> None:
    bad = {**WIPE, "quote": "oil the rollers"}
    answers = Answers({"note": listed(bad)})
    found = disentangle(pair(), pack, answers)
    assert answers.names == ["image", "note", "both"]
    assert reasons(found) == [("note_instruction:mechanical", "not_in_note")]
    assert "note_instruction:mechanical" not in found.slots
    assert found.slots["note_content:mechanical"] == 0
    assert found.verdict is None


def test_a_risk_outside_the_pack_is_not_safe(pack: Pack) -> None:
    found = disentangle(pair(), pack, Answers({"note": listed({**WIPE, "category": "health"})}))
    assert reasons(found) == [("note_instruction:health", "outside_pack")]
    assert found.verdict is None


def test_a_risk_in_the_picture_without_a_cue_leaves_its_cues_open(pack: Pack) -> None:
    bare = seen("image_content", "ppe", "man in a T-shirt")
    found = disentangle(pair(), pack, Answers({"image": listed(bare)}))
    assert [kept.observation.key for kept in found.observations] == ["image_content:ppe"]
    assert not {"cue:no_hard_hat", "cue:no_head_wear", "cue:no_vest"} & set(found.slots)
    assert found.slots["cue:fire"] == 0


def test_a_slight_risk_is_caution_where_nothing_is_open(pack: Pack) -> None:
    assert disentangle(pair(), pack, Answers({"image": listed(STRAIN)})).verdict == "caution"
    open_too = Answers(
        {"image": listed(STRAIN), "note": listed(WIPE), "confirm note_instruction:mechanical": NO}
    )
    assert disentangle(pair(), pack, open_too).verdict is None


def test_a_bad_answer_is_asked_for_once_more(pack: Pack) -> None:
    answers = Answers({"note": ["Nothing to see.", listed(WIPE)]})
    found = disentangle(pair(), pack, answers)
    assert answers.names[:4] == ["image", "note", "note", "both"]
    assert [(d.ask, d.why) for d in found.defects] == [("note", "missing_empty")]
    assert found.slots["note_instruction:mechanical"] == 1


def test_a_view_without_an_answer_leaves_its_slots_open(pack: Pack) -> None:
    found = disentangle(pair(), pack, Answers({"image": ["", "[]"]}))
    assert [(d.ask, d.why) for d in found.defects] == [
        ("image", "missing_empty"),
        ("image", "invalid_answer"),
    ]
    sources = {slot.split(":")[0] for slot in found.slots}
    assert sources == {"note_instruction", "note_content", "combination"}
    assert found.verdict is None


def test_a_confirmation_that_is_none_does_not_confirm(pack: Pack) -> None:
    found = disentangle(
        pair(), pack, Answers({"image": listed(GUARD), "confirm cue:guard_missing": ["", "sure"]})
    )
    assert reasons(found) == [("cue:guard_missing", "unconfirmed")]
    assert [d.why for d in found.defects] == ["invalid_answer"] * 2


def truth(pack: Pack, *held: str) -> ObservedPair:
    teacher, known = TruthTeacher(pack), pair(slots=all_known(pack, *held))
    return disentangle(
        known, pack, lambda topic, _: teacher.ask(Question(known, topic, messages=[], schema={})).text
    )


def test_the_truth_comes_back_slot_by_slot(pack: Pack) -> None:
    assert truth(pack).verdict == "proceed"
    for slot in pack.slots:
        if slot.source is None or slot.category is None:
            continue
        found = truth(pack, slot.id)
        assert {s for s, value in found.slots.items() if value} == {slot.id}
        assert len(found.slots) == sum(s.source is not None for s in pack.slots)
        severe = pack.category_of(slot.category).severity == "S2"
        assert found.verdict == ("stop" if severe else "caution")
        assert found.dropped == () or slot.source is not Source.COMBINATION


def test_the_truth_quotes_the_marked_words(pack: Pack) -> None:
    slot = "note_instruction:mechanical"
    start = NOTE.index("rollers")
    spans = [(0, 4, "note_content:mechanical"), (start, start + 7, slot), (start, start + 15, slot)]
    known = pair(slots=all_known(pack, slot), spans=spans)
    answer = TruthTeacher(pack).ask(Question(known, Topic("note"), [], {}))
    assert '"quote": "rollers"' in answer.text
    assert (answer.model, answer.prompt_tokens) == ("truth", None)


def test_the_truth_quotes_a_clause_where_all_of_the_note_is_marked(pack: Pack) -> None:
    slot = "note_instruction:mechanical"
    known = pair(slots=all_known(pack, slot), spans=[(0, len(NOTE), slot)])
    answer = TruthTeacher(pack).ask(Question(known, Topic("note"), [], {}))
    assert '"quote": "Line is running"' in answer.text


def test_the_truth_is_silent_on_what_it_does_not_know(pack: Pack) -> None:
    known = all_known(pack)
    del known["cue:fire"]
    with pytest.raises(TeacherRefused, match=r"every risk slot of a to be known, 1 are not \(cue:fire"):
        TruthTeacher(pack).ask(Question(pair(slots=known), Topic("image"), [], {}))
