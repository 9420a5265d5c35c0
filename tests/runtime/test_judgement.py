"""What a Judgement may hold: nothing that is not a probability, no cannot_judge without its reason."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from yochi_runtime.errors import Reason
from yochi_runtime.judgement import (
    CALL_SUPERVISOR,
    GO_ON,
    Coverage,
    Evidence,
    Identities,
    Judgement,
    NoteSpan,
    RiskFactor,
    SlotResult,
    cannot_judge,
)
from yochi_runtime.taxonomy import Source, Text
from yochi_runtime.verdict import Verdict

NOT_PROBABILITIES = (-0.01, 1.01, math.nan, math.inf, -math.inf)


def factor(**changes: Any) -> RiskFactor:
    fields: dict[str, Any] = {
        "slot": "cue:fire",
        "source": Source.IMAGE_CONTENT,
        "category": "thermal_fire",
        "name": Text(en="fire", ja="火災"),
        "probability": 0.9,
        "threshold": 0.5,
        "severity": "S2",
        "evidence": Evidence(box=(0.1, 0.2, 0.3, 0.4), note=NoteSpan(start=0, end=4, text="weld")),
        "why": Text(en="In the picture: fire", ja="画像に写っています: 炎"),
    }
    return RiskFactor(**(fields | changes))


def full() -> Judgement:
    return Judgement(
        verdict=Verdict.STOP,
        factors=(factor(),),
        slots=(
            SlotResult(id="cue:fire", coverage=Coverage.JUDGED, probability=0.9, threshold=0.5),
            SlotResult(id="cue:smoke", coverage=Coverage.NOT_TRAINED),
            SlotResult(id="image_text:trick", coverage=Coverage.NOT_LOOKED),
        ),
        advice=GO_ON,
        language="ja",
        timings_ms={"vision": 12.5},
        identities=Identities(frame="0" * 64),
    )


@pytest.mark.parametrize("probability", [None, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("coverage", list(Coverage))
def test_a_probability_belongs_to_judged_slots_only(coverage: Coverage, probability: float | None) -> None:
    if (coverage is Coverage.JUDGED) == (probability is not None):
        assert SlotResult(id="x", coverage=coverage, probability=probability).probability == probability
        return
    with pytest.raises(ValidationError, match="a probability belongs to judged slots"):
        SlotResult(id="x", coverage=coverage, probability=probability)


@pytest.mark.parametrize("value", NOT_PROBABILITIES)
def test_what_is_no_probability_is_refused_everywhere(value: float) -> None:
    for build in (
        lambda: SlotResult(id="x", coverage=Coverage.JUDGED, probability=value),
        lambda: SlotResult(id="x", coverage=Coverage.JUDGED, probability=0.5, threshold=value),
        lambda: factor(probability=value),
        lambda: factor(threshold=value),
        lambda: Evidence(box=(0.0, value, 1.0, 1.0)),
    ):
        with pytest.raises(ValidationError):
            build()


@pytest.mark.parametrize("reasons", [(), (Reason.UNPROVED,)])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_cannot_judge_has_a_reason(verdict: Verdict, reasons: tuple[Reason, ...]) -> None:
    if (verdict is Verdict.CANNOT_JUDGE) == bool(reasons):
        assert Judgement(verdict=verdict, reasons=reasons, advice=GO_ON).reasons == reasons
        return
    with pytest.raises(ValidationError, match="cannot_judge needs a reason"):
        Judgement(verdict=verdict, reasons=reasons, advice=GO_ON)


@pytest.mark.parametrize("reason", list(Reason))
def test_cannot_judge_calls_the_supervisor(reason: Reason) -> None:
    judgement = cannot_judge(reason, "expected this, got that; do so", Identities(note="1" * 64))
    assert judgement.verdict is Verdict.CANNOT_JUDGE
    assert judgement.reasons == (reason,)
    assert judgement.advice == CALL_SUPERVISOR
    assert judgement.identities.note == "1" * 64
    assert (judgement.factors, judgement.slots, judgement.decoded_tokens) == ((), (), 0)


def test_json_there_and_back() -> None:
    judgement = full()
    text = judgement.model_dump_json()
    assert Judgement.model_validate_json(text) == judgement
    data = json.loads(text)
    assert data["schema_version"] == 1
    assert data["verdict"] == "stop"
    assert data["factors"][0]["source"] == "image_content"
    assert data["factors"][0]["evidence"]["box"] == [0.1, 0.2, 0.3, 0.4]
    assert data["slots"][1] == {
        "id": "cue:smoke", "coverage": "not_trained", "probability": None, "threshold": None,
    }  # fmt: skip


@given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_survive_json_to_the_last_bit(probability: float, threshold: float) -> None:
    slot = SlotResult(id="x", coverage=Coverage.JUDGED, probability=probability, threshold=threshold)
    assert SlotResult.model_validate_json(slot.model_dump_json()) == slot


def test_coverage_lists_every_slot_once() -> None:
    assert full().coverage() == {
        Coverage.JUDGED: ["cue:fire"],
        Coverage.NOT_TRAINED: ["cue:smoke"],
        Coverage.NOT_LOOKED: ["image_text:trick"],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"schema_version": 2},
        {"verdict": "go"},
        {"language": "de"},
        {"decoded_tokens": -1},
        {"timings_ms": {"vision": -1.0}},
        {"timings_ms": {"vision": math.nan}},
    ],
)
def test_a_foreign_judgement_is_refused(wrong: dict[str, Any]) -> None:
    data = full().model_dump() | wrong
    with pytest.raises(ValidationError):
        Judgement.model_validate(data)


def test_a_judgement_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        full().verdict = Verdict.PROCEED  # type: ignore[misc]


def test_every_judgement_has_timings_of_its_own() -> None:
    first, second = (Judgement(verdict=Verdict.PROCEED, advice=GO_ON) for _ in range(2))
    first.timings_ms["vision"] = 1.0
    assert second.timings_ms == {}
