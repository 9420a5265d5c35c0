"""Words in a note: width, kana, case, and where a word may begin."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yochi_runtime.note_words import contains, fold

FOUND = [
    ("ﾌｫｰｸﾘﾌﾄで運ぶ", "フォークリフト"),  # half width
    ("ふぉーくりふとで運ぶ", "フォークリフト"),  # hiragana
    ("フォ-クリフトで運ぶ", "フォークリフト"),  # a hyphen for the long vowel
    ("フォークリフトで運ぶ", "ﾌｫｰｸ"),  # the rule in half width
    ("ガスもれ", "ｶﾞｽもれ"),  # a voiced sound of two half-width characters
    ("火気\n使用", "火気使用"),  # a line break inside a word
    ("コンベヤー3", "コンベヤ"),
    ("ＷＥＬＤＩＮＧ", "weld"),
    ("Straße", "STRASSE"),
    ("Lock-Out first", "lock out"),
    ("lock\u2011out", "Lock-out"),
    ("we\u200bld it", "weld"),  # a character that nobody sees
    ("架台をweldする", "weld"),
    ("use 5 m", "5 m"),
]
NOT_FOUND = [
    ("unlock it", "lock"),
    ("in a shot", "hot"),
    ("15 m away", "5 m"),
    ("lock the door", "lock out"),
    ("フォーク", "フォークリフト"),
    ("", "weld"),
]


@pytest.mark.parametrize(("note", "word"), FOUND)
def test_a_word_is_found_however_it_was_typed(note: str, word: str) -> None:
    assert contains(fold(note), fold(word))


@pytest.mark.parametrize(("note", "word"), NOT_FOUND)
def test_a_word_is_not_found_inside_another(note: str, word: str) -> None:
    assert not contains(fold(note), fold(word))


def test_a_second_occurrence_counts_where_the_first_is_inside_another_word() -> None:
    assert contains(fold("unlock, then lock"), "lock")


@given(st.text(max_size=40))
@example("わ\u3099")  # only katakana has this one in one character
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


KANA = st.text(st.characters(min_codepoint=0x30A1, max_codepoint=0x30F6), min_size=1, max_size=8)


@given(KANA)
def test_hiragana_and_katakana_are_one(katakana: str) -> None:
    hiragana = "".join(chr(ord(c) - 0x60) for c in katakana)
    assert fold(hiragana) == fold(katakana)


WIDE = st.text(st.characters(min_codepoint=0xFF10, max_codepoint=0xFF9D), min_size=1, max_size=8)


@given(WIDE)
def test_every_width_is_one(text: str) -> None:
    assert fold(text) == fold(unicodedata.normalize("NFKC", text))
