"""Conditions: all keys, any entry, and what is not known keeps a rule open."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.note_words import fold
from yochi_runtime.rule_conditions import Condition, Facts, answer, implies
from yochi_runtime.time_windows import moment

from .rulebooks import PACK, ZONES, rule, rules_of


def condition(**when: Any) -> Condition:
    return rules_of(rule(**when)).clauses[0].condition


def facts(**known: Any) -> Facts:
    """Everything judged and nothing flagged but `flagged`; `unjudged` slots have no answer."""
    seen, unjudged = known.get("flagged", ()), known.get("unjudged", ())
    slots = {slot: slot in seen for slot in PACK.slot_index if slot not in unjudged}
    note = known.get("note", "")
    time = moment(known.get("time", "wed 10:00"))
    return Facts(slots, None if note is None else fold(note), known.get("zone"), time)


PERSON, FORKLIFT, TRUCK = "cue:person", "cue:forklift", "cue:dump_truck"
AMONG = {"cues": ["person"], "and_cues": ["forklift", "dump_truck"]}
ANSWERS: list[tuple[dict[str, Any], dict[str, Any], bool | None, tuple[str, ...]]] = [
    # when, what is known, the answer, what is missing
    (AMONG, {"flagged": [PERSON, TRUCK]}, True, ()),
    (AMONG, {"flagged": [FORKLIFT, TRUCK]}, False, ()),
    (AMONG, {"flagged": [PERSON], "unjudged": [TRUCK]}, None, (TRUCK,)),
    (AMONG, {"flagged": [PERSON, FORKLIFT], "unjudged": [TRUCK]}, True, ()),  # one of them is enough
    (AMONG, {"unjudged": [FORKLIFT, TRUCK]}, False, ()),  # no person: the rest does not matter
    (AMONG, {"unjudged": [PERSON, FORKLIFT]}, None, (PERSON, FORKLIFT)),
    ({"factors": ["*:fall"]}, {"flagged": ["note_content:fall"]}, True, ()),
    ({"factors": ["*:fall"]}, {"flagged": ["note_content:vehicle"]}, False, ()),
    ({"factors": ["image_content:ppe"]}, {"flagged": ["cue:no_vest"]}, True, ()),  # a cue that is a risk
    ({"factors": ["image_content:*"]}, {"flagged": [FORKLIFT]}, False, ()),  # a cue that is none
    ({"factors": ["combination:*"]}, {"flagged": ["combination:load"]}, True, ()),
    ({"words": ["weld"]}, {"note": "Welding"}, True, ()),
    ({"words": ["weld"]}, {"note": "painting"}, False, ()),
    ({"words": ["weld"]}, {"note": None}, None, ("note",)),
    ({"words": ["tank"], "and_words": ["enter"]}, {"note": "Entering the tank"}, True, ()),
    ({"words": ["tank"], "and_words": ["enter"]}, {"note": "Painting the tank"}, False, ()),
    ({"zones": ["yard"]}, {"zone": "yard"}, True, ()),
    ({"zones": ["yard"]}, {"zone": "shop"}, False, ()),
    ({"zones": ["yard"]}, {}, None, ("zone",)),
    ({"zones": ["yard"], "words": ["weld"]}, {"note": None}, None, ("note", "zone")),
    ({"zones": ["yard"], "words": ["weld"]}, {"note": "painting"}, False, ()),
    ({"hours": ["22:00-06:00"]}, {"time": "sat 02:00"}, True, ()),
    ({"hours": ["22:00-06:00"], "days": ["sat"]}, {"time": "sat 02:00"}, False, ()),
]


@pytest.mark.parametrize(("when", "known", "truth", "missing"), ANSWERS)
def test_answers(
    when: dict[str, Any], known: dict[str, Any], truth: bool | None, missing: tuple[str, ...]
) -> None:
    found, lacking = answer(condition(**when), facts(**known))
    assert found is truth
    assert set(lacking) == set(missing)


IMPLIED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    # narrow, wide
    ({"cues": ["person"], "and_cues": ["forklift"]}, {"cues": ["person"]}),
    ({"cues": ["person"], "and_cues": ["forklift"]}, {"cues": ["forklift", "pallet"]}),
    ({"factors": ["note_content:fall"]}, {"factors": ["*:fall"]}),
    ({"words": ["welding"]}, {"words": ["weld", "grind"]}),
    ({"words": ["weld"], "zones": ["yard"]}, {"words": ["WELD"]}),
    ({"hours": ["23:00-01:00"]}, {"hours": ["22:00-06:00"]}),
    ({"days": ["sat"], "words": ["weld"]}, {"days": ["sat", "sun"]}),
]


@pytest.mark.parametrize(("narrow", "wide"), IMPLIED)
def test_a_narrower_condition_implies_a_wider_one(narrow: dict[str, Any], wide: dict[str, Any]) -> None:
    assert implies(condition(**narrow), condition(**wide))
    assert not implies(condition(**wide), condition(**narrow))


NOTES = ["", "weld", "welding in a tank", "tank", "unweld"]
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "cues": st.lists(st.sampled_from(["person", "forklift", "pallet"]), min_size=1),
        "and_cues": st.lists(st.sampled_from(["person", "forklift", "pallet"]), min_size=1),
        "words": st.lists(st.sampled_from(["weld", "welding", "tank"]), min_size=1),
        "zones": st.lists(st.sampled_from(ZONES), min_size=1),
        "hours": st.lists(st.sampled_from(["22:00-06:00", "23:00-24:00", "06:00-22:00"]), min_size=1),
    },
).filter(bool)
KNOWN = st.fixed_dictionaries(
    {
        "flagged": st.sets(st.sampled_from([PERSON, FORKLIFT, "cue:pallet"])),
        "unjudged": st.sets(st.sampled_from([PERSON, FORKLIFT, "cue:pallet"])),
        "note": st.sampled_from([None, *NOTES]),
        "zone": st.sampled_from([None, *ZONES]),
        "time": st.sampled_from(["mon 23:30", "tue 05:00", "tue 12:00"]),
    }
)


@given(WHEN, WHEN, KNOWN)
def test_what_is_implied_holds_too(
    narrow: dict[str, Any], wide: dict[str, Any], known: dict[str, Any]
) -> None:
    if implies(condition(**narrow), condition(**wide)) and answer(condition(**narrow), facts(**known))[0]:
        assert answer(condition(**wide), facts(**known))[0] is True


@given(WHEN, KNOWN, st.sets(st.sampled_from([PERSON, FORKLIFT, "cue:pallet"])))
def test_more_that_is_flagged_never_takes_a_rule_away(
    when: dict[str, Any], known: dict[str, Any], more: set[str]
) -> None:
    asked = condition(**when)
    after = known | {"flagged": known["flagged"] | more, "unjudged": known["unjudged"] - more}
    if answer(asked, facts(**known))[0] is True:
        assert answer(asked, facts(**after))[0] is True


@given(WHEN, KNOWN, KNOWN)
def test_open_means_that_either_answer_is_still_possible(
    when: dict[str, Any], known: dict[str, Any], told: dict[str, Any]
) -> None:
    """A settled answer does not change when what was missing is told."""
    asked, before = condition(**when), facts(**known)
    truth, missing = answer(asked, before)
    assert (truth is None) == bool(missing)
    whole = {slot: slot in told["flagged"] for slot in PACK.slot_index} | dict(before.flagged)
    note = before.note if before.note is not None else fold(told["note"] or "")
    after = answer(asked, Facts(whole, note, before.zone or told["zone"] or ZONES[0], before.minute))
    assert after[0] is not None
    assert truth in (None, after[0])
