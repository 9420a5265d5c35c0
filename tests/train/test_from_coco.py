"""COCO becomes the folder that `records photos` reads: annotated is labelled, everything else unknown."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from yochi_runtime.taxonomy import Pack
from yochi_train.convert.from_coco import from_coco
from yochi_train.pictures import build_pictures, read_photos

from .made import command, unlike
from .rows import noise

CATEGORIES = [{"id": 1, "name": "Hard hat"}, {"id": 2, "name": "person"}, {"id": 3, "name": "zebra"}]


def instances(root: Path, boxes: list[tuple[int, int, Any]], **changes: Any) -> tuple[Path, Path]:
    """Pictures 1 (64 x 64) and 2, and the file; a box is (image, category, [x, y, width, height])."""
    (root / "raw").mkdir()
    noise(root / "raw" / "1.png", 1)
    noise(root / "raw" / "2.png", 2)
    coco = {
        "licenses": [{"id": 4, "name": "CC BY 4.0"}],
        "images": [
            {
                "id": i,
                "file_name": f"{i}.png",
                "width": 64,
                "height": 64,
                "license": 4,
                "coco_url": "http://x",
            }
            for i in (1, 2)
        ],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "bbox": b} for n, (i, c, b) in enumerate(boxes)
        ],
        "categories": CATEGORIES,
        **changes,
    }
    (root / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    (root / "cues.toml").write_text('"Hard hat" = "hard_hat"\n', encoding="utf-8")
    return root / "coco.json", root / "raw"


def test_what_is_annotated_is_labelled_and_nothing_else(
    tmp_path: Path, pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    file, raw = instances(tmp_path, [(1, 1, [16, 0, 32, 16]), (1, 3, [0, 0, 9, 9]), (2, 2, [-8, 8, 24, 99])])
    out = tmp_path / "out"
    words = ["records", "from-coco", str(file), str(raw), str(out), "--cues", str(tmp_path / "cues.toml")]
    assert command([*words, "--set", "yard"]) == 0
    assert capsys.readouterr().out == (
        "2 photos with 2 boxes, labelled hard_hat, person; 0 boxes cannot be used, 0 pictures in "
        f"quarantine.jsonl; categories without a cue: zebra: {out}\n"
    )
    first, second = read_photos(out)
    assert (first.image, first.set, first.source, first.licence) == (
        "images/1.png",
        "yard",
        "http://x",
        "CC BY 4.0",
    )
    assert [(b.label, b.xyxy) for b in first.boxes] == [("hard_hat", (0.25, 0.0, 0.75, 0.25))]
    assert [(b.label, b.xyxy) for b in second.boxes] == [("person", (0.0, 0.125, 0.25, 1.0))]
    one, two = build_pictures(out, pack, unlike(2))
    assert (one.cues, two.cues) == ({"hard_hat": 1, "person": 1}, {"hard_hat": 0, "person": 1})


@pytest.mark.parametrize("box", [[70, 0, 9, 9], [0, 0, 0, 9], [0, 9, 9, -3]])
def test_a_box_that_cannot_be_used_leaves_its_cue_unknown(box: list[int], tmp_path: Path) -> None:
    file, raw = instances(tmp_path, [(1, 2, box), (1, 2, [0, 0, 9, 9])])
    said = from_coco(file, raw, tmp_path / "out", name="a", cues=tmp_path / "cues.toml", pack_file=None)
    assert "1 boxes cannot be used" in said
    first, second = read_photos(tmp_path / "out")
    assert (first.labelled, first.boxes) == (["hard_hat"], [])
    assert second.labelled == ["hard_hat", "person"]


def test_pictures_that_cannot_be_used_are_quarantined(tmp_path: Path) -> None:
    file, raw = instances(tmp_path, [])
    good = {"id": 2, "file_name": "2.png", "width": 64, "height": 64}
    turned = Image.Exif()
    turned[0x0112] = 6
    with Image.open(raw / "1.png") as picture:
        picture.save(raw / "turned.jpg", exif=turned)
    (raw / "words.png").write_text("no picture", encoding="utf-8")
    bad: list[tuple[dict[str, Any], str]] = [
        ({"file_name": "no.png"}, "expected a picture at "),
        ({"file_name": "words.png"}, "expected a picture at "),
        ({"file_name": "../2.png"}, "expected a path below the pictures"),
        ({"file_name": "1.png", "width": 32}, "expected 32 x 64 pixels as annotated, got 64 x 64"),
        ({"file_name": "turned.jpg"}, "expected an upright picture, got EXIF orientation 6"),
        ({}, "comes twice"),
    ]
    coco = json.loads(file.read_text("utf-8"))
    coco["images"] = [good, *({**good, **changes} for changes, _ in bad)]
    file.write_text(json.dumps(coco), encoding="utf-8")
    out = tmp_path / "out"
    assert "6 pictures in quarantine" in from_coco(file, raw, out, name="a", cues=None, pack_file=None)
    whys = [json.loads(line)["why"] for line in (out / "quarantine.jsonl").read_text("utf-8").splitlines()]
    assert [why[: len(said)] for why, (_, said) in zip(whys, bad, strict=True)] == [said for _, said in bad]
    assert [photo.image for photo in read_photos(out)] == ["images/2.png"]


@pytest.mark.parametrize(
    ("changes", "cues", "said"),
    [
        ({}, '"Hard hat" = "helmet"', "expected a cue of the pack for 'Hard hat', got 'helmet'"),
        ({}, '"Hat" = "hard_hat"', "expected a category of the instances, got 'Hat'"),
        ({}, '"Hard hat" = 3', "expected a cue id for 'Hard hat', got 3"),
        ({}, "Hard hat", "expected lines such as"),
        (
            {"categories": [{"id": 3, "name": "zebra"}]},
            "",
            "expected a category that is a cue of the pack, got zebra",
        ),
        ({"images": 3}, "", "images: Input should be a valid"),
        (
            {"annotations": [{"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]}]},
            "",
            "annotations.0: expected an",
        ),
        (
            {"images": [{"id": 1, "file_name": "1", "width": 1, "height": 1, "neg_category_ids": []}]},
            "",
            "expected every category annotated in every picture",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    changes: Any, cues: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, raw = instances(tmp_path, [], **changes)
    (tmp_path / "cues.toml").write_text(cues, encoding="utf-8")
    words = [
        "records",
        "from-coco",
        str(file),
        str(raw),
        str(tmp_path / "out"),
        "--cues",
        str(tmp_path / "cues.toml"),
    ]
    assert command(words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
