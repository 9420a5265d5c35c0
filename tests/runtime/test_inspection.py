"""Notes: one reading for one meaning, kept as given, and refused with a reason."""

import hashlib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.errors import NoteError, Reason, UsageError
from yochi_runtime.inspection import MAX_NOTE_CHARACTERS, Note, read_note_file

ANY_TEXT = st.text(st.characters(), max_size=200)  # every code point, lone surrogates too


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("ﾌｫｰｸﾘﾌﾄ", "フォークリフト"),  # half-width kana, voiced marks apart
        ("ﾊﾟﾚｯﾄ", "パレット"),
        ("ＯＫ　１２３", "OK 123"),  # full-width letters, digits and blank
        ("\u304b\u3099", "\u304c"),  # kana and its voiced mark apart
        ("㈱山田①", "(株)山田1"),
        ("５０㎏", "50kg"),
        ("  two\t words \n", "two words"),
        ("a\r\nb\x00c\x1bd\x7fe\x85f\u2028g\u2029h", "a b c d e f g h"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\ufeffoil", "\ufeffoil"),  # a mark in the middle of a string is a character like any other
        ("x\ud800y", "xy"),  # half of a surrogate pair
        ("x\uffffy", "xy"),  # not a character
        ("<|im_end|> stop", "<|im_end|> stop"),
    ],
)
def test_reading(raw: str, text: str) -> None:
    note = Note(raw)
    assert note.text == text
    assert note.raw == raw


def test_emoji_stay_whole() -> None:
    worker = "👷\u200d♀️ ⚠️ 🔥"  # joined by a zero-width joiner, with variation selectors
    assert Note(worker).text == worker


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Oil on the floor by press 3", "en"),
        ("Vis dévissée près de la presse principale", "en"),  # by script: mostly basic Latin
        ("床に油がこぼれている", "ja"),
        ("危険", "ja"),
        ("ﾌｫｰｸ", "ja"),
        ("プレスNo.3を停止してinspectionする", "ja"),
        ("Stop the line, 危険", "ja"),
        ("Масло на полу", "other"),
        ("바닥에 기름", "other"),
        ("زيت على الأرض", "other"),
        ("Press масло на полу около", "other"),
        ("12345", "en"),
        ("⚠️🔥", "en"),
        ("abcd é", "en"),  # 4 of 5 letters are basic Latin
        ("abc é", "other"),  # 3 of 4
    ],
)
def test_language_by_script(text: str, language: str) -> None:
    assert Note(text).language == language


@pytest.mark.parametrize(
    "raw", ["", " ", "\n\t\r", "\u3000", "\x00\x01", "\ud83d", "\u200b", "\ufeff\u200d\ufe0f", "\u0301"]
)
def test_an_empty_note_is_refused(raw: str) -> None:
    with pytest.raises(NoteError, match="expected a note, got an empty one") as raised:
        Note(raw)
    assert raised.value.reason is Reason.NOTE_EMPTY


def test_the_length_is_that_of_the_note_as_given() -> None:
    assert len(Note("a" * MAX_NOTE_CHARACTERS).text) == MAX_NOTE_CHARACTERS
    for raw in ("a" * (MAX_NOTE_CHARACTERS + 1), "危" * 10_000, " " * 10_000):
        with pytest.raises(NoteError, match=r"at most 2,000 characters") as raised:
            Note(raw)
        assert raised.value.reason is Reason.NOTE_TOO_LONG
    assert "got 10,000;" in str(raised.value)


def test_the_hash_is_of_the_note_as_given() -> None:
    assert Note("油").sha256 == hashlib.sha256("油".encode()).hexdigest()
    assert Note("ﾌｫｰｸ").text == Note("フォーク").text
    assert Note("ﾌｫｰｸ").sha256 != Note("フォーク").sha256
    assert Note("x\ud800").sha256 != Note("x").sha256


@given(ANY_TEXT)
def test_any_text_is_a_note_or_is_refused_with_its_reason(raw: str) -> None:
    if not any(unicodedata.category(c)[0] in "LNPS" for c in unicodedata.normalize("NFKC", raw)):
        with pytest.raises(NoteError, match="an empty one"):
            Note(raw)
        return
    note = Note(raw)
    assert Note(note.text).text == note.text  # read once is read for good
    assert unicodedata.is_normalized("NFKC", note.text)
    assert note.text == " ".join(note.text.split(" ")) == note.text.strip()
    assert not {unicodedata.category(c) for c in note.text} & {"Cc", "Cs", "Cn", "Zl", "Zp"}
    note.text.encode("utf-8")  # what the tokenizer is given
    assert note.language in ("en", "ja", "other")
    assert len(note.sha256) == 64


@given(st.text(st.characters(max_codepoint=0xFFEE, exclude_categories=["Cs", "Cn"]), min_size=1))
def test_the_width_of_letters_does_not_change_the_reading(raw: str) -> None:
    """Every ASCII letter as its full-width form."""
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in raw)
    try:
        expected = Note(raw).text
    except NoteError:
        with pytest.raises(NoteError):
            Note(wide)
        return
    assert Note(wide).text == expected


def test_a_note_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes("\ufeff床に油\n".encode())  # with a byte-order mark, as Windows editors write it
    assert read_note_file(path).text == "床に油"
    path.write_bytes("床に油".encode("shift_jis"))
    with pytest.raises(NoteError, match="expected UTF-8 text") as raised:
        read_note_file(path)
    assert raised.value.reason is Reason.NOTE_UNREADABLE
    path.write_bytes(b"")
    with pytest.raises(NoteError) as raised:
        read_note_file(path)
    assert raised.value.reason is Reason.NOTE_EMPTY


def test_no_note_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UsageError, match="expected a note file"):
            read_note_file(path)
    with pytest.raises(NoteError, match="File name too long") as raised:
        read_note_file(tmp_path / ("n" * 300))
    assert raised.value.reason is Reason.NOTE_UNREADABLE
