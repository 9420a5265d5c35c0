"""A conversion that is killed before any of its files gets its name, and run again, gives the same folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from yochi_train.convert.from_coco import from_coco
from yochi_train.convert.from_llava import from_llava
from yochi_train.convert.resplit import split_records
from yochi_train.convert.to_hf import to_hf
from yochi_train.convert.to_llava import to_llava

from tests.fixtures.dream_like import items

from .rows import folder_of, noise, row

Convert = Callable[[Path, Path], str]  # from the folder that `sources` makes, into an empty one


def sources(root: Path) -> Path:
    """Photos, their COCO file, records on them, and conversations."""
    (root / "images").mkdir(parents=True)
    for number in range(6):
        noise(root / "images" / f"{number}.png", number)
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 64} for n in range(6)]
    coco = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "fire"}]}
    (root / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    (root / "llava.json").write_text(json.dumps(items()[70:100]), encoding="utf-8")
    rows = [
        row(f"{i}-{t}", image=f"images/{i}.png", picture_group=i, templates=[f"t:{t}"], verdict="proceed")
        for i in range(6)
        for t in range(30)
    ]
    folder_of(root / "records", train=rows)
    return root


CONVERSIONS: dict[str, Convert] = {
    "from-llava": lambda root, out: from_llava(root / "llava.json", out, None, None),
    "to-llava": lambda root, out: to_llava(root / "records", out / "out.json"),
    "from-coco": lambda root, out: from_coco(
        root / "coco.json", root / "images", out, name="a", cues=None, pack_file=None
    ),
    "to-hf": lambda root, out: to_hf(root / "records", root, out),
    "split": lambda root, out: split_records(root / "records", out, None, SEED),
}
SEED = 6  # of a split in which no part is empty


class Killed(BaseException):
    """Nobody catches it."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
def test_a_killed_conversion_is_run_again(
    convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, whole, out = sources(tmp_path / "in"), tmp_path / "whole", tmp_path / "out"
    whole.mkdir()
    out.mkdir()
    said, given = convert(root, whole), contents(root)
    replace, left = Path.replace, 0

    def move(self: Path, target: Path) -> Path:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", move)
    for moves in range(20):
        left = moves
        try:
            again = convert(root, out)
            break
        except Killed:
            continue
    assert moves > 0
    assert again == said.replace(str(whole), str(out))
    assert contents(out) == contents(whole)
    assert contents(root) == given
