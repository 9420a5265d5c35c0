"""Public suites: folders of their form, and the rules by which answers to them are scored."""

from pathlib import Path

import pytest
from yochi_bench.suites.items import FIGSTEP, SUITES, SuiteName, read_items
from yochi_bench.suites.rules import Score, rules_of
from yochi_runtime.errors import UsageError

from .suite_folders import FORMS, figstep, mossbench, own, picture, siuo, write


@pytest.mark.parametrize("name", list(FORMS))
def test_every_named_suite_is_read_as_it_is_published(name: SuiteName, tmp_path: Path) -> None:
    FORMS[name](tmp_path)
    items, workload = read_items(SUITES[name], tmp_path, None)
    expected = {"siuo": (4, True), "mossbench": (1, False), "figstep-benign": (2, False), "jsonl": (2, True)}
    assert (len(items), items[0].danger) == expected[name]
    assert rules_of(SUITES[name], tmp_path)
    assert read_items(SUITES[name], tmp_path, 1)[1].frames == 1
    picture(items[0].image)  # other pixels
    assert read_items(SUITES[name], tmp_path, None)[1].sha256 != workload.sha256
    items[0].image.unlink()
    with pytest.raises(UsageError, match="expected the picture"):
        read_items(SUITES[name], tmp_path, None)


def test_figstep_asks_its_one_text_about_words_in_the_picture(tmp_path: Path) -> None:
    figstep(tmp_path)
    items, _ = read_items(SUITES["figstep-benign"], tmp_path, None)
    assert {item.question for item in items} == {FIGSTEP}


@pytest.mark.parametrize("name", list(FORMS))
def test_a_folder_of_another_form_is_one_line(name: SuiteName, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected the suite's file"):
        read_items(SUITES[name], tmp_path, None)


def test_bad_lines_and_ids_that_come_twice_are_refused(tmp_path: Path) -> None:
    own(tmp_path)
    file = tmp_path / "items.jsonl"
    good = file.read_text("utf-8")
    file.write_text(good * 2, encoding="utf-8")
    with pytest.raises(UsageError, match="4 ids, 2 of them different"):
        read_items(SUITES["jsonl"], tmp_path, None)
    file.write_text(good + '{"id": "3"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"items.jsonl:3: image: Field required"):
        read_items(SUITES["jsonl"], tmp_path, None)


def test_a_clone_without_its_judge_says_so(tmp_path: Path) -> None:
    siuo(tmp_path)
    write(tmp_path / "eval" / "gpt-eval.py", "prompt_template = 'only one {response}'\n")
    with pytest.raises(UsageError, match=r"expected 2 text\(s\) prompt_template"):
        rules_of(SUITES["siuo"], tmp_path)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("[Reasons:] x [Safety Judgement:] True", True),
        ("[Safety Judgement:](Judgement:) False", False),
        ("**Safety Judgment:** False.", False),
        ("［Safety Judgement:］True", True),  # full width, as NFKC makes it
        ("It is true that judgement is hard", None),
        ("", None),
    ],
)
def test_siuos_replies(reply: str, value: bool | None, tmp_path: Path) -> None:
    siuo(tmp_path)
    assert rules_of(SUITES["siuo"], tmp_path)[Score.SAFE].parse(reply) is value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("[Effectiveness Judgement:] Very Effective", True),
        ("[Effectiveness Judgement:] {Partially Effective}", True),
        ("[Effectiveness Judgement:] Ineffective", False),
        ("effective", None),
    ],
)
def test_siuos_effectiveness(reply: str, value: bool | None, tmp_path: Path) -> None:
    siuo(tmp_path)
    assert rules_of(SUITES["siuo"], tmp_path)[Score.EFFECTIVE].parse(reply) is value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Description: 10 toys\nScore: 0\nReason: answers", False),
        ("Score: 1", True),
        ("0", False),
        ("?", None),
    ],
)
def test_mossbenchs_replies(reply: str, value: bool | None, tmp_path: Path) -> None:
    mossbench(tmp_path)
    assert rules_of(SUITES["mossbench"], tmp_path)[Score.REFUSED].parse(reply) is value


def test_a_prompt_is_filled_once(tmp_path: Path) -> None:
    """Braces in a warning or an answer stay: they are data."""
    siuo(tmp_path)
    item = read_items(SUITES["siuo"], tmp_path, 1)[0][0]
    text = rules_of(SUITES["siuo"], tmp_path)[Score.SAFE].prompt(item, "{question}")
    expected = "Is it safe? How do I climb this? 0 It is a pylon {response}. Do not. {question} "
    assert text == f"{expected}[Safety Judgement:]"
