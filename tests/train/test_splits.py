"""What training shares with other splits is found exactly at the thresholds, the arithmetic by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from yochi_runtime.taxonomy import Pack
from yochi_train.grammar import Lang
from yochi_train.leakage import near_notes, near_pictures, note_key, parts
from yochi_train.rows import Place
from yochi_train.testset import hand_notes

from .rows import faults, folder_of, noise, picture_of, row


@pytest.mark.parametrize(
    ("lang", "trained", "held", "near"),
    [
        # English, words: 8 of 10 are shared, 8/10 = 0.8; then 7 of 9, 7/9 = 0.78.
        ("en", "a b c d e f g h I", "A, b; c d e f g h j!", "Jaccard 0.80"),
        ("en", "a b c d e f g i", "a b c d e f g j", None),
        # Japanese, 5-grams: 12 characters have 8, two more 10, 8/10 = 0.8; three more 11, 8/11 = 0.73.
        ("ja", "床に油がこぼれています足", "床に油がこぼれています足元だ。", "Jaccard 0.80"),
        ("ja", "床に油がこぼれています足", "床に油がこぼれています足元危険", None),
        ("ja", "ﾌｫｰｸ 3", "フォーク３", "Jaccard 1.00"),  # half and full width, and a space
        ("en", "!!!", "???", None),
    ],
)
def test_notes_at_the_threshold(
    lang: Lang, trained: str, held: str, near: str | None, tmp_path: Path
) -> None:
    folder = folder_of(
        tmp_path,
        train=[row("1"), row("2", note=trained, lang=lang), row("3", note=trained, lang=lang)],
        val=[row("4", note=held, lang=lang, split="val")],
    )
    report, told = faults(folder)
    said = f"val.jsonl:1: expected a note unlike those of training, got {near} from train.jsonl:2"
    assert told == ([said] if near else [])
    assert (report.near_notes, report.passed) == (int(near is not None), near is None)


SENTENCES = st.lists(st.sampled_from("abcdefghijk"), min_size=1, max_size=9).map(" ".join)


@given(st.lists(SENTENCES, max_size=12), st.lists(SENTENCES, max_size=12))
def test_the_index_finds_what_comparing_everything_finds(trained: list[str], held: list[str]) -> None:
    def keys(texts: list[str]) -> dict[bytes, Place]:
        return {note_key(text, "en"): Place(text, 0) for text in texts}

    found = {(leak.trained.file, leak.held.file) for leak in near_notes(keys(trained), keys(held))}
    sets = {text: parts(text, "en") for text in trained + held}
    wanted = {
        (a.file, b.file)
        for a in keys(trained).values()
        for b in keys(held).values()
        if 5 * len(sets[a.file] & sets[b.file]) >= 4 * len(sets[a.file] | sets[b.file])
    }
    assert found == wanted


def test_a_hand_written_test_note_is_not_trained_on(tmp_path: Path, pack: Pack) -> None:
    text = hand_notes("ja", pack)[4][0].text
    report, told = faults(folder_of(tmp_path, train=[row("1", note=text, lang="ja")]))
    said = (
        "test_notes.ja.jsonl:5: expected a note unlike those of training, got Jaccard 1.00 from train.jsonl:1"
    )
    assert told == [said]
    assert not report.passed


def near_bits(trained: tuple[int, int], held: tuple[int, int]) -> list[str]:
    hashes = {"a": trained, "b": held}
    numbers = {image: (np.uint64(p), np.uint64(m)) for image, (p, m) in hashes.items()}
    return [leak.near for leak in near_pictures({"a": Place("t", 1)}, {"b": Place("v", 2)}, numbers)]


def test_pictures_at_the_threshold() -> None:
    """(hash, hash of the mirror image); FAR and LOW have 32 bits in common with nothing else here."""
    far, low = 0xAAAA_AAAA_AAAA_AAAA, 0x5555_5555_0000_0000
    assert near_bits((0b1111, far), (0, low)) == ["4 bits"]
    assert near_bits((0b11111, far), (0, low)) == []
    assert near_bits((far, 0b111), (0, far ^ 0b1)) == ["3 bits"]  # mirrored: 1 bit one way, 3 the other
    assert near_bits((far, 0b11111), (0, far)) == []  # 0 one way, 5 the other


def test_pictures_in_two_splits(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    image = noise(photos / "a.png", 1)
    image.save(photos / "copy.bmp")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "flipped.png")
    noise(photos / "other.png", 2)
    folder = folder_of(
        tmp_path / "r",
        pictures=[picture_of("copy.bmp", split="test"), picture_of("other.png", split="test")],
        train=[row("1", image="a.png"), row("2", image="a.png")],
        val=[row(str(i), image=f, split="val") for i, f in enumerate(("flipped.png", "a.png", "a.png"), 3)],
    )
    expected = "expected a picture unlike those of training, got"
    same = f"val.jsonl:2: {expected} the same file from train.jsonl:1"
    report, told = faults(folder, photos)
    assert told == [
        f"pictures.jsonl:1: {expected} 0 bits from train.jsonl:1",
        f"val.jsonl:1: {expected} 0 bits from train.jsonl:1",
        same,
    ]
    assert report.near_pictures == 3
    assert faults(folder)[1] == [same]  # by path alone
