"""Cue heads before the language model learns: labels by hand, and heads that find what is there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from yochi_runtime.image import GRID
from yochi_runtime.prompt import IMAGE_TOKENS
from yochi_runtime.taxonomy import Pack
from yochi_train.align import CELL_WEIGHT, PICTURE_WEIGHT, align, cell_labels, cue_labels, speak_words
from yochi_train.features import FOLDED, POOLED, Features
from yochi_train.nano.vision import CueProjector
from yochi_train.pictures import Picture

from tests.fixtures.tokenizer import small_tokenizer

from .made import picture


def grid_of(pack: Pack, made: Picture, cue: str) -> list[list[int]]:
    """7 x 7 labels of one cue."""
    column = [c.id for c in pack.cue].index(cue)
    rows: list[list[int]] = cell_labels([made], pack)[0, :, column].reshape(GRID, GRID).tolist()
    return rows


def test_cells_of_a_box_by_hand(pack: Pack) -> None:
    """1.5 x 1.2 cells in the top left: covers 1, 0.5 in the first row and 0.2, 0.1 in the second."""
    seen = picture({"forklift": 1}, boxes=[("forklift", (0.0, 0.0, 1.5 / 7, 1.2 / 7))], boxed=["forklift"])
    assert grid_of(pack, seen, "forklift") == [
        [1, 1, 0, 0, 0, 0, 0],
        [-1, -1, 0, 0, 0, 0, 0],
        *[[0] * 7] * 5,
    ]


def test_a_small_box_still_has_its_cell(pack: Pack) -> None:
    box = (3.4 / 7, 5.4 / 7, 3.6 / 7, 5.6 / 7)  # 4 % of the cell in row 5, column 3
    rows = grid_of(pack, picture({"fire": 1}, boxes=[("fire", box)], boxed=["fire"]), "fire")
    assert rows[5] == [0, 0, 0, 1, 0, 0, 0]
    assert sum(map(sum, rows)) == 1


def test_two_boxes_share_a_cell_and_the_better_cover_wins(pack: Pack) -> None:
    whole, edge = (0.0, 0.0, 1 / 7, 1 / 7), (0.0, 0.0, 0.1 / 7, 2 / 7)
    both = [("fire", whole), ("fire", edge)]
    for order in (both, both[::-1]):
        rows = grid_of(pack, picture({"fire": 1}, boxes=order, boxed=["fire"]), "fire")
        assert rows[0][0] == 1


def test_cells_of_an_absent_cue_are_empty_and_of_an_unknown_one_unknown(pack: Pack) -> None:
    seen = picture({"fire": 0, "person": 1})  # a person by eye: somewhere
    assert {v for row in grid_of(pack, seen, "fire") for v in row} == {0}
    assert {v for row in grid_of(pack, seen, "person") for v in row} == {-1}
    assert {v for row in grid_of(pack, seen, "smoke") for v in row} == {-1}


def test_cue_labels_by_hand(pack: Pack) -> None:
    labels = cue_labels([picture({"person": 1, "hard_hat": 0}), picture()], pack)
    assert labels.shape == (2, len(pack.cue))
    assert labels[0, :3].tolist() == [1, 0, -1]
    assert set(labels[1].tolist()) == {-1}


def test_both_heads_find_a_cue_that_shows(pack: Pack) -> None:
    """Twenty pictures: "fire" lights feature 0 of the picture and of its first cell."""
    rng = np.random.default_rng(0)
    pooled = rng.standard_normal((20, POOLED), dtype=np.float32)
    tokens = rng.standard_normal((20, IMAGE_TOKENS, FOLDED), dtype=np.float32).astype(np.float16)
    pictures = []
    for i in range(20):
        fire = int(i % 2)
        pooled[i, 0] = 40.0 * fire
        tokens[i, 0, :64] = 8.0 * fire
        boxes = [("fire", (0.0, 0.0, 1 / 7, 1 / 7))] if fire else []
        pictures.append(picture({"fire": fire}, image=f"{i}.png", boxes=boxes, boxed=["fire"]))
    torch.manual_seed(0)
    projector = CueProjector(len(pack.cue), 8, 16)
    features = Features(tuple(p.image for p in pictures), tokens, pooled)
    align(projector, features, pictures, pack, seed=0)
    column = [c.id for c in pack.cue].index("fire")
    with torch.no_grad():
        _, cells, whole = projector.heads(torch.from_numpy(tokens).float(), torch.from_numpy(pooled))
    assert float(whole[1::2, column].min()) > float(whole[::2, column].max())
    first = cells[:, 0, column]
    assert float(first[1::2].min()) > float(first[::2].max())
    # A cue that nobody labelled is all but absent.
    other = [c.id for c in pack.cue].index("pallet")
    assert float(torch.sigmoid(whole[:, other]).max()) < 0.02


def test_vectors_start_as_the_words_of_the_cues(pack: Pack) -> None:
    torch.manual_seed(0)
    projector = CueProjector(len(pack.cue), 8, 16)
    before = projector.fc2.weight.detach().clone()
    tokenizer = small_tokenizer()
    embeddings = torch.randn(1000, 16)
    speak_words(projector, embeddings, pack, tokenizer)
    fork = [c.id for c in pack.cue].index("forklift")
    word = embeddings[tokenizer.encode(" fork")[0]]
    torch.testing.assert_close(projector.cell_words[fork].detach(), CELL_WEIGHT * word)
    torch.testing.assert_close(projector.picture_words[fork].detach(), PICTURE_WEIGHT * word)
    assert float(projector.fc2.weight.detach().norm()) < float(before.norm())
    assert float(projector.fc2.bias.detach().abs().max()) == 0.0


def test_the_same_seed_fits_the_same_heads(pack: Pack, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    features = Features(
        tuple("abcdef"),
        rng.standard_normal((6, IMAGE_TOKENS, FOLDED), dtype=np.float32).astype(np.float16),
        rng.standard_normal((6, POOLED), dtype=np.float32),
    )
    pictures = [picture({"fire": i % 2, "smoke": i // 3}, image=name) for i, name in enumerate("abcdef")]
    for name in ("one", "two"):
        torch.manual_seed(0)
        projector = CueProjector(len(pack.cue), 8, 16)
        align(projector, features, pictures, pack, seed=5)
        torch.save(projector.state_dict(), tmp_path / name)
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (1.0 - 1 / 7, 1.0 - 1 / 7, 1.0, 1.0)])
def test_boxes_at_the_border_stay_inside(pack: Pack, box: tuple[float, float, float, float]) -> None:
    rows = grid_of(pack, picture({"fire": 1}, boxes=[("fire", box)], boxed=["fire"]), "fire")
    assert rows[6][6] == 1
    assert sum(map(sum, rows)) == (49 if box[0] == 0.0 else 1)
