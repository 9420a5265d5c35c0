"""The hand-written test notes say nothing that the grammar could have said."""

import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from yochi_runtime.taxonomy import load_pack
from yochi_train.grammar import LANGS, Lang, expand, templates
from yochi_train.testset import hand_notes

PACK = load_pack()
SAMPLES = 5  # expansions of a template
TOO_NEAR = 0.8  # Jaccard of the words (English) or of the character bigrams (Japanese)
langs = pytest.mark.parametrize("lang", LANGS)


def parts(text: str, lang: Lang) -> frozenset[str]:
    if lang == "en":
        return frozenset(re.findall(r"[a-z0-9']+", text.lower()))
    letters = re.sub(r"[\s、。，．！？!?,.]+", "", text)
    return frozenset(letters[i : i + 2] for i in range(len(letters) - 1))


def expansions(lang: Lang) -> Iterator[tuple[str, str]]:
    rng = random.Random(0)
    for t in templates(lang, PACK):
        for text in {expand(t.text, rng) for _ in range(SAMPLES)}:
            yield t.id, text


@langs
def test_no_test_note_is_near_an_expansion_of_a_template(lang: Lang) -> None:
    asked = [(note.text, parts(note.text, lang)) for note, _ in hand_notes(lang, PACK)]
    where: dict[str, list[int]] = {}  # part -> the test notes that have it
    for i, (_, own) in enumerate(asked):
        for part in own:
            where.setdefault(part, []).append(i)
    near = []
    for identity, text in expansions(lang):
        own = parts(text, lang)
        shared = Counter(i for part in own for i in where.get(part, ()))
        for i, count in shared.items():
            if count >= TOO_NEAR * (len(own) + len(asked[i][1]) - count):
                near.append((identity, text, asked[i][0]))
    assert near == []


def test_parts_by_hand() -> None:
    assert parts("Lift it. LIFT it, now!", "en") == {"lift", "it", "now"}
    assert parts("床を、床を拭く", "ja") == {"床を", "を床", "を拭", "拭く"}


@langs
def test_there_are_enough_test_notes_of_every_kind(lang: Lang) -> None:
    notes = hand_notes(lang, PACK)
    assert len({note.text for note, _ in notes}) == len(notes)
    assert sum(kind != "combination" for _, kind in notes) >= 150
    counted = Counter(slot for note, _ in notes for slot in note.risks)
    wanted = [s.id for s in PACK.risk_slots if s.id.startswith("note_")]
    assert len(wanted) == 2 * 14 - 1  # steering text can only be asked
    assert {slot: counted[slot] for slot in wanted if counted[slot] < 5} == {}
    assert set(counted) <= set(wanted)


@langs
def test_labels_of_the_test_notes_fit_their_kind(lang: Lang) -> None:
    known = set(PACK.slot_index)
    triggers = {pair.category for pair in PACK.combination}
    for note, kind in hand_notes(lang, PACK):
        assert note.risks | note.maybe <= known, note.text
        assert bool(note.risks) == (kind == "risk"), note.text
        assert (note.combination in triggers) == (kind == "combination"), note.text
