"""`records photos`: memory that does not grow with the records, and a card that says what was made."""

import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from yochi_runtime.taxonomy import Pack
from yochi_train.card import left_out
from yochi_train.narratives import Narrative, Narratives
from yochi_train.photo_records import make_records
from yochi_train.pictures import Photo, PhotoBox, read_photos, read_pictures
from yochi_train.records import read_records
from yochi_train.stats import checked_safe, count_records

from .made import fake_cache, picture

FEW, MANY = 2_000, 10_000  # a list of the second would take over 20 MB
GROWTH = 4_000_000  # bytes


def make(drawn: Path, out: Path, cache: Path, count: int) -> None:
    make_records(drawn, out, cache, count=count, narratives=None, seed=0, pack_folder=None)


@pytest.fixture(scope="module")
def cache(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_cache(tmp_path_factory.mktemp("cache") / "c", [p.image for p in read_photos(drawn)])


def test_memory_does_not_grow_with_the_records(drawn: Path, cache: Path, tmp_path: Path) -> None:
    make(drawn, tmp_path / "warm", cache, 56)  # phrases are read once
    peaks = []
    tracemalloc.start()
    try:
        for count in (FEW, MANY):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            make(drawn, tmp_path / str(count), cache, count)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < GROWTH
    assert len((tmp_path / str(MANY) / "train.jsonl").read_bytes().splitlines()) == MANY


def test_the_card_counts_what_stands_in_the_files(
    drawn: Path, cache: Path, tmp_path: Path, pack: Pack
) -> None:
    make(drawn, tmp_path, cache, 200)
    card = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert set(card["records"]) == {"train", "val"}
    safe = checked_safe(read_pictures(tmp_path / "pictures.jsonl"))
    for split, told in card["records"].items():
        counted = count_records(read_records(tmp_path / f"{split}.jsonl"), pack, safe)
        assert told == json.loads(json.dumps(counted.as_json()))
    assert card["teacher"] == "truth"
    assert set(card["filters"].values()) == {0}  # of drawn pictures everything is used


def test_what_is_left_out_by_hand(pack: Pack) -> None:
    """A hoist is in no pack; the smoke that the eyes saw was not boxed; nobody reports of bees."""
    box = (0.0, 0.0, 1.0, 1.0)
    photos = [
        Photo(
            image="a.png",
            set="fire",
            labelled=["fire", "smoke", "hoist"],
            boxes=[PhotoBox(label=label, xyxy=box) for label in ("fire", "hoist", "hoist")],
        ),
        Photo(image="b.png", set="fire", labelled=["fire"], boxes=[]),
    ]
    pictures = [picture({"fire": 1}, boxes=[("fire", box)]), picture({"fire": 0})]
    told = [Narrative(str(n), "en", "Text.", category) for n, category in enumerate(("fall", "bees"))]
    narratives = Narratives(told, Counter({"narratives too long": 5}))
    assert left_out(photos, pictures, narratives, pack) == {
        "boxes of cues outside the pack": 2,
        "labels that became unknown": 1,
        "narratives without one category": 0,
        "narratives too long": 5,
        "narratives that repeat one for validation": 0,
        "narratives of categories outside the pack": 1,
    }
    assert sum(left_out(photos, pictures, None, pack).values()) == 3
