"""The phrase grammar: the files are sound, and a note's labels are those of its templates."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_train.grammar import (
    LANGS,
    ComposedNote,
    Composer,
    Lang,
    expand,
    parse_templates,
    templates,
)

PACK = load_pack()
KINDS = ("risk", "harmless", "combination")
langs = pytest.mark.parametrize("lang", LANGS)


@langs
def test_every_template_carries_slots_of_the_pack(lang: Lang) -> None:
    found = templates(lang, PACK)
    assert len(found) > 1000
    known = set(PACK.slot_index)
    triggers = {pair.category for pair in PACK.combination}
    for t in found:
        assert t.risks | t.maybe <= known, t.id
        assert not t.risks & t.maybe, t.id
        assert bool(t.risks) == (t.kind == "risk"), t.id
        assert (t.combination in triggers) == (t.kind == "combination"), t.id
        assert ";;" not in t.text, t.id  # a mark that was not read as one
    assert len({t.id for t in found}) == len(found)


@langs
def test_every_slot_of_the_note_is_taught_in_both_splits(lang: Lang) -> None:
    slots = {s.id for s in PACK.risk_slots if s.id.startswith("note_")}
    for validation in (False, True):
        part = [t for t in templates(lang, PACK) if t.validation == validation]
        assert {slot for t in part for slot in t.risks} == slots
        assert {t.combination for t in part if t.combination} == {p.category for p in PACK.combination}


@langs
def test_a_steering_phrase_is_an_instruction_wherever_it_stands(lang: Lang) -> None:
    steering = [s for t in templates(lang, PACK) for s in t.risks if s.endswith(":steering_text")]
    assert len(steering) >= 30
    assert set(steering) == {"note_instruction:steering_text"}


@langs
def test_expansions_are_plain_text(lang: Lang) -> None:
    rng = random.Random(0)
    for t in templates(lang, PACK):
        text = expand(t.text, rng)
        assert text, t.id
        assert text == text.strip(), t.id
        assert not re.search(r"[{}|\n]|  ", text), (t.id, text)


def test_expand_chooses_one_word_of_each_group() -> None:
    found = {expand("{Lift|Push} the  {box| } up", random.Random(seed)) for seed in range(40)}
    assert found == {"Lift the box up", "Push the box up", "Lift the up", "Push the up"}


@langs
def test_the_validation_split_is_apart_and_large_enough(lang: Lang) -> None:
    by_split: dict[bool, set[str]] = {True: set(), False: set()}
    counted: Counter[str] = Counter()
    for t in templates(lang, PACK):
        by_split[t.validation].add(t.text)
        if t.validation:
            counted.update(t.risks or {t.combination or "harmless"})
    assert not by_split[True] & by_split[False]
    assert min(counted.values()) >= 10, counted  # of every slot, machine and of harmless ones
    assert counted["harmless"] >= 100


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[note_content fall]\n\n# a comment\nThe {ladder slipped", 4),
        ("[note_content fall]\nThe {old {wooden|steel} ladder|scaffold} slipped", 2),
        ("[gossip]\nNothing new", 2),
        ("[note_content gossip]\nNothing new", 2),
        ("[harmless]\nAll good\n[note_instruction fall]\nClimb the rack ;; +gossip", 4),
        ("Climb the rack", 1),
    ],
)
def test_a_mistake_names_its_line(text: str, line: int) -> None:
    with pytest.raises(UsageError, match=rf"^phrases\.txt:{line}: "):
        parse_templates(text, "phrases.txt", PACK)


def test_marks_become_risks_and_masks(pack: Pack) -> None:
    risk, harmless, machine = parse_templates(
        "[note_instruction mechanical]\nReach in ;; +safeguard_defeat ~ppe\n"
        "[harmless]\nSweep up ;; ~steering_text ~fall\n[combination vehicle]\nStand by the gate",
        "phrases.txt",
        pack,
    )
    assert risk.id == "phrases.txt:2"
    assert risk.risks == {"note_instruction:mechanical", "note_instruction:safeguard_defeat"}
    assert risk.maybe == {"note_instruction:ppe"}
    # Read either way, where the pack has both ways.
    assert harmless.maybe == {"note_instruction:steering_text", "note_instruction:fall", "note_content:fall"}
    assert (machine.kind, machine.combination, machine.risks) == ("combination", "vehicle", frozenset())


def drawn_note(composer: Composer, kind: str) -> ComposedNote:
    if kind == "combination":
        return composer.combination("vehicle")
    return composer.risk() if kind == "risk" else composer.harmless()


@given(seed=st.integers(0, 2**32), lang=st.sampled_from(LANGS), kind=st.sampled_from(KINDS))
@settings(max_examples=60)
def test_labels_of_a_note_are_the_union_of_its_templates(seed: int, lang: Lang, kind: str) -> None:
    made = drawn_note(Composer(lang, PACK, False, random.Random(seed)), kind)
    by_id = {t.id: t for t in templates(lang, PACK)}
    used = [by_id[name] for name in made.templates]
    assert made.text.strip()
    assert made.lang == lang
    assert not any(t.validation for t in used)
    assert made.risks == frozenset().union(*(t.risks for t in used))
    assert made.maybe == frozenset().union(*(t.maybe for t in used)) - made.risks
    assert {made.combination} - {None} == {t.combination for t in used} - {None}
    assert bool(made.risks) == (kind == "risk")


@langs
def test_the_same_seed_draws_the_same_notes(lang: Lang) -> None:
    def notes(seed: int) -> list[ComposedNote]:
        composer = Composer(lang, PACK, False, random.Random(seed))
        return [drawn_note(composer, kind) for kind in KINDS * 4]

    assert notes(7) == notes(7)
    assert notes(7) != notes(8)


@langs
def test_every_template_comes_before_any_comes_twice(lang: Lang) -> None:
    composer = Composer(lang, PACK, True, random.Random(1))
    pile = [t.id for t in templates(lang, PACK) if t.validation and t.combination == "load"]
    dealt: Counter[str] = Counter()
    for _ in pile:
        dealt.update(name for name in composer.combination("load").templates if name in pile)
    assert dealt == Counter(pile)
