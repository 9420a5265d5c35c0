"""Records: packs that share a picture, splits that share nothing, the same bytes for the same seed."""

import json
from collections import Counter
from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import Pack
from yochi_train.grammar import LANGS, templates
from yochi_train.photo_records import make_records
from yochi_train.pictures import Picture, Split, read_photos
from yochi_train.records import PACK_NOTES, build_records, read_records, write_records

from .made import fake_cache

COUNT = 200


@pytest.fixture(scope="module")
def made(pictures: tuple[Picture, ...], pack: Pack) -> dict[Split, list[Record]]:
    return {
        split: list(build_records(pictures, pack, split, COUNT, seed=3)) for split in ("train", "val", "test")
    }


def test_a_pack_is_one_picture_with_notes_in_both_languages(made: dict[Split, list[Record]]) -> None:
    for records in made.values():
        assert len(records) == COUNT
        for start in range(0, COUNT, PACK_NOTES):
            pack = records[start : start + PACK_NOTES]
            assert len({r.image for r in pack}) == 1
            assert {r.lang for r in pack} == set(LANGS)
            assert {"risk", "harmless", "combination"} <= {r.kind for r in pack}
        assert len({r.id for r in records}) == COUNT


def test_a_language_named_twice_comes_at_least_twice_in_a_pack(
    pictures: tuple[Picture, ...], pack: Pack
) -> None:
    records = list(build_records(pictures, pack, "train", COUNT, seed=3, languages=("en", "ja", "ja")))
    for start in range(0, COUNT, PACK_NOTES):
        langs = [r.lang for r in records[start : start + PACK_NOTES]]
        assert langs.count("ja") >= 2
        assert "en" in langs
    assert sum(r.lang == "ja" for r in records) > 0.55 * COUNT
    english = build_records(pictures, pack, "train", COUNT, seed=3, languages=("en",))
    assert {r.lang for r in english} == {"en"}


def test_no_template_of_the_validation_split_is_trained_on(
    made: dict[Split, list[Record]], pack: Pack
) -> None:
    held = {t.id for lang in LANGS for t in templates(lang, pack) if t.validation}
    assert held
    assert not held & {name for r in made["train"] for name in r.templates}
    for split in ("val", "test"):
        assert {name for r in made[split] for name in r.templates} <= held


def test_no_near_duplicate_of_a_test_picture_is_trained_on(made: dict[Split, list[Record]]) -> None:
    groups = {split: {r.picture_group for r in records} for split, records in made.items()}
    assert not groups["train"] & groups["val"]
    assert not groups["train"] & groups["test"]
    assert not groups["val"] & groups["test"]
    assert all(r.split == split for split, records in made.items() for r in records)


def test_slots_and_verdicts_are_those_of_the_pair(made: dict[Split, list[Record]], pack: Pack) -> None:
    known = set(pack.slot_index)
    verdicts = {r.verdict for r in made["train"]}
    assert verdicts == {"stop", "caution", "proceed", None}
    for r in made["train"]:
        assert set(r.slots) <= known
        risks = [s for s in r.slots if r.slots[s] and pack.slots[pack.slot_index[s]].category]
        assert not (r.verdict == "proceed" and risks), r


def test_every_risk_of_the_note_is_marked_and_nothing_harmless(made: dict[Split, list[Record]]) -> None:
    notes = ("note_instruction:", "note_content:")
    for r in (r for records in made.values() for r in records):
        marked = {span.slot for span in r.spans}
        assert {s for s in marked if s.startswith(notes)} == {
            s for s, value in r.slots.items() if value and s.startswith(notes)
        }
        # What a note asks for is marked unless the picture is known to make it harmless.
        assert all(r.kind == "combination" for s in marked if s.startswith("combination:"))
        assert not [s for s in marked if r.slots.get(s) == 0]
        if r.kind == "combination" and r.verdict != "proceed":
            held = [s for s, value in r.slots.items() if value and s.startswith("combination:")]
            assert set(held) <= marked


