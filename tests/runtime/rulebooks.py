"""Rulebooks and judgements for the tests of the plant's rules."""

from collections.abc import Sequence
from typing import Any

from yochi_runtime.errors import Reason
from yochi_runtime.judgement import GO_ON, Coverage, Judgement, SlotResult, cannot_judge
from yochi_runtime.rule_conditions import clauses_of
from yochi_runtime.rule_file import RuleFile
from yochi_runtime.rulebook import Rulebook
from yochi_runtime.taxonomy import load_pack
from yochi_runtime.verdict import Verdict

PACK = load_pack()
TEXT = {"en": "the clause", "ja": "条文"}
ADVICE = {"en": "Do so.", "ja": "そうする。"}
ZONES = ("yard", "shop")
MINIMAL = """\
format = 1
id = "plant"
version = "1"
[zones]
yard = { en = "yard", ja = "ヤード" }
[[rule]]
id = "A-1"
wording = { en = "the clause", ja = "条文" }
at_least = "stop"
[rule.when]
words = ["weld"]
[[example]]
name = "welding"
note = "welding"
expect = "stop"
clauses = ["A-1"]
"""


def rule(*, id: str = "A-1", at_least: str | None = "stop", **more: Any) -> dict[str, Any]:
    """One rule; keys that a rule does not have itself make up its condition."""
    own: dict[str, Any] = {key: more.pop(key) for key in ("advice", "wording") if key in more}
    return {"id": id, "wording": TEXT, "at_least": at_least, "when": more, **own}


def rules_of(*rules: dict[str, Any], examples: Sequence[dict[str, Any]] = ()) -> RuleFile:
    """A rulebook over the default pack."""
    data = {"format": 1, "id": "plant", "version": "7", "zones": dict.fromkeys(ZONES, TEXT)}
    book = Rulebook.model_validate(data | {"rule": rules, "example": examples})
    return RuleFile("plant.toml", book, PACK, clauses_of(book, PACK, "plant.toml"), "0" * 64, "")


def judged(
    *, flagged: Sequence[str] = (), unjudged: Sequence[str] = (), verdict: Verdict = Verdict.PROCEED
) -> Judgement:
    """A judgement over the default pack's slots."""
    if verdict is Verdict.CANNOT_JUDGE:
        return cannot_judge(Reason.FRAME_BLANK, "expected a picture, got none; take one")
    slots = tuple(
        SlotResult(id=slot, coverage=Coverage.NOT_TRAINED)
        if slot in unjudged
        else SlotResult(
            id=slot, coverage=Coverage.JUDGED, probability=0.9 if slot in flagged else 0.1, threshold=0.5
        )
        for slot in PACK.slot_index
    )
    return Judgement(verdict=verdict, slots=slots, advice=GO_ON)
