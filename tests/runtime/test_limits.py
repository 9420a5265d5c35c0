"""Every gate by itself: its numbers, its words, and that it can only refuse."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from yochi_runtime import limits
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.judgement import Judgement
from yochi_runtime.limits import BLURRED, DARK, MOVED, Gate, GateError, Limit, check, gates_of
from yochi_runtime.run import failure
from yochi_runtime.verdict import Verdict

LIMITS = {name: limit for name, limit in vars(limits).items() if isinstance(limit, Limit)}
ANY = st.floats(allow_nan=True, allow_infinity=True)


def keeping(limit: Limit) -> float:
    return limit.threshold


def breaking(limit: Limit) -> float:
    return limit.threshold + (-0.01 if limit.bound == "at_least" else 0.01)


def test_every_fault_of_a_frame_has_its_gate() -> None:
    """Unreadable, truncated, too small and too large never become a frame."""
    undecoded = {"frame_unreadable", "frame_truncated", "frame_too_small", "frame_too_large"}
    frames = {reason for reason in Reason if reason.startswith("frame_")}
    assert {limit.reason for limit in LIMITS.values()} == frames - undecoded


@pytest.mark.parametrize("name", LIMITS)
def test_at_its_limit_a_gate_passes_and_beyond_it_is_cannot_judge(name: str) -> None:
    limit = LIMITS[name]
    (gate,) = check([(limit, keeping(limit))])
    assert gate.passed
    with pytest.raises(GateError) as e:
        check([(limit, breaking(limit))])
    judgement = failure(e.value)
    assert (judgement.verdict, judgement.reasons) == (Verdict.CANNOT_JUDGE, (limit.reason,))
    assert judgement.gates == (limit.gate(breaking(limit)),)
    assert judgement.message
    assert re.fullmatch(r"expected [^;]+, got [\d.-]+ .+; [^\n]+", judgement.message)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_does_not_pass(name: str, value: float) -> None:
    gate = LIMITS[name].gate(value)
    assert (gate.value, gate.passed) == (None, False)
    with pytest.raises(GateError):
        check([(LIMITS[name], value)])


@given(st.lists(st.tuples(st.sampled_from(list(LIMITS.values())), ANY), max_size=8))
def test_the_first_that_fails_gives_the_reason_and_all_are_kept(measured: list[tuple[Limit, float]]) -> None:
    failing = [limit.reason for limit, value in measured if not limit.gate(value).passed]
    if not failing:
        assert all(gate.passed for gate in check(measured))
        return
    with pytest.raises(GateError) as e:
        check(measured)
    assert e.value.reason is failing[0]
    assert e.value.gates == tuple(limit.gate(value) for limit, value in measured)


@given(st.sampled_from(list(LIMITS.values())), ANY)
def test_a_gate_survives_json(limit: Limit, value: float) -> None:
    gate = limit.gate(value)
    assert Gate.model_validate_json(gate.model_dump_json()) == gate


def test_a_gate_that_says_passed_against_its_numbers_is_refused() -> None:
    for gate in (BLURRED.gate(5.0), DARK.gate(200.0)):
        with pytest.raises(ValidationError, match="expected passed where the value keeps the threshold"):
            Gate.model_validate(gate.model_dump() | {"passed": not gate.passed})


def test_a_judgement_shows_value_threshold_and_unit() -> None:
    with pytest.raises(GateError) as e:
        check([(DARK, 90.0), (MOVED, 12.5)])
    data = json.loads(failure(e.value).model_dump_json())
    assert data["gates"][1] == {
        "reason": "frame_moved",
        "value": 12.5,
        "bound": "at_most",
        "threshold": 3.0,
        "unit": "%",
        "passed": False,
    }
    assert [gate["passed"] for gate in data["gates"]] == [True, False]
    assert data["message"] == (
        "expected the reference's view, at most 3 % of the picture's longer side away, got 12.5 %; "
        "turn the camera back or give a new reference"
    )


def test_a_judgement_from_before_the_gates_is_still_read() -> None:
    data = failure(EngineError(Reason.ENGINE_FAILED, "expected this, got that; do so")).model_dump()
    del data["gates"]
    assert Judgement.model_validate(data).gates == ()
    assert gates_of(RuntimeError()) == ()
