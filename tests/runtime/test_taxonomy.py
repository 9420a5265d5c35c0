"""Taxonomy packs: what the default one holds, in which order it is asked, and what is refused."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import (
    Pack,
    Source,
    Text,
    load_pack,
    pack_text,
    parse_pack,
    sha256_text,
)

CATEGORIES = [
    *("mechanical", "electrical", "thermal_fire", "fall", "slip_trip", "vehicle", "load", "substance"),
    *("stored_energy", "ppe", "egress", "ergonomic", "safeguard_defeat", "steering_text"),
]

SMALL = """
id = "small"
version = "1"

[[category]]
id = "fire"
word = "fire"
severity = "S2"
iso12100 = 3
name = { en = "fire", ja = "火" }
advice = { en = "Leave.", ja = "離れる。" }

[[category]]
id = "trick"
word = "trick"
severity = "S1"
iso12100 = 10
note_content = false
name = { en = "trick", ja = "誘導" }
advice = { en = "Ask.", ja = "聞く。" }

[[cue]]
id = "flame"
word = "flame"
risk = "fire"
name = { en = "flame", ja = "炎" }

[[cue]]
id = "drum"
word = "drum"
name = { en = "drum", ja = "ドラム缶" }

[[combination]]
category = "fire"
cues = ["drum"]

[[image_text]]
category = "trick"
"""


@pytest.fixture(scope="module")
def factory() -> Pack:
    return load_pack()


def test_the_slots_of_a_small_pack_written_out() -> None:
    pack = parse_pack(SMALL)
    assert [(s.id, s.source, s.category, s.cue) for s in pack.slots] == [
        ("cue:flame", Source.IMAGE_CONTENT, "fire", "flame"),
        ("cue:drum", None, None, "drum"),
        ("note_instruction:fire", Source.NOTE_INSTRUCTION, "fire", None),
        ("note_content:fire", Source.NOTE_CONTENT, "fire", None),
        ("note_instruction:trick", Source.NOTE_INSTRUCTION, "trick", None),
        ("combination:fire", Source.COMBINATION, "fire", None),
        ("image_text:trick", Source.IMAGE_TEXT, "trick", None),
        ("verdict", None, None, None),
    ]
    assert [pack.slots[i].id for i in pack.slot_index.values()] == list(pack.slot_index)
    assert pack.category_of("trick").severity == "S1"


def test_the_factory_pack_holds_the_design(factory: Pack) -> None:
    assert [c.id for c in factory.category] == CATEGORIES
    assert [c.id for c in factory.category if not c.note_content] == ["steering_text"]
    ids = [slot.id for slot in factory.slots]
    assert len(set(ids)) == len(ids)
    assert (
        len(ids) <= 50
    )  # the design's 48, and two: exits, spills and panels cost a new frame six tokens, a note none
    assert ids[-1] == "verdict"
    assert factory.slots == (*factory.cue_slots, *factory.risk_slots, factory.slots[-1])
    risks = {c.id: c.risk for c in factory.cue if c.risk}
    assert {"fire", "no_hard_hat", "guard_missing"} <= set(risks)
    assert not {"conveyor", "forklift", "person"} & set(risks)  # a working conveyor is not a hazard


def test_the_factory_pack_speaks_both_languages(factory: Pack) -> None:
    kana_or_kanji = re.compile("[぀-ヿ㐀-鿿]")
    texts = [c.name for c in factory.category] + [c.name for c in factory.cue]
    texts += [c.advice for c in factory.category]
    for text in texts:
        assert kana_or_kanji.search(text.of("ja")), text
        assert text.of("en").isascii(), text
    assert len({t.ja for t in texts}) == len({t.en for t in texts}) == len(texts)


def test_a_pack_cannot_be_changed_in_place(factory: Pack) -> None:
    with pytest.raises(ValueError, match="frozen"):
        factory.version = "2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('risk = "fire"', 'risk = "water"', "unknown categories: water"),
        ('cues = ["drum"]', 'cues = ["boat"]', "unknown cues: boat"),
        ('cues = ["drum"]', "cues = []", "combination.0.cues"),
        ('id = "trick"', 'id = "fire"', "category ids must be unique; fire come twice"),
        ('id = "drum"', 'id = "flame"', "cue ids must be unique"),
        ("[[image_text]]", '[[combination]]\ncategory = "fire"\ncues = ["drum"]\n[[image_text]]', "unique"),
        ("[[image_text]]", '[[image_text]]\ncategory = "trick"\n[[image_text]]', "image_text ids must be"),
        ('id = "drum"', 'id = "Drum can"', "cue.1.id"),
        ('word = "drum"', 'word = "oil drum"', "cue.1.word"),
        ('severity = "S2"', 'severity = "S3"', "category.0.severity"),
        ("iso12100 = 3", "iso12100 = 11", "category.0.iso12100"),
        ('ja = "火"', 'ja = ""', "category.0.name.ja"),
        ('version = "1"', 'version = "1"\ncolour = "red"', "colour"),
        ('version = "1"', "", "version"),
        ('id = "small"', 'id = "small', "expected TOML"),
        ('version = "1"', "version = " + "1" * 5000, "expected TOML"),
        ('version = "1"', "version = " + "[" * 50_000, "expected TOML"),
    ],
)
def test_a_wrong_pack_is_refused_with_the_place(old: str, new: str, message: str) -> None:
    assert SMALL.count(old) >= 1
    with pytest.raises(UsageError, match=message) as raised:
        parse_pack(SMALL.replace(old, new, 1), "plant.toml")
    assert str(raised.value).startswith("plant.toml: ")


@given(st.text(max_size=200))
def test_any_text_is_a_pack_or_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"^pack: "):
        parse_pack(text)


def test_a_pack_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert load_pack(path) == parse_pack(SMALL)
    assert pack_text(path) == SMALL
    path.write_bytes(b"id = '\xff'")
    with pytest.raises(UsageError, match=r"plant\.toml"):
        load_pack(path)
    with pytest.raises(UsageError, match=r"found nothing there"):
        load_pack(tmp_path / "none.toml")


def test_wording_by_language() -> None:
    text = Text(en="fire", ja="火災")
    assert (text.of("en"), text.of("ja")) == ("fire", "火災")


def test_sha256_of_text_is_that_of_its_utf8_bytes() -> None:
    assert sha256_text("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
