"""Changed pictures and notes: how, and that the same is always changed the same way."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_bench.perturbations import Perturbation, half_width, katakana, perturbations, typos
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Note

from tests.train.made import record

ALL = perturbations()
NOTES = [how for how in ALL if how.note]
NOTE = "コンベヤのｶﾊﾞｰを外した。 ガード、パネル OK?"


def frame(seed: int = 1) -> Frame:
    return Frame(np.random.default_rng(seed).integers(30, 200, (64, 80, 3), dtype=np.uint8))


def named(word: str) -> Perturbation:
    (found,) = (how for how in ALL if how.name.startswith(word))
    return found


@pytest.mark.parametrize("how", ALL, ids=lambda how: how.name)
def test_each_changes_one_thing_the_same_way_every_time(how: Perturbation) -> None:
    assert (how.frame is None) != (how.note is None)
    shown, asked = how.shown(frame()), how.asked(record("r", text=NOTE))
    assert shown.sha256 == how.shown(frame()).sha256
    assert asked == how.asked(record("r", text=NOTE))
    assert (shown.sha256 != frame().sha256) is (how.frame is not None)
    assert (asked.note != NOTE) is (how.note is not None)
    assert shown.rgb.shape == frame().rgb.shape


def test_a_quarter_of_the_light_by_hand() -> None:
    """Gamma 2.2: gray g becomes g * 0.25 ** (1 / 2.2)."""
    dark = named("dark").shown(frame()).rgb
    assert np.abs(dark - frame().rgb * 0.25 ** (1 / 2.2)).max() <= 0.51


def test_noise_differs_from_picture_to_picture() -> None:
    noise = named("noise")
    one, other = (noise.shown(frame(s)).rgb.astype(int) - frame(s).rgb for s in (1, 2))
    assert one.std() == pytest.approx(10, abs=0.5)
    assert not np.array_equal(one, other)


@given(st.text(max_size=60))
def test_typos_only_change_places(text: str) -> None:
    changed = typos(text, np.random.default_rng(0))
    assert Counter(changed) == Counter(text)


def test_typos_come_about_once_in_twelve_letters() -> None:
    text = "abcdefghijklmnopqrstuvwxyz"  # 25 neighbours: two places
    assert sum(a != b for a, b in zip(text, typos(text, np.random.default_rng(3)), strict=True)) in (3, 4)


def test_width_is_what_the_note_reads_as_the_same() -> None:
    full = named("full-width").asked(record("r", text="Take it off. ~")).note
    assert full == "Ｔａｋｅ　ｉｔ　ｏｆｆ．　～"
    half = half_width("ガードとパネルをヴ外す。")
    assert half == "ｶﾞｰﾄﾞとﾊﾟﾈﾙをｳﾞ外す。"
    assert Note(half).text == Note("ガードとパネルをヴ外す。").text
    assert Note(full).text == "Take it off. ~"


def test_hiragana_become_katakana_and_nothing_else() -> None:
    assert katakana("かばーをぬいて、OK。ゎゖ") == "カバーヲヌイテ、OK。ヮヶ"
