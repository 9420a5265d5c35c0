"""From boxes to cues, groups and splits. A class that nobody looked for is unknown, never absent."""

import json
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.pictures import (
    SHARES,
    Picture,
    build_pictures,
    read_checked,
    read_photos,
    read_pictures,
    split_of,
    write_pictures,
)

from .made import unlike

SETS = {"fire", "hardhat", "industrial", "site"}


def photo(name: str, *labels: str, of: str = "industrial", labelled: tuple[str, ...] = ()) -> dict[str, Any]:
    boxes = [{"label": label, "xyxy": [0.1, 0.1, 0.5, 0.5]} for label in labels]
    return {"image": f"{name}.png", "set": of, "labelled": labelled or labels, "boxes": boxes}


def folder_of(root: Path, *photos: dict[str, Any], checked: tuple[dict[str, Any], ...] = ()) -> Path:
    """A photo folder; every picture is noise of its own."""
    for number, row in enumerate(photos):
        noise = np.random.default_rng(number).integers(0, 256, (64, 72, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / row["image"])
    for name, rows in (("photos", photos), ("checked", checked)):
        (root / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return root


def only(root: Path, pack: Pack) -> Picture:
    found = build_pictures(root, pack, unlike(1))
    assert len(found) == 1
    return found[0]


def test_a_class_outside_labelled_is_unknown(tmp_path: Path, pack: Pack) -> None:
    row = photo("a", "forklift", labelled=("forklift", "pallet", "traffic_cone"))
    found = only(folder_of(tmp_path, row), pack)
    assert found.cues == {"forklift": 1, "pallet": 0}  # fire: not a key; a cone is no cue of the pack
    assert found.boxes == (("forklift", (0.1, 0.1, 0.5, 0.5)),)
    assert set(found.boxed) == {"forklift", "pallet"}
    assert (found.by_eye, found.checked) == ({}, "")


def test_a_worn_helmet_is_on_somebody(tmp_path: Path, pack: Pack) -> None:
    row = photo("a", "hard_hat", of="hardhat", labelled=("hard_hat", "person"))
    assert only(folder_of(tmp_path, row), pack).cues == {"hard_hat": 1, "person": 1}


def test_of_a_rendered_picture_nothing_is_guessed(tmp_path: Path, pack: Pack) -> None:
    """A helmet in sight on somebody who is half seen; and a check about another picture called "a"."""
    made = {"scene": "1-7", "pair": "000007-spill", "switched": "cue:spill", "hazards": [], "texts": {}}
    row = photo("a", "hard_hat", labelled=("hard_hat", "fire")) | {
        "rendered": {**made, "half_seen": ["person"]}
    }
    check = {"id": "a", "cues": ["forklift"], "verdict": "unsure"}
    found = only(folder_of(tmp_path, row, checked=(check,)), pack)
    assert found.cues == {"hard_hat": 1, "fire": 0}
    assert (found.checked, found.by_eye) == ("safe", {})


def test_the_site_set_leaves_people_out(tmp_path: Path, pack: Pack) -> None:
    row = photo("a", "excavator", of="site", labelled=("excavator", "person"))
    assert only(folder_of(tmp_path, row), pack).cues == {"excavator": 1}


def test_eyes_know_what_no_box_says(tmp_path: Path, pack: Pack) -> None:
    row = photo("a", "forklift", labelled=("forklift", "pallet"))
    check = {"id": "a", "cues": ["pallet", "person"], "verdict": "safe"}
    found = only(folder_of(tmp_path, row, checked=(check,)), pack)
    assert found.checked == "safe"
    assert "pallet" not in found.cues  # seen by eye and not boxed: nobody knows
    assert set(found.boxed) == {"forklift"}
    assert (found.cues["person"], found.cues["fire"], found.cues["conveyor"]) == (1, 0, 0)
    # Head wear of small figures is easily missed, and who needs a vest was disputed.
    assert not {"hard_hat", "no_hard_hat", "no_head_wear", "no_vest"} & set(found.cues)
    assert not {"forklift", "pallet"} & set(found.by_eye)
    assert found.by_eye["fire"] == 0


def test_our_own_checks_never_looked_for_a_spill(tmp_path: Path, pack: Pack) -> None:
    """Only a safe picture is known to have none; a folder's own checks know every cue of its pack."""
    ours = read_checked(tmp_path, pack)
    for verdict, known in (("safe", 0), ("unsure", None)):
        name = next(name for name, row in ours.items() if row.verdict == verdict)
        (tmp_path / verdict).mkdir()
        found = only(folder_of(tmp_path / verdict, photo(name, "forklift")), pack)
        assert [found.cues.get(cue) for cue in ("spill", "panel_open", "exit_blocked")] == [known] * 3
    check = {"id": "a", "cues": [], "verdict": "unsure"}
    assert only(folder_of(tmp_path, photo("a", "forklift"), checked=(check,)), pack).cues["spill"] == 0


def test_where_nobody_is_seen_nobody_is_bareheaded(tmp_path: Path, pack: Pack) -> None:
    check = {"id": "a", "cues": [], "verdict": "safe"}
    found = only(folder_of(tmp_path, photo("a", "forklift"), checked=(check,)), pack)
    assert (found.cues["no_head_wear"], found.cues["person"]) == (0, 0)


def test_pictures_come_back_as_they_were_written(tmp_path: Path, pictures: tuple[Picture, ...]) -> None:
    write_pictures(pictures, tmp_path / "pictures.jsonl")
    assert tuple(read_pictures(tmp_path / "pictures.jsonl")) == pictures


def test_pictures_of_before_scenes_are_read(tmp_path: Path, pictures: tuple[Picture, ...]) -> None:
    file = tmp_path / "pictures.jsonl"
    write_pictures([replace(pictures[0], texts={"steering_text": 1}, pair="p", unsaid=("load",))], file)
    row = json.loads(file.read_text("utf-8"))
    assert read_pictures(file)[0].unsaid == ("load",)
    for key in ("texts", "pair", "switched", "unsaid"):
        del row[key]
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert read_pictures(file) == [pictures[0]]


@pytest.mark.parametrize("bad", ['{"image": "b.png"}', "not JSON", "[]"])
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    good = json.dumps(photo("a", "fire"))
    (tmp_path / "photos.jsonl").write_text(f"{good}\n{bad}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"photos\.jsonl:2: "):
        read_photos(tmp_path)


def test_a_bad_check_is_named(tmp_path: Path, pack: Pack) -> None:
    (tmp_path / "checked.jsonl").write_text('{"id": "a", "cues": [], "verdict": "fine"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"checked\.jsonl:1: verdict"):
        read_checked(tmp_path, pack)


def test_a_folder_without_photos_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected .*photos\.jsonl"):
        read_photos(tmp_path)


def test_splits_depend_on_the_group_alone() -> None:
    splits = [split_of(group) for group in range(4000)]
    assert splits == [split_of(group) for group in range(4000)]
    counted = Counter(splits)
    for name, share in SHARES.items():
        assert counted[name] / 4000 == pytest.approx(share, abs=0.02)
    # Golden: sha256("yochi-N") decides, on every machine and for ever.
    assert splits[:6] == ["train", "val", "train", "train", "train", "test"]


def test_enough_pictures_were_checked_by_eye(pack: Pack, tmp_path: Path) -> None:
    text = (resources.files("yochi_train") / "data" / "checked.jsonl").read_text(encoding="utf-8")
    checked = read_checked(tmp_path, pack)  # no more than ours
    assert len(checked) == len(text.splitlines())  # no id twice
    assert len(checked) >= 300
    assert {name.partition("-")[0] for name in checked} == SETS
    seen = {cue for row in checked.values() for cue in row.cues}
    assert seen <= {cue.id for cue in pack.cue} | {"vest"}
    assert sum(row.verdict == "safe" for row in checked.values()) >= 100
