"""`yochi rules`, and `--rules` of `yochi judge` and `yochi watch`."""

from importlib import resources
from pathlib import Path

import pytest
from yochi_runtime.judgement import Judgement
from yochi_runtime.rule_file import RuleFile
from yochi_runtime.verdict import Verdict

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

from .conftest import PLAIN_NOTE as NOTE
from .conftest import Yochi, refused, the_judgement
from .rulebooks import MINIMAL

EXAMPLE = Path(str(resources.files("yochi_runtime"))) / "rules" / "example.toml"
SWEEP = MINIMAL.replace("weld", "sweep").replace('at_least = "stop"', 'at_least = "caution"')
SWEEP = SWEEP.replace('expect = "stop"', 'expect = "caution"').replace("sweeping", "SWEEP it")


@pytest.fixture
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rule on the plain note's word."""
    path = tmp_path_factory.mktemp("plant") / "rules.toml"
    path.write_text(SWEEP, encoding="utf-8")
    return path


def test_check_of_a_sound_file(yochi: Yochi, rules: Path) -> None:
    said = "rulebook plant 1: 1 rules, 1 examples hold, nothing found\n"
    assert yochi("rules", "check", rules) == (0, said, "")


def test_check_lists_what_it_finds_and_ends_with_2(yochi: Yochi, rules: Path) -> None:
    rules.write_text(SWEEP.replace('clauses = ["A-1"]', ""), encoding="utf-8")
    code, out, err = yochi("rules", "check", rules)
    assert (code, out) == (2, "example 'SWEEP it': expected caution, got caution by A-1\n")
    assert err == f"yochi: {rules}: expected a rulebook without findings, got 1; mend what is listed\n"


def test_check_knows_what_the_bundle_was_not_trained_for(yochi: Yochi, rules: Path, tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "made", untrained=["cue:person"])
    text = SWEEP.replace('words = ["sweep"]', 'cues = ["person"]').replace(
        "note =", 'cues = ["person"]\nnote ='
    )
    rules.write_text(text, encoding="utf-8")
    assert yochi("rules", "check", rules)[0] == 0
    code, out, _ = yochi("rules", "check", rules, "--bundle", made.folder)
    assert code == 2
    assert out.startswith("rule A-1: unreachable: the bundle is not trained for cue:person")


def test_test_gives_a_line_an_example(yochi: Yochi, rules: Path) -> None:
    assert yochi("rules", "test", rules) == (0, "ok   SWEEP it: caution by A-1\n", "")
    rules.write_text(SWEEP.replace('expect = "caution"', 'expect = "stop"'), encoding="utf-8")
    code, out, err = yochi("rules", "test", rules)
    assert (code, out) == (2, "FAIL SWEEP it: expected stop by A-1, got caution by A-1\n")
    assert "expected examples that hold, got 1 of 1 that fail" in err


