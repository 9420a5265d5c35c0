"""Rulebook files: each mistake is one line that says where it is and what to do."""

from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.rule_file import read_rules

from .rulebooks import MINIMAL, PACK

ONE_RULE = MINIMAL[MINIMAL.index("[[rule]]") : MINIMAL.index("[[example]]")]
WRONG = [
    ("words =", "wrods =", "rule A-1: when: unknown key 'wrods'; did you mean 'words'?"),
    ('at_least = "stop"', 'atleast = "stop"', "rule A-1: unknown key 'atleast'; did you mean 'at_least'?"),
    ('name = "welding"', 'nam = "welding"', "example 1: unknown key 'nam'; did you mean 'name'?"),
    ('id = "plant"', 'id = "plant"\nvesion = "1"', "unknown key 'vesion'; did you mean 'version'?"),
    ('ja = "条文"', 'jp = "条文"', "rule A-1: wording: unknown key 'jp'"),
    ("format = 1", "format = 2", "format: Input should be 1"),
    ("format = 1\n", "", "format: Field required"),
    ('at_least = "stop"', 'at_least = "proceed"', "rule A-1: at_least: Input should be 'caution' or 'stop'"),
    ('at_least = "stop"\n', "", "rule A-1: expected an effect, got none; give at_least, advice, or both"),
    ('words = ["weld"]', "", "rule A-1: when: expected a condition, got none"),
    ('words = ["weld"]', "words = []", "rule A-1: when.words: Tuple should have at least 1 item"),
    (
        'words = ["weld"]',
        'words = ["--"]',
        "rule A-1: when.words.0: expected a word with a letter or a digit",
    ),
    ('words = ["weld"]', 'cues = ["forklif"]', "rule A-1: unknown cue 'forklif'; did you mean 'forklift'?"),
    ('words = ["weld"]', 'zones = ["yrad"]', "rule A-1: unknown zone 'yrad'; did you mean 'yard'?"),
    (
        'words = ["weld"]',
        'factors = ["note_contents:fall"]',
        "factor 'note_contents:fall': unknown source 'note_contents'; did you mean 'note_content'?",
    ),
    ('words = ["weld"]', 'factors = ["*:fal"]', "unknown category 'fal'; did you mean 'fall'?"),
    (
        'words = ["weld"]',
        'factors = ["image_content:fall"]',
        "expected a factor that pack factory asks for, got 'image_content:fall'; "
        "fall has the sources note_content, note_instruction",
    ),
    ('words = ["weld"]', 'hours = ["22-6"]', "rule A-1: when.hours.0: expected a window such as 22:00-06:00"),
    ('words = ["weld"]', 'days = ["monday"]', "rule A-1: when.days.0: Input should be 'mon'"),
    (
        'en = "the clause"',
        'en = "the\\u001b[2Jclause"',
        "rule A-1: wording: expected one line of visible text",
    ),
    ('id = "A-1"', 'id = "A 1"', "rule A 1: id: String should match pattern"),
    ("[[example]]", ONE_RULE + "[[example]]", "expected every rule once, A-1 comes twice"),
    (
        'clauses = ["A-1"]',
        'clauses = ["A-2"]',
        "example 'welding': unknown clause 'A-2'; did you mean 'A-1'?",
    ),
    (
        'clauses = ["A-1"]',
        'cues = ["prson"]',
        "example 'welding': unknown cue 'prson'; did you mean 'person'?",
    ),
    ('clauses = ["A-1"]', 'zone = "shop"', "example 'welding': unknown zone 'shop'; known are: yard"),
    ('clauses = ["A-1"]', 'factors = ["note_content:fal"]', "did you mean 'note_content:fall'?"),
    ('clauses = ["A-1"]', 'not_judged = ["cue:prson"]', "did you mean 'cue:person'?"),
    (
        'clauses = ["A-1"]',
        'cues = ["person"]\nnot_judged = ["cue:person"]',
        "expected cue:person flagged or not judged, got both",
    ),
    ('note = "welding"', 'time = "sometimes"', "example welding: time: expected a day and a time"),
    ("[[rule]]", "[rule]]", "expected TOML, got: "),
    ("[[rule]]", f"deep = {'[' * 5000}", "expected TOML, got: "),
]


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG, ids=lambda text: text[:24])
def test_a_wrong_file_is_one_line(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert right in MINIMAL
    file = tmp_path / "rules.toml"
    file.write_text(MINIMAL.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_rules(file, PACK)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_file_that_the_others_were_spoiled_from_is_right(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("\ufeff" + MINIMAL, encoding="utf-8")  # as some editors save it
    rules = read_rules(file, PACK)
    assert [run.holds for run in rules.runs] == [True]
    assert rules.clauses[0].rule.effect == "stop"


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="expected a rulebook \\(UTF-8 TOML\\)"):
        read_rules(tmp_path / "bytes.toml", PACK)
    with pytest.raises(UsageError, match="found none; check the path"):
        read_rules(tmp_path, PACK)
