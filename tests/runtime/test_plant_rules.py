"""What a rulebook does to a judgement: it raises, it advises, it says what is open, and it never lowers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.errors import UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.judgement import CALL_SUPERVISOR, GO_ON, Judgement
from yochi_runtime.plant_rules import PlantRules, plant_rules
from yochi_runtime.taxonomy import Text
from yochi_runtime.verdict import Verdict, highest

from .rulebooks import ADVICE, PACK, judged, rule, rules_of

NOW = datetime(2025, 11, 26, 10, 0, tzinfo=UTC)
WELD = Note("welding")


def applied(judgement: Judgement, *rules: dict[str, Any], zone: str | None = None) -> Judgement:
    return PlantRules(rules_of(*rules), zone).apply(judgement, WELD, NOW)


@pytest.mark.parametrize("before", list(Verdict))
@pytest.mark.parametrize("at_least", [None, "caution", "stop"])
def test_the_verdict_is_the_highest(before: Verdict, at_least: str | None) -> None:
    after = applied(judged(verdict=before), rule(words=["weld"], at_least=at_least, advice=ADVICE))
    assert after.verdict is highest([before, Verdict(at_least or "proceed")])
    assert after.rules is not None
    assert after.rules.model_verdict is before
    assert [clause.clause for clause in after.rules.applied] == ["A-1"]
    assert after.identities.rules == "0" * 64
    assert Judgement.model_validate_json(after.model_dump_json()) == after


SLOTS = [slot for slot in PACK.slot_index if slot != "verdict"]
FACTORS = ["*:fall", "note_content:*", "image_content:ppe", "combination:load", "image_text:steering_text"]
WHENS = st.fixed_dictionaries(
    {},
    optional={
        "factors": st.lists(st.sampled_from(FACTORS), min_size=1),
        "cues": st.lists(st.sampled_from([cue.id for cue in PACK.cue]), min_size=1),
        "words": st.lists(st.sampled_from(["weld", "溶接", "a"]), min_size=1),
        "zones": st.lists(st.sampled_from(["yard", "shop"]), min_size=1),
        "days": st.lists(st.sampled_from(["mon", "wed"]), min_size=1),
        "hours": st.lists(st.sampled_from(["22:00-06:00", "06:00-22:00"]), min_size=1),
    },
).filter(bool)
EFFECTS = st.sampled_from([None, "caution", "stop"])


@given(
    st.lists(st.tuples(WHENS, EFFECTS), min_size=1, max_size=5),
    st.sets(st.sampled_from(SLOTS)),
    st.sets(st.sampled_from(SLOTS)),
    st.sampled_from(Verdict),
    st.sampled_from([None, "Welding", "何もない", "a"]),
    st.sampled_from([None, "yard", "shop"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_a_rulebook_never_lowers_a_verdict_and_forgets_no_rule(
    made: list[tuple[dict[str, Any], str | None]],
    flagged: set[str],
    unjudged: set[str],
    verdict: Verdict,
    note: str | None,
    zone: str | None,
    now: datetime,
) -> None:
    rules = rules_of(
        *(rule(id=f"R{i}", at_least=to, advice=ADVICE, **when) for i, (when, to) in enumerate(made))
    )
    before = judged(flagged=[*flagged], unjudged=[*unjudged], verdict=verdict)
    read = None if note is None else Note(note)
    after = PlantRules(rules, zone).apply(before, read, now.replace(tzinfo=UTC))
    assert highest([before.verdict, after.verdict]) is after.verdict
    assert (after.verdict is Verdict.CANNOT_JUDGE) == (before.verdict is Verdict.CANNOT_JUDGE)
    assert (after.reasons, after.factors, after.slots) == (before.reasons, before.factors, before.slots)
    assert after.rules is not None
    raised = [c.effect for c in after.rules.applied if c.effect != "advice"]
    assert after.verdict is highest([before.verdict, *map(Verdict, raised)])
    said = {c.clause for c in after.rules.applied}
    for left in after.rules.open:
        assert left.clause not in said
        assert left.missing
    lost = verdict is Verdict.CANNOT_JUDGE
    for i, (when, _) in enumerate(made):
        if [*when] == ["cues"]:  # the one kind that can be told here without the code under test
            slots = {f"cue:{cue}" for cue in when["cues"]}
            known = set() if lost else slots & flagged - unjudged
            assert (f"R{i}" in said) == bool(known)
            assert (f"R{i}" in {c.clause for c in after.rules.open}) == (
                not known and (lost or bool(slots & unjudged))
            )


def test_open_is_said_with_what_is_missing_and_raises_nothing() -> None:
    after = applied(
        judged(flagged=["cue:person"], unjudged=["cue:no_vest"]), rule(cues=["no_vest"], zones=["yard"])
    )
    assert (after.verdict, after.advice) == (Verdict.PROCEED, GO_ON)
    assert after.rules is not None
    assert [(c.clause, c.effect, c.missing) for c in after.rules.open] == [
        ("A-1", "stop", ("cue:no_vest", "zone"))
    ]


def test_cannot_judge_answers_no_slot_but_note_zone_and_time() -> None:
    after = applied(
        judged(verdict=Verdict.CANNOT_JUDGE),
        rule(id="WORD", words=["weld"], zones=["yard"]),
        rule(id="CUE", cues=["person"]),
        zone="yard",
    )
    assert after.verdict is Verdict.CANNOT_JUDGE
    assert after.advice == CALL_SUPERVISOR
    assert after.rules is not None
    assert [c.clause for c in after.rules.applied] == ["WORD"]
    assert [c.clause for c in after.rules.open] == ["CUE"]


def test_numbers_of_an_unproved_bundle_answer_no_rule() -> None:
    unproved = judged(flagged=["cue:person"]).model_copy(update={"verdict": Verdict.CANNOT_JUDGE})
    after = applied(unproved, rule(cues=["person"]))
    assert after.rules is not None
    assert (after.rules.applied, [c.missing for c in after.rules.open]) == ((), [("cue:person",)])


DO, MODELS = Text(**ADVICE), Text(en="Step back.", ja="下がる。")
ADVISED = [
    # the model's verdict and advice, the rule's effect and advice, the advice in the end
    (Verdict.PROCEED, GO_ON, "stop", ADVICE, [DO]),
    (Verdict.PROCEED, GO_ON, "stop", None, [CALL_SUPERVISOR]),
    (Verdict.PROCEED, GO_ON, None, ADVICE, [DO, GO_ON]),
    (Verdict.CAUTION, MODELS, "stop", ADVICE, [DO, MODELS]),
    (Verdict.CAUTION, CALL_SUPERVISOR, "stop", None, [CALL_SUPERVISOR]),
    (Verdict.STOP, MODELS, "stop", ADVICE, [MODELS, DO]),
    (Verdict.STOP, MODELS, "caution", ADVICE, [MODELS, DO]),
    (Verdict.STOP, MODELS, "stop", None, [MODELS]),
]


@pytest.mark.parametrize(("verdict", "own", "at_least", "advice", "expected"), ADVISED)
def test_the_advice_begins_with_what_decided(
    verdict: Verdict,
    own: Text,
    at_least: str | None,
    advice: dict[str, str] | None,
    expected: list[Text],
) -> None:
    before = judged(verdict=verdict).model_copy(update={"advice": own})
    after = applied(before, rule(words=["weld"], at_least=at_least, advice=advice))
    assert after.advice.en == " ".join(text.en for text in expected)
    assert after.advice.ja == "".join(text.ja for text in expected)


def test_the_strongest_clause_comes_first() -> None:
    after = applied(
        judged(),
        rule(id="LOW", words=["weld"], at_least=None, advice=ADVICE),
        rule(id="MIDDLE", words=["weld"], at_least="caution"),
        rule(id="HIGH", words=["weld"], at_least="stop"),
    )
    assert after.rules is not None
    assert [c.clause for c in after.rules.applied] == ["HIGH", "MIDDLE", "LOW"]


def test_a_rulebook_whose_example_fails_is_not_used() -> None:
    wrong = {"name": "painting", "note": "painting", "expect": "stop", "clauses": ["A-1"]}
    with pytest.raises(UsageError) as caught:
        PlantRules(rules_of(rule(words=["weld"]), examples=[wrong]))
    assert str(caught.value) == (
        "plant.toml: example 'painting': expected stop by A-1, got none; mend the rules or the example"
    )


def test_a_zone_must_be_one_of_the_rulebook() -> None:
    with pytest.raises(UsageError, match=r"plant.toml: --zone: unknown zone 'yrad'; did you mean 'yard'\?"):
        PlantRules(rules_of(rule(words=["weld"])), "yrad")
    with pytest.raises(UsageError, match="expected a rulebook that knows the zone 'yard', got none"):
        plant_rules(None, "yard", None)
    assert plant_rules(None, None, None) is None