def test_test_without_an_example_is_no_success(yochi: Yochi, rules: Path) -> None:
    rules.write_text(SWEEP[: SWEEP.index("[[example]]")], encoding="utf-8")
    code, out, err = yochi("rules", "test", rules)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_explain(yochi: Yochi, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = yochi("rules", "explain", rules, "A-1")
    assert (code, err) == (0, "")
    assert "the note contains: sweep" in out
    assert "メモに含まれる語：sweep" in yochi("rules", "explain", rules, "A-1", "--lang", "ja")[1]
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "メモに含まれる語：sweep" in yochi("rules", "explain", rules, "A-1")[1]
    code, out, err = yochi("rules", "explain", rules, "A-2")
    assert (code, out) == (2, "")
    assert err == f"yochi: {rules}: unknown clause 'A-2'; did you mean 'A-1'?\n"


MISUSED = [
    ["rules"],
    ["rules", "check"],
    ["rules", "check", "none.toml"],
    ["rules", "check", "RULES", "--bundle", "none"],
    ["rules", "test", "PICTURE"],
    ["rules", "explain", "RULES"],
    ["judge", "PICTURE", "--note", NOTE, "--rules", "none.toml"],
    ["judge", "PICTURE", "--note", NOTE, "--rules", "RULES", "--zone", "moon"],
    ["judge", "PICTURE", "--note", NOTE, "--zone", "yard"],
    ["watch", "PICTURE", "--note", NOTE, "--rules", "PICTURE"],
]


@pytest.mark.parametrize("arguments", MISUSED, ids=" ".join)
def test_misuse_is_one_line_on_stderr(yochi: Yochi, picture: Path, rules: Path, arguments: list[str]) -> None:
    places = {"PICTURE": str(picture), "RULES": str(rules)}
    code, out, err = yochi(*(places.get(a, a) for a in arguments))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("yochi: ")


def test_judge_raises_and_says_by_which_clause(yochi: Yochi, rules: Path, picture: Path) -> None:
    asked = ("judge", picture, "--note", NOTE, "--rules", rules, "--zone", "yard")
    code, out, err = yochi(*asked, "--json")
    judgement = the_judgement(out)
    assert (code, err, judgement.verdict) == (0, "", Verdict.CAUTION)
    assert judgement.rules is not None
    assert (judgement.rules.zone, judgement.rules.model_verdict) == ("yard", Verdict.PROCEED)
    assert [c.clause for c in judgement.rules.applied] == ["A-1"]
    code, out, _ = yochi(*asked)
    assert (code, out.splitlines()[0]) == (0, "CAUTION")
    assert "- A-1 (at least CAUTION): the clause\n  Raised by them from PROCEED." in out


def test_without_a_rulebook_there_is_no_ruling(yochi: Yochi, picture: Path) -> None:
    judgement = the_judgement(yochi("judge", picture, "--note", NOTE, "--json")[1])
    assert (judgement.rules, judgement.identities.rules) == (None, None)


def test_cannot_judge_says_what_the_rules_say_and_ends_with_3(
    yochi: Yochi, rules: Path, picture: Path, copy: TinyBundle
) -> None:
    copy.base.unlink()
    judgement = refused(yochi("judge", picture, "--note", NOTE, "--rules", rules, "--json"))
    assert judgement.rules is not None
    assert [c.clause for c in judgement.rules.applied] == ["A-1"]
    watched = refused(yochi("watch", picture.parent, "--note", NOTE, "--rules", rules))
    assert watched.rules is not None
    assert [c.clause for c in watched.rules.applied] == ["A-1"]


def test_an_unreadable_note_leaves_its_rules_open(yochi: Yochi, rules: Path, picture: Path) -> None:
    judgement = refused(yochi("judge", picture, "--note", "", "--rules", rules, "--json"))
    assert judgement.rules is not None
    assert [c.missing for c in judgement.rules.open] == [("note",)]


def test_watch_applies_the_rules_to_every_frame(yochi: Yochi, rules: Path, picture: Path) -> None:
    (picture.parent / "broken.png").write_bytes(b"broken")
    code, out, err = yochi("watch", picture.parent, "--note", NOTE, "--rules", rules)
    found = [Judgement.model_validate_json(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [j.verdict for j in found] == [Verdict.CANNOT_JUDGE, Verdict.CAUTION]
    for judgement in found:
        assert judgement.rules is not None
        assert [c.clause for c in judgement.rules.applied] == ["A-1"]


def test_a_fault_in_the_rules_is_cannot_judge(
    yochi: Yochi, rules: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(RuleFile, "outcome", fail)
    rules.write_text(SWEEP[: SWEEP.index("[[example]]")], encoding="utf-8")
    refused(yochi("judge", picture, "--note", NOTE, "--rules", rules, "--json"))


def test_the_example_that_comes_with_yochi(yochi: Yochi) -> None:
    code, out, err = yochi("rules", "check", EXAMPLE)
    assert (code, err) == (0, "")
    assert out.startswith("rulebook example 1: 15 rules, 25 examples hold")
    lines = yochi("rules", "test", EXAMPLE)[1].splitlines()
    assert len(lines) == 25
    assert all(line.startswith("ok   ") for line in lines)
