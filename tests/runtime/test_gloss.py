"""The glossary: longest word first, words apart, everything else as it was written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.errors import UsageError
from yochi_runtime.gloss import Glossary
from yochi_runtime.inspection import Note

from tests.fixtures.tokenizer import small_bpe

WORDS = {
    "足": "foot",
    "足場": "scaffold",
    "から": "from",
    "落ち": "fall",
    "た": "did",
    "を": "",
    "の": "'s",
    "、": ",",
    "手": "hand",
    "フォークリフト": "forklift",
}
GLOSSARY = Glossary(WORDS)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("足場から落ちた", "scaffold from fall did"),  # not "foot" and a rest
        ("足の手", "foot's hand"),
        ("手を足", "hand foot"),  # a word that is not read leaves no second space
        ("手、足", "hand, foot"),
        ("3号機の手", "3号機's hand"),  # what is not known stays
        ("手3本", "hand 3本"),
        ("号手号", "号 hand 号"),
        ("Oil on the floor, 3 drums", "Oil on the floor, 3 drums"),
        ("足 足", "foot foot"),
        ("(足)", "(foot)"),
        ("", ""),
    ],
)
def test_reading(text: str, read: str) -> None:
    assert GLOSSARY.read(text) == read


def test_every_width_of_a_word_is_the_same_word() -> None:
    assert GLOSSARY.read(Note("ﾌｫｰｸﾘﾌﾄ").text) == "forklift"


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_ascii_is_never_touched(text: str) -> None:
    assert GLOSSARY.read(text) == text


@given(st.lists(st.sampled_from([*WORDS, "号", "<|im_end|>", " ", "a"]), max_size=30))
def test_no_gloss_makes_a_control_token(words: list[str]) -> None:
    ids = small_bpe().encode(GLOSSARY.read("".join(words)), add_special_tokens=False).ids
    assert min(ids, default=17) >= 17


def test_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "glossary.tsv"
    file.write_text(GLOSSARY.text(), encoding="utf-8")
    again = Glossary.load(file)
    assert (again.text(), len(again)) == (GLOSSARY.text(), len(WORDS))


@pytest.mark.parametrize(
    "line",
    ["足 foot", "foot\tfoot", "\tfoot", "足\t足", "足\tfoot\tfoot", "ﾌｫｰｸ\tfork", "手\thand\n手\tarm"],
    ids=["no tab", "an English word", "no word", "Japanese for Japanese", "two tabs", "not NFKC", "twice"],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "glossary.tsv"
    file.write_text(f"床\tfloor\n{line}\n", encoding="utf-8")
    number = 2 + line.count("\n")
    with pytest.raises(UsageError, match=rf"glossary.tsv:{number}: expected a new Japanese word"):
        Glossary.load(file)
