"""Styles and spans: the texts that a seed has always drawn, and in each the clause where it is said to be."""

import hashlib
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from unittest.mock import Mock, patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.record import RiskSpan
from yochi_runtime.taxonomy import load_pack
from yochi_train import grammar, styles
from yochi_train.grammar import LANGS, ComposedNote, Composer, Lang

from .phrases import few_templates

PACK = load_pack()
# The first of 600 notes for seed 11, and sha256 of all of them, one a line.
GOLDEN: dict[Lang, tuple[list[str], str]] = {
    "en": (
        [
            "coffee is ready. reach far in and pull the box out! ok?",
            "bins swept as planned!",
            "Morning. Walk across to the pallet!",
            "The top rung is crcaked.",
            "coffee is ready. ok?",
            "Walk across to the pallet! Ok?",
            "update: reach in and pull the jam out.",
            "FYI Bins swept as planned. Also, Bins emptied as planned. Cheers.",
            "Walk across to the pallet. Cheers.",
        ],
        "94b1522da3f07fdc8ca943e640e95a400b08b3036a4da4d3b9e428bc372cbb46",
    ),
    "ja": (
        [
            "コーヒーできた。袋を手で引っ張り出して。どうぞ",
            "至急 予定どおり清掃済み！お願いします",
            "パレットまで歩いて。",
            "こちら現場、袋を手で引っ張り出して。よろしくお願いします。",
            "お疲れ様です。コーーヒできた",
            "パレットまで横切って。それと予定どおり清掃済み。",
            "メモ:箱をで手引っ張り出して",
            "予定どおり清掃済み コーヒーできた！",
            "引き継ぎ。パレットまで歩いて！よろしく",
        ],
        "0d2bb292d218920522e0d14efa14ded86511233ea023cf838893043a7254d2ae",
    ),
}
DEFEAT, MECHANICAL = "note_instruction:safeguard_defeat", "note_instruction:mechanical"
Style = Callable[[Sequence[str], random.Random], tuple[str, list[styles.Clause]]]
langs = pytest.mark.parametrize("lang", LANGS)


def few_notes(lang: Lang, rounds: int) -> list[ComposedNote]:
    with patch.object(grammar, "templates", few_templates):
        composer = Composer(lang, PACK, False, random.Random(11))
    return [
        note
        for _ in range(rounds)
        for note in (composer.risk(), composer.harmless(), composer.combination("vehicle"))
    ]


def one_typo_apart(a: str, b: str) -> bool:
    """Whether case, or one swap, drop, doubling or word of the same sound, is all that differs."""
    a, b = a.lower(), b.lower()
    if any(got in a and a.replace(got, meant, 1) == b for meant, got in styles._JA_SAME_SOUND):
        return True
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return len(a) + len(b) <= 1 or (len(a) == 2 and a == b[::-1])


@langs
def test_a_seed_draws_the_same_texts(lang: Lang) -> None:
    texts = [note.text for note in few_notes(lang, 200)]
    first, digest = GOLDEN[lang]
    assert texts[: len(first)] == first
    assert hashlib.sha256("\n".join(texts).encode()).hexdigest() == digest


def test_what_is_asked_and_what_is_reported_is_marked() -> None:
    def marked(note: ComposedNote) -> list[tuple[str, str]]:
        return [(note.text[s.start : s.end], s.slot) for s in note.spans]

    english, japanese = few_notes("en", 3), few_notes("ja", 3)
    reach, box = "reach in and pull the jam out", "reach far in and pull the box out"
    assert marked(english[0]) == [(box, MECHANICAL), (box, DEFEAT)]
    assert english[0].spans[0] == RiskSpan(17, 50, MECHANICAL)
    assert marked(english[1]) == []
    assert marked(english[3]) == [("The top rung is crcaked", "note_content:fall")]
    assert marked(english[5]) == [("Walk across to the pallet", "combination:vehicle")]
    assert marked(english[6]) == [(reach, MECHANICAL), (reach, DEFEAT)]
    pull = "箱をで手引っ張り出して"
    assert marked(japanese[6]) == [(pull, MECHANICAL), (pull, DEFEAT)]
    assert marked(japanese[8]) == [("パレットまで歩いて", "combination:vehicle")]