def test_records_without_spans_are_read(made: dict[Split, list[Record]], tmp_path: Path) -> None:
    rows = [json.loads(record.model_dump_json(exclude={"spans"})) for record in made["val"][:8]]
    file = tmp_path / "val.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read_records(file) == [r.model_copy(update={"spans": ()}) for r in made["val"][:8]]


def test_a_pack_has_as_many_combinations_as_were_asked_for(pictures: tuple[Picture, ...], pack: Pack) -> None:
    for wanted in (0, 2, 4, 7):
        records = list(build_records(pictures, pack, "train", 64, seed=3, combinations=wanted))
        for start in range(0, 64, PACK_NOTES):
            kinds = Counter(r.kind for r in records[start : start + PACK_NOTES])
            assert kinds["combination"] == wanted
            assert (
                kinds["risk"] + kinds["narrative"] >= kinds["harmless"] - 1
            )  # the free place goes to either


def test_a_part_of_the_combinations_is_dangerous(made: dict[Split, list[Record]]) -> None:
    of_kind = [r for r in made["train"] if r.kind == "combination"]
    dangerous = [r for r in of_kind if any(v for s, v in r.slots.items() if s.startswith("combination:"))]
    assert 0.15 < len(dangerous) / len(of_kind) < 0.85


def test_the_same_seed_writes_the_same_bytes(
    pictures: tuple[Picture, ...], pack: Pack, tmp_path: Path
) -> None:
    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        file = tmp_path / f"{name}.jsonl"
        assert write_records(build_records(pictures, pack, "train", 48, seed), file) == 48
        texts.append(file.read_bytes())
    assert texts[0] == texts[1] != texts[2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl", "c.jsonl"]  # no partial left


def test_records_come_back_as_they_were_written(made: dict[Split, list[Record]], tmp_path: Path) -> None:
    write_records(iter(made["val"]), tmp_path / "val.jsonl")
    assert read_records(tmp_path / "val.jsonl") == made["val"]


def test_only_a_line_feed_ends_a_record(made: dict[Split, list[Record]], tmp_path: Path) -> None:
    odd = made["val"][0].model_copy(update={"note": "one\u2028two\x85three"})
    write_records(iter([odd, made["val"][1]]), tmp_path / "val.jsonl")
    assert read_records(tmp_path / "val.jsonl") == [odd, made["val"][1]]


@pytest.mark.parametrize("bad", ['{"id": "x"}', "{", '"text"'])
def test_a_bad_line_is_named(made: dict[Split, list[Record]], tmp_path: Path, bad: str) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(made["train"][0].model_dump_json() + f"\n{bad}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"train\.jsonl:2: "):
        read_records(file)


def test_a_split_of_nothing_but_safe_pictures_is_refused(pictures: tuple[Picture, ...], pack: Pack) -> None:
    safe = [p for p in pictures if p.checked == "safe"]
    with pytest.raises(UsageError, match="give more photos"):
        list(build_records(safe, pack, "train", 10, seed=0))


def test_the_folder_is_complete_and_the_same_again(drawn: Path, tmp_path: Path) -> None:
    cache = fake_cache(tmp_path / "cache", [p.image for p in read_photos(drawn)])
    for name in ("a", "b"):
        said = make_records(
            drawn, tmp_path / name, cache, count=56, narratives=None, seed=0, pack_folder=None
        )
        assert said.startswith("104 records on 128 pictures: ")
    names = ["card.json", "pack.toml", "pictures.jsonl", "train.jsonl", "val.jsonl"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    card = json.loads((tmp_path / "a" / "card.json").read_text(encoding="utf-8"))
    assert sum(card["pictures"].values()) == 128
    assert (card["records"]["train"]["records"], card["records"]["val"]["records"]) == (56, 48)
    assert card["sources"] == {"drawn by yochi_train.drawn (Apache-2.0)": 128}


def test_too_few_records_are_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--count of at least 50, got 9"):
        make_records(drawn, tmp_path, tmp_path / "cache", count=9, narratives=None, seed=0, pack_folder=None)
