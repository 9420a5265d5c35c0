"""What `yochi rules check` finds: failing examples, conflicts, and rules that do nothing."""

from typing import Any

import pytest
from yochi_runtime.rule_findings import findings

from .rulebooks import ADVICE, rule, rules_of

UNTRAINED = frozenset({"cue:no_vest", "image_text:steering_text"})
WELDING = {"name": "welding", "note": "welding", "expect": "stop", "clauses": ["A-1"]}
BOTH = {**WELDING, "clauses": ["A-1", "B-1"]}
FOUND: list[tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]] = [
    ([rule(words=["weld"])], [WELDING], []),
    (
        [rule(words=["grind"])],
        [WELDING],
        ["example 'welding': expected stop by A-1, got none", "rule A-1: not shown to be reachable"],
    ),
    ([rule(words=["weld"])], [], ["rule A-1: not shown to be reachable"]),
    ([rule(words=["weld"]), rule(id="B-1", words=["WELD"])], [BOTH], ["rules A-1 and B-1: duplicate"]),
    (
        [rule(words=["weld"]), rule(id="B-1", words=["weld"], at_least="caution")],
        [BOTH],
        ["rules A-1 and B-1: conflict: the same condition makes the verdict stop and caution"],
    ),
    (
        [rule(words=["weld"]), rule(id="B-1", words=["welding"], at_least="caution")],
        [BOTH],
        ["rule B-1: shadowed: wherever it applies, A-1 does too, with the effect stop"],
    ),
    # narrower, but it says something of its own: more, or what to do
    ([rule(words=["weld"], at_least="caution"), rule(id="B-1", words=["welding"])], [BOTH], []),
    ([rule(words=["weld"]), rule(id="B-1", words=["welding"], at_least=None, advice=ADVICE)], [BOTH], []),
]


@pytest.mark.parametrize(("rules", "examples", "expected"), FOUND)
def test_findings(rules: list[dict[str, Any]], examples: list[dict[str, Any]], expected: list[str]) -> None:
    found = findings(rules_of(*rules, examples=examples), UNTRAINED)
    assert len(found) == len(expected)
    for line, said in zip(found, expected, strict=True):
        assert line.startswith(said)


def shown(**when: Any) -> list[str]:
    """Findings of one rule on cues or factors, which its example flags."""
    example = {"name": "it", "expect": when.get("at_least", "stop"), "clauses": ["A-1"]}
    flags = {"cues": when["cues"][:1]} if "cues" in when else {"factors": when["factors"][:1]}
    return findings(rules_of(rule(**when), examples=[example | flags]), UNTRAINED)


def test_a_rule_on_what_the_bundle_does_not_judge_is_unreachable() -> None:
    (line,) = shown(cues=["no_vest"])
    assert line.startswith("rule A-1: unreachable: the bundle is not trained for cue:no_vest")
    assert shown(cues=["no_hard_hat", "no_vest"]) == []


def test_a_rule_that_repeats_the_severity_changes_nothing() -> None:
    (line,) = shown(factors=["note_content:fall"])  # S2: stop without any rule
    assert line.startswith("rule A-1: changes nothing: what it asks for makes the verdict stop without it")
    assert shown(factors=["note_content:fall"], advice=ADVICE) == []
    assert shown(factors=["note_content:slip_trip"]) == []  # S1: caution, so a stop is more
    assert len(shown(factors=["note_content:slip_trip"], at_least="caution")) == 1
    assert shown(cues=["forklift"]) == []  # no risk by itself