def test_a_japanese_word_may_be_typed_as_another_of_the_same_sound() -> None:
    """In about one note in twenty that has such a word; never in another place of the note."""
    clause, typed = "機械を止めてから離れて", set()
    for seed in range(400):
        text, [(start, end)] = styles.japanese([clause], random.Random(seed))
        if end - start == len(clause) and text[start:end] != clause:
            typed.add(text[start:end])
    same_sound = {clause.replace(*pair) for pair in styles._JA_SAME_SOUND if pair[0] in clause}
    assert len(same_sound) == 3
    assert same_sound < typed


@langs
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(("risk", "harmless", "combination")))
def test_a_span_holds_the_clause_of_a_template_with_that_risk(lang: Lang, seed: int, kind: str) -> None:
    said: dict[str, str] = {}  # the clause of each template

    def expand(text: str, rng: random.Random) -> str:
        said[text] = plain(text, rng)
        return said[text]

    plain, by_id = grammar.expand, {t.id: t for t in grammar.templates(lang, PACK)}
    composer = Composer(lang, PACK, False, random.Random(seed))
    with patch.object(grammar, "expand", expand):
        note = composer.combination("load") if kind == "combination" else getattr(composer, kind)()
    used = [by_id[name] for name in note.templates]
    asked = {f"combination:{note.combination}"} if note.combination else set()
    assert {span.slot for span in note.spans} == note.risks | asked
    for start, end, slot in note.spans:
        assert 0 <= start < end <= len(note.text)
        carrying = [said[t.text] for t in used if slot in t.risks or slot == f"combination:{t.combination}"]
        assert any(one_typo_apart(note.text[start:end], clause) for clause in carrying), note
    apart = sorted({(start, end) for start, end, _ in note.spans})
    assert all(a[1] <= b[0] for a, b in pairwise(apart))


# No İ: the one letter whose lower case has another length, so that the test could not fold it back.
words = st.text("Aabc ßé😀箱。.!", min_size=3, max_size=9)


@given(clauses=st.lists(words, min_size=1, max_size=3), seed=st.integers(0, 2**32))
@pytest.mark.parametrize("style", [styles.english, styles.japanese])
def test_every_clause_is_found_in_its_place(style: Style, clauses: list[str], seed: int) -> None:
    text, places = style(clauses, random.Random(seed))
    held_apart(text, clauses, places)


@given(
    seed=st.integers(0, 2**32),
    clauses=st.lists(words, min_size=1, max_size=3),
    edges=st.lists(st.text("xyz ", min_size=1, max_size=2), min_size=4, max_size=4),
)
def test_a_typo_keeps_what_is_left_of_a_clause(seed: int, clauses: list[str], edges: list[str]) -> None:
    """Short texts, so that most typos are at an edge of a clause."""
    text, places = edges[0], list[styles.Clause]()
    for clause, edge in zip(clauses, edges[1:], strict=False):
        places.append((len(text), len(text) + len(clause)))
        text += clause + edge
    changed, moved = styles.typo(text, places, random.Random(seed))
    assert abs(len(changed) - len(text)) <= 1
    held_apart(changed, clauses, moved)


def held_apart(text: str, clauses: Sequence[str], places: Sequence[tuple[int, int]]) -> None:
    assert len(places) == len(clauses)
    last = 0
    for (start, end), clause in zip(places, clauses, strict=True):
        assert last <= start < end <= len(text)
        assert one_typo_apart(text[start:end], clause), (text, clause)
        last = end


@pytest.mark.parametrize(
    ("kind", "at", "text", "clause"),
    [
        ("swap", 3, "goc ut. ok", "c ut"),  # the neighbour outside comes in
        ("swap", 4, "go uct. ok", "uct"),
        ("swap", 6, "go cu.t ok", "cu.t"),
        ("drop", 2, "gocut. ok", "cut"),
        ("drop", 3, "go ut. ok", "ut"),
        ("drop", 5, "go cu. ok", "cu"),
        ("drop", 6, "go cut ok", "cut"),
        ("double", 2, "go  cut. ok", "cut"),
        ("double", 5, "go cutt. ok", "cutt"),
        ("double", 6, "go cut.. ok", "cut"),
    ],
)
def test_typos_at_the_edges_by_hand(kind: str, at: int, text: str, clause: str) -> None:
    thumb = Mock(spec=random.Random)
    thumb.randrange.return_value = at
    thumb.choice.side_effect = lambda typos: typos[("swap", "drop", "double").index(kind)]
    changed, [(start, end)] = styles.typo("go cut. ok", [(3, 6)], thumb)
    assert (changed, changed[start:end]) == (text, clause)
