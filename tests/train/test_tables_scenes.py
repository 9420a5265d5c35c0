"""Minimal pairs and pointing, number by number."""

import json
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from yochi_bench.scored import Scored, score
from yochi_runtime.errors import UsageError
from yochi_runtime.image import GRID
from yochi_runtime.taxonomy import Pack
from yochi_train.evaluate import picture_record
from yochi_train.pictures import Picture
from yochi_train.tables_scenes import flip_table, pointing_table, scene_pairs

from tests.bench.test_scored import answers_of

from .made import picture, plain_bundle

FIRE, SMOKE = "cue:fire", "cue:smoke"
SIDE = 10 * GRID  # pixels


def logit(probability: float) -> float:
    return log(probability / (1 - probability))


def scored(pack: Pack, pictures: Sequence[Picture], said: list[dict[str, float]], **of: Any) -> Scored:
    answers = answers_of(pack, [{slot: logit(p) for slot, p in row.items()} for row in said])
    return score(plain_bundle(pack, **of), [picture_record(p) for p in pictures], answers)


def both(name: str, switched: str, first: dict[str, int], second: dict[str, int]) -> list[Picture]:
    number = sum(name.encode())
    return [
        picture(cues, image=f"{name}-{i}", group=number, pair=name, switched=switched)
        for i, cues in enumerate((first, second))
    ]


def test_only_whole_pairs_are_taken() -> None:
    a, b = both("a", FIRE, {}, {}), both("b", FIRE, {}, {})
    assert scene_pairs([a[0], b[0], picture({}), picture({}), a[1]]) == [(a[0], a[1])]


def test_flips_by_hand(pack: Pack) -> None:
    """Two of three pairs count; in one the hazard is higher by 0.8, in the other lower by 0.1."""
    calm = {"fire": 0, "smoke": 0}
    shown = [
        *both("a", FIRE, calm, calm | {"fire": 1}),
        *both("b", FIRE, {"fire": 1}, {"fire": 0}),  # the first has it; smoke is unknown
        *both("c", FIRE, {"fire": 0}, {}),  # half seen in the second
        *both("d", "image_text:steering_text", calm, calm),
        *both("e", SMOKE, calm, calm),  # out of sight: both pictures show the same
    ]
    said = [
        {FIRE: 0.1, SMOKE: 0.2},
        {FIRE: 0.9, SMOKE: 0.6},
        {FIRE: 0.4, SMOKE: 0.2},
        {FIRE: 0.5, SMOKE: 0.6},
        *[{FIRE: 0.5}] * 6,
    ]
    table, bars = flip_table(scored(pack, shown, said), shown, seed=0, count=50)
    rows = {row[0]: row[1:] for row in table.rows}
    assert [cell.split(" ")[0] for cell in rows["fire"]] == ["2", "0.500", "0.350", "0.500"]
    assert rows["fire"][1] == "0.500 [0.000, 1.000]"
    assert rows["smoke"] == ["0", "not scored", "", ""]
    assert rows["all"] == rows["fire"]
    of_scenes = {"guard_missing", "exit_blocked", "spill", "panel_open"}
    assert set(rows) == {"fire", "smoke", "no_hard_hat", "no_vest", *of_scenes, "all"}
    assert bars == []


def test_a_slot_that_is_not_judged_is_neither_scored_nor_crossed(pack: Pack) -> None:
    shown = both("a", FIRE, {"fire": 0, "smoke": 0}, {"fire": 1, "smoke": 0})
    said = [{FIRE: 0.1, SMOKE: 0.2}, {FIRE: 0.9, SMOKE: 0.9}]
    table, _ = flip_table(scored(pack, shown, said, untrained=[FIRE]), shown, seed=0, count=5)
    assert {row[0]: row[1:] for row in table.rows}["fire"] == ["1", "not scored", "", ""]
    table, _ = flip_table(scored(pack, shown, said, untrained=[SMOKE]), shown, seed=0, count=5)
    assert {row[0]: row[4] for row in table.rows}["fire"] == "0.000 [0.000, 0.000]"


def masked(root: Path, name: str, rows: slice, columns: slice) -> Picture:
    """A picture whose flame fills these cells of the grid, in two objects; the bin below it is no flame."""
    (root / name).mkdir()
    mask = np.ones((GRID, GRID), np.uint8)
    mask[rows, columns] = 3
    mask[rows.start, columns] = 2
    Image.fromarray(np.kron(mask, np.ones((10, 10), np.uint8))).save(root / name / "mask.png")
    objects = {"objects": ["room", "fire", "fire/core"]}
    (root / name / "truth.json").write_text(json.dumps(objects), encoding="utf-8")
    return picture({"fire": 1, "smoke": 0}, image=f"{name}/image.jpg", group=sum(name.encode()))


def pointed(pack: Pack, *at: tuple[int, int] | None) -> NDArray[np.float32]:
    """Cell scores of pictures in which one cell, (row, column), says fire; None: no cell does."""
    cells = np.zeros((len(at), GRID * GRID, len(pack.cue)), np.float32)
    column = [cue.id for cue in pack.cue].index("fire")
    for i, cell in enumerate(at):
        if cell:
            cells[i, cell[0] * GRID + cell[1], column] = 0.9
    return cells


def test_pointing_by_hand(pack: Pack, tmp_path: Path) -> None:
    """The flame fills rows 2 and 3: hit in either row, missed beside it, and missed where no box is drawn."""
    corner, middle = (slice(2, 4), slice(5, 7)), (slice(2, 4), slice(3, 5))
    shown = [
        masked(tmp_path, name, *where)
        for name, where in zip("abcd", (corner, corner, middle, middle), strict=True)
    ]
    made = scored(pack, shown, [{}] * 4)
    cells = pointed(pack, (2, 6), (4, 6), (3, 4), None)
    table, bars = pointing_table(made, shown, cells, tmp_path, seed=0, count=50)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["fire"][:3] == ["4", "2/4", "2/4"]
    assert rows["fire"][3].startswith("0.000 [")
    assert rows["all"] == rows["fire"]
    assert (set(rows), bars) == ({"fire", "all"}, [])


def test_a_mask_that_is_not_there_is_a_usage_error(pack: Pack, tmp_path: Path) -> None:
    shown = [masked(tmp_path, "a", slice(2, 4), slice(3, 5))]
    (tmp_path / "a" / "mask.png").unlink()
    made = scored(pack, shown, [{}])
    with pytest.raises(UsageError, match=r"expected .*mask\.png beside the rendered picture"):
        pointing_table(made, shown, pointed(pack, None), tmp_path, seed=0, count=5)
