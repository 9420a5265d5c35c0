"""Records split anew: nothing is shared between the splits, and every row is somewhere or counted."""

import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import load_pack
from yochi_train.convert.resplit import draw, packs, split_records
from yochi_train.records import PACK_NOTES, read_records
from yochi_train.testset import hand_notes

from .made import command, record
from .rows import faults, folder_of, noise, picture_of, row

SPLITS = ("train", "val", "test")


def read(out: Path) -> dict[str, list[Any]]:
    return {split: read_records(out / f"{split}.jsonl") for split in SPLITS}


def many(count: int = 600) -> list[dict[str, Any]]:
    """Rows over 60 groups and 40 templates, two in some notes."""
    rng = random.Random(3)
    return [
        row(
            str(i),
            image=f"images/{(g := rng.randrange(60))}.png",
            picture_group=g,
            templates=[f"t:{rng.randrange(40)}" for _ in range(rng.choice((1, 1, 1, 2)))],
        )
        for i in range(count)
    ]


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_nothing_is_shared_and_every_row_is_counted(seed: int) -> None:
    rows = many()
    with tempfile.TemporaryDirectory() as name:
        folder, out = folder_of(Path(name) / "r", train=rows), Path(name) / "out"
        try:
            split_records(folder, out, None, seed)
        except UsageError:  # a split stayed empty: the last test here
            reject()
        found, report = read(out), json.loads((out / "split.json").read_text("utf-8"))
        check, told = faults(out)
    assert (told, check.bad, check.passed) == ([], 0, True)
    for what in ("picture_group", "image"):
        sets = [{getattr(r, what) for r in found[split]} for split in SPLITS]
        assert sum(map(len, sets)) == len(set().union(*sets))
    sets = [{t for r in found[split] for t in r.templates} for split in SPLITS]
    assert sum(map(len, sets)) == len(set().union(*sets))
    own = [r.id for split in SPLITS for r in found[split] if "+" not in r.id]
    assert len(own) == len(set(own))
    assert len(own) + sum(report["left_out"].values()) == len(rows)
    assert report["records"] == {split: len(found[split]) for split in SPLITS}
    train = found["train"]
    assert len(train) % PACK_NOTES == 0
    for start in range(0, len(train), PACK_NOTES):
        assert len({r.image for r in train[start : start + PACK_NOTES]}) == 1


def test_the_shares_of_the_draw() -> None:
    counts = Counter(draw(f"group {i}", 7) for i in range(10_000))
    assert counts["test"] == pytest.approx(2000, abs=200)
    assert counts["val"] == pytest.approx(1000, abs=150)


def names_in(split: str, what: str, count: int, seed: int = 0) -> list[int]:
    """The first numbers that fall into a split."""
    return [i for i in range(1000) if draw(f"{what} {i}", seed) == split][:count]


def placed(identity: str, split: str, **changes: Any) -> dict[str, Any]:
    """A row whose picture group and template both fall into `split`."""
    group, template = names_in(split, "group", 1)[0], names_in(split, "template", 1)[0]
    image = f"images/{group}.png"
    return row(identity, picture_group=group, image=image, templates=[str(template)], **changes)


def test_a_training_note_near_a_held_one_goes(tmp_path: Path) -> None:
    hand = hand_notes("en", load_pack())[0][0].text
    rows = [
        placed("1", "train"),
        placed("2", "train", note="a b c d e f g h i"),
        placed("3", "train", note=hand),
        placed("4", "val", note="A b c d e f g h j!"),  # 8 of 10 words
        placed("5", "test"),
    ]
    said = split_records(folder_of(tmp_path / "r", train=rows), tmp_path / "out", None, 0)
    assert said.startswith(
        "8 train, 1 val, 1 test; left out: 0 across splits, 2 near a held note; 7 repeated"
    )
    assert [r.id for r in read(tmp_path / "out")["train"]] == ["1", *(f"1+{n}" for n in range(1, 8))]


def test_near_pictures_are_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "images").mkdir(parents=True)
    rows = [placed("1", "train"), placed("2", "val"), placed("3", "test")]
    for seed, of in enumerate(rows):
        noise(photos / of["image"], seed)
    with Image.open(photos / rows[0]["image"]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "images" / "flipped.png")
    other = names_in("test", "group", 2)[1]
    flipped = {**rows[0], "id": "4", "image": "images/flipped.png", "picture_group": other}
    shown = picture_of("images/flipped.png", group=other, split="test")
    folder = folder_of(tmp_path / "r", train=[*rows, flipped], pictures=[shown])
    words = ["records", "split", str(folder), str(out), "--seed", "0"]
    assert command(words) == 0
    assert (
        "1 across splits" in capsys.readouterr().out
    )  # its group falls into test, its template into training
    assert command([*words, "--photos", str(photos)]) == 0
    low = min(rows[0]["picture_group"], other)
    (again,) = [r for split in read(out).values() for r in split if r.id == "4"] or [None]
    drawn = draw(f"group {low}", 0)
    assert (again.split if again else "left out") == ("train" if drawn == "train" else "left out")
    picture = json.loads((out / "pictures.jsonl").read_text("utf-8"))
    assert (picture["group"], picture["split"]) == (low, drawn)


def test_the_last_pack_is_filled_with_rows_of_its_picture() -> None:
    rows = {"a": [record(str(i), image="a") for i in range(9)], "b": [record("x", image="b")]}
    found = [r.id for r in packs(rows, random.Random(0))]
    assert sorted(found) == sorted(
        [*map(str, range(9)), *(f"{i}+1" for i in range(7)), "x", *(f"x+{n}" for n in range(1, 8))]
    )


def test_a_draw_that_leaves_a_split_empty_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "r", train=[placed("1", "train")])
    with pytest.raises(UsageError, match=r"got none for val, test \(0 have .*try another --seed"):
        split_records(folder, tmp_path / "out", None, 0)
    assert not (tmp_path / "out" / "train.jsonl").exists()
    with pytest.raises(UsageError, match="expected OUT to be another folder"):
        split_records(folder, folder, None, 0)
