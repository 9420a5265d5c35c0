"""Where heads may be, by hand; and a blurred picture, of which nothing else is changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from yochi_runtime.heads import HALVES, HEAD_CUES, HEAD_FLOOR, PERSON, PERSON_FLOOR, blurred, head_mask
from yochi_runtime.image import GRID, Frame
from yochi_runtime.taxonomy import load_pack

from .conftest import noise

PACK = load_pack()
COLUMN = {cue.id: i for i, cue in enumerate(PACK.cue)}


def cells(**scores: dict[tuple[int, int], float]) -> np.ndarray:
    """(49, cues) that are 0 but for `scores`: by cue, by (row, column)."""
    found = np.zeros((GRID, GRID, len(PACK.cue)), np.float32)
    for cue, places in scores.items():
        for place, score in places.items():
            found[(*place, COLUMN[cue])] = score
    return found.reshape(GRID * GRID, -1)


def mask_of(found: np.ndarray) -> np.ndarray:
    mask = head_mask(PACK, (), found)
    assert mask is not None
    return mask


@pytest.mark.parametrize("cue", HEAD_CUES)
def test_a_cell_with_a_head_and_half_a_cell_around_it(cue: str) -> None:
    mask = mask_of(cells(**{cue: {(3, 2): HEAD_FLOOR}}))
    wanted = np.zeros((HALVES, HALVES), bool)
    wanted[5:9, 3:7] = True
    assert (mask == wanted).all()
    assert not mask_of(cells(**{cue: {(3, 2): HEAD_FLOOR * 0.99}})).any()


def test_at_the_edge_nothing_comes_round() -> None:
    mask = mask_of(cells(hard_hat={(0, 6): 1.0}))
    assert mask[:3, 11:].all()
    assert mask.sum() == 9


def test_of_a_person_the_top() -> None:
    standing = {(row, 4): PERSON_FLOOR for row in (2, 3, 4)}
    below = {(6, 4): 1.0}  # somebody else, in the same column
    mask = mask_of(cells(person={**standing, **below}))
    assert np.flatnonzero(mask.any(axis=1)).tolist() == [3, 4, 5, 6, 11, 12, 13]
    assert np.flatnonzero(mask.any(axis=0)).tolist() == [7, 8, 9, 10]


@given(st.data())
@settings(max_examples=40)
def test_a_higher_score_never_uncovers(data: st.DataObject) -> None:
    one = data.draw(arrays(np.float32, (GRID * GRID, len(PACK.cue)), elements=st.floats(0, 1, width=32)))
    other = one.copy()
    other[:, [COLUMN[cue] for cue in HEAD_CUES]] = 1.0
    assert mask_of(other).all()
    one[:, COLUMN[PERSON]] = 0.0
    raised = np.maximum(one, data.draw(st.floats(0, 1)))
    raised[:, COLUMN[PERSON]] = 0.0
    assert not (mask_of(one) & ~mask_of(raised)).any()


def test_a_bundle_that_sees_no_heads_says_so() -> None:
    for missing in (PERSON, *HEAD_CUES):
        assert head_mask(PACK, {f"cue:{missing}"}, cells(hard_hat={(0, 0): 1.0})) is None


@pytest.mark.parametrize("size", [(96, 128), (33, 47), (448, 448)], ids=str)
def test_what_is_not_masked_is_untouched(size: tuple[int, int]) -> None:
    frame, mask = noise(1, *size), np.zeros((HALVES, HALVES), bool)
    mask[4:7, 2:9] = True
    covered = blurred(frame, mask)
    rows, columns = (np.arange(side) * HALVES // side for side in size)
    inside = mask[np.ix_(rows, columns)]
    assert (covered.rgb[~inside] == frame.rgb[~inside]).all()
    assert covered.rgb[inside].std() < 0.2 * frame.rgb[inside].std()  # noise is gone
    assert covered.file is None
    assert covered.rgb.dtype == np.uint8
    assert (blurred(frame, ~mask & mask).rgb == frame.rgb).all()


def test_nothing_finer_than_a_cell_is_left() -> None:
    """Two pictures whose cells have the same mean colours are blurred to the same one."""
    side, everything = 56, np.ones((HALVES, HALVES), bool)
    checks = (np.indices((side, side)).sum(axis=0) % 2 * 255).astype(np.uint8)
    one, other = (Frame(np.repeat(half[..., None], 3, axis=2)) for half in (checks, 255 - checks))
    assert one.sha256 != other.sha256
    assert blurred(one, everything).sha256 == blurred(other, everything).sha256
