"""Index, contact sheet and page of finished scenes."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from yochi_train.pictures import read_photos
from yochi_train.rendered import Rendered, SwitchedOn
from yochi_train.scenes.gallery import CAPTION, CELL, COLUMNS, page, write_gallery

EVIL = "<script>alert('x')</script>&\""


def truth(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": 1,
        "seed": 7,
        "width": 64,
        "height": 48,
        "hazards": [
            {"id": "spill", "on": True, "seen": None, "slot": "cue:spill", "category": "slip_trip"},
            {"id": "fire", "on": False, "seen": False, "slot": "cue:fire", "category": "thermal_fire"},
        ],
        "sights": {"worker": {"seen": True}, "walker": {"seen": None}, "forklift": {"seen": False}},
        "slots": {"cue:person": 1, "cue:fire": 0, "image_text:steering_text": 1},
        "boxes": [
            {"slot": "cue:person", "xyxy": [0.1, 0.2, 0.3, 0.4]},
            {"slot": "image_text:steering_text", "xyxy": [0.5, 0.5, 0.6, 0.6]},
        ],
        **changes,
    }


def folder_of(root: Path, truths: list[dict[str, Any]]) -> list[str]:
    for number, one in enumerate(truths):
        folder = root / "scenes" / one["name"]
        folder.mkdir(parents=True)
        (folder / "truth.json").write_text(json.dumps(one), encoding="utf-8")
        Image.new("RGB", (64, 48), (20 * number + 50, 0, 0)).save(folder / "image.jpg")
    return [one["name"] for one in truths]


NAMES = ("000007-spill-0", "000007-spill-1")


def test_the_index_is_read_as_photos(tmp_path: Path) -> None:
    write_gallery(tmp_path, folder_of(tmp_path, [truth(name) for name in NAMES]))
    first, second = read_photos(tmp_path)
    assert [photo.image for photo in (first, second)] == [f"scenes/{name}/image.jpg" for name in NAMES]
    assert first.labelled == ["fire", "person"]  # absent is labelled too; words in the picture are no cue
    assert [(box.label, box.xyxy) for box in first.boxes] == [("person", (0.1, 0.2, 0.3, 0.4))]
    assert (tmp_path / first.image).is_file()
    assert (first.source, first.licence) == ("yochi-train scenes, version 1", "Apache-2.0")


def test_the_index_says_what_was_made(tmp_path: Path) -> None:
    write_gallery(tmp_path, folder_of(tmp_path, [truth(name) for name in NAMES]))
    first, second = (photo.rendered for photo in read_photos(tmp_path))
    assert first == second  # of one scene and pair
    assert first == Rendered(
        scene="1-7",
        pair="000007-spill",
        switched="cue:spill",
        hazards=[SwitchedOn(slot="cue:spill", category="slip_trip", seen=None)],  # what is off is none
        texts={"steering_text": 1},
        half_seen=["person"],  # the worker has a box, the walker has none
    )


def test_the_contact_sheet_has_a_cell_a_scene(tmp_path: Path) -> None:
    write_gallery(tmp_path, folder_of(tmp_path, [truth(f"{k:06d}-spill-0") for k in range(COLUMNS + 1)]))
    sheet = np.asarray(Image.open(tmp_path / "contact.png"))
    assert sheet.shape == (2 * (CELL + CAPTION), COLUMNS * CELL, 3)
    for number in range(COLUMNS + 1):
        top, left = number // COLUMNS * (CELL + CAPTION) + CAPTION + 20, number % COLUMNS * CELL + 20
        assert abs(int(sheet[top, left, 0]) - (20 * number + 50)) < 4


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.images += [value or "" for key, value in attrs if key == "src"]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_shows_every_scene_with_boxes_and_words() -> None:
    parsed = _Page()
    parsed.feed(page([truth("a"), truth("b")]))
    assert parsed.tags.count("figure") == 2
    assert parsed.images == ["scenes/a/image.jpg", "scenes/b/image.jpg"]
    assert "spill (half seen)" in parsed.words
    assert "seen: cue:person, image_text:steering_text" in parsed.words
    assert "fire (" not in parsed.words


def test_the_page_places_boxes_in_percent() -> None:
    assert "left:10.00%;top:20.00%;width:20.00%;height:20.00%" in page([truth("a")])


def test_whatever_a_file_says_stays_text() -> None:
    made = truth(
        EVIL,
        hazards=[{"id": EVIL, "on": True, "seen": True}],
        slots={EVIL: 1},
        boxes=[{"slot": EVIL, "xyxy": [0, 0, 1, 1]}],
    )
    parsed = _Page()
    parsed.feed(page([made]))
    assert "script" not in parsed.tags
    assert parsed.images == [f"scenes/{EVIL}/image.jpg"]
    assert parsed.words.count(EVIL) == 4
