"""The test records: held-out pictures, hand-written notes, and pairs that neither half gives away."""

from collections import Counter, defaultdict

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_train.pictures import Picture
from yochi_train.testset import SETS, TestSet, blind, few, hand_notes


@pytest.fixture(scope="module")
def sets(pictures: tuple[Picture, ...], pack: Pack) -> dict[str, list[Record]]:
    return TestSet(pictures, pack, seed=0).build()


def dangerous(record: Record) -> bool:
    return any(value for slot, value in record.slots.items() if slot.startswith("combination:"))


def test_every_record_is_held_out(sets: dict[str, list[Record]]) -> None:
    assert tuple(sets) == SETS
    for records in sets.values():
        assert len({r.id for r in records}) == len(records)
        assert {r.split for r in records} == {"test"}
        assert all(name.startswith(("hand.", "signs.test.")) for r in records for name in r.templates)


def test_every_risky_or_harmless_note_is_scored_once(sets: dict[str, list[Record]], pack: Pack) -> None:
    wanted = [n.text for lang in ("en", "ja") for n, kind in hand_notes(lang, pack) if kind != "combination"]
    assert sorted(r.note for r in sets["notes"]) == sorted(wanted)
    assert not [r.id for r in sets["notes"] if r.slots.get("cue:fire") == 1]  # on calm pictures


def test_verdicts_are_known_and_of_every_kind(sets: dict[str, list[Record]]) -> None:
    counted = Counter(r.verdict for r in sets["verdicts"])
    assert set(counted) == {"proceed", "caution", "stop"}
    assert min(counted.values()) >= 20


def test_crossed_pairs_tell_nothing_by_half(sets: dict[str, list[Record]]) -> None:
    """In each four, every picture and every note stands once in a dangerous and once in a harmless pair."""
    fours: dict[str, list[Record]] = defaultdict(list)
    for r in sets["combinations"]:
        fours[r.id.rpartition("-")[0]].append(r)
    assert len(fours) >= 60
    for four in fours.values():
        assert [dangerous(r) for r in four] == [True, True, False, False]
        yes, no = four[:2], four[2:]
        assert Counter(r.image for r in yes) == Counter(r.image for r in no)
        assert Counter(r.note for r in yes) == Counter(r.note for r in no)


def test_one_of_a_quadruple_is_dangerous(sets: dict[str, list[Record]]) -> None:
    fours: dict[str, list[Record]] = defaultdict(list)
    for r in sets["quadruples"]:
        fours[r.id.rpartition("-")[0]].append(r)
    for a, b, c, d in fours.values():
        assert [dangerous(r) for r in (a, b, c, d)] == [True, False, False, False]
        assert (a.image, b.image, a.note, c.note) == (c.image, d.image, b.note, d.note)


def test_the_same_seed_draws_the_same_sets(
    sets: dict[str, list[Record]], pictures: tuple[Picture, ...], pack: Pack
) -> None:
    assert TestSet(pictures, pack, seed=0).build() == sets
    assert TestSet(pictures, pack, seed=1).build() != sets


@pytest.mark.parametrize("kept", ["none", "no safe one", "no machine"])
def test_too_few_pictures_are_a_usage_error(pictures: tuple[Picture, ...], pack: Pack, kept: str) -> None:
    chosen = {
        "none": [],
        "no safe one": [p for p in pictures if p.checked != "safe"],
        "no machine": [p for p in pictures if p.set in ("fire", "hardhat")],
    }[kept]
    with pytest.raises(UsageError, match=r"expected a test picture .*, found none; give more photos"):
        TestSet(chosen, pack, seed=0).build()


def test_blind_notes_say_nothing_and_change_nothing_else(sets: dict[str, list[Record]]) -> None:
    shown = blind(sets["combinations"])
    assert {r.note for r in shown if r.lang == "en"} == {"Have a look here."}
    assert len({r.note for r in shown}) == 2
    for before, after in zip(sets["combinations"], shown, strict=True):
        assert after.model_copy(update={"note": before.note}) == before


def test_few_are_spread_over_all() -> None:
    assert few(range(10), None) == list(range(10))
    assert few(range(10), 99) == list(range(10))
    assert few(range(10), 4) == [0, 2, 5, 7]
