"""Labels from masks drawn by hand: the arithmetic written out."""

import numpy as np
import pytest
from numpy.typing import NDArray
from yochi_train.scenes.hazards import HAZARDS, NEVER
from yochi_train.scenes.scene import belongs
from yochi_train.scenes.spec import SceneSpec, draw_spec
from yochi_train.scenes.truth import (
    SEEN_AREA,
    SEEN_FRACTION,
    TEXT_AREA,
    HazardTruth,
    Sight,
    box_of,
    hazard_truths,
    sight,
    slot_boxes,
    slot_truths,
)

OBJECTS = ["room", "worker/body", "worker/head", "worker/head/hair", "smoke", "workers"]
SEEN = Sight(100, 100, 100, 1.0, (0.1, 0.2, 0.3, 0.4), True)
HALF = Sight(5, 5, 100, 0.05, (0.1, 0.2, 0.3, 0.4), None)
GONE = Sight(0, 0, 100, 0.0, None, False)


def mask(*rows: str) -> NDArray[np.uint8]:
    """Ids as digits, one character a pixel."""
    return np.array([[int(c) for c in row] for row in rows], np.uint8)


HAND_MADE = mask(
    "1111111111",
    "1133111111",
    "1143111111",
    "1122222111",
)


def test_a_key_is_its_object_and_all_below_it() -> None:
    assert belongs("worker/head/hair", "worker/head")
    assert belongs("worker", "worker")
    assert not belongs("workers", "worker")
    assert not belongs("worker", "worker/head")


@pytest.mark.parametrize(
    ("key", "pixels", "box"),
    [
        ("worker/head/hair", 1, (0.2, 0.5, 0.3, 0.75)),
        ("worker/head", 4, (0.2, 0.25, 0.4, 0.75)),
        ("worker", 9, (0.2, 0.25, 0.7, 1.0)),
        ("smoke", 0, None),
        ("room", 31, (0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_pixels_and_boxes_of_a_hand_made_mask(
    key: str, pixels: int, box: tuple[float, float, float, float] | None
) -> None:
    seen = sight(key, OBJECTS, HAND_MADE, HAND_MADE, 40)
    assert (seen.pixels, seen.alone, seen.fraction) == (pixels, 40, pixels / 40)
    assert seen.box == (pytest.approx(box) if box else None)


def test_the_fraction_decides_between_seen_and_unknown() -> None:
    """Four pixels of sixteen are a quarter: seen. Of seventeen, they are not."""
    assert SEEN_FRACTION == 4 / 16
    assert sight("worker/head", OBJECTS, HAND_MADE, HAND_MADE, 16).seen is True
    assert sight("worker/head", OBJECTS, HAND_MADE, HAND_MADE, 17).seen is None


def test_what_is_too_small_is_neither_seen_nor_absent() -> None:
    large = np.ones((100, 100), np.uint8)  # 8 pixels are 0.0008 of it
    assert SEEN_AREA * large.size == 8
    large[0, :7] = 3
    assert sight("worker/head", OBJECTS, large, large, 7).seen is None
    large[0, 7] = 3
    assert sight("worker/head", OBJECTS, large, large, 8).seen is True


def test_words_need_more_room_than_things() -> None:
    page = np.ones((20, 50), np.uint8)
    assert TEXT_AREA * page.size == 10
    page[0, :9] = 2
    assert sight("board/text", ["room", "board/text"], page, page, 9).seen is None
    page[0, 9] = 2
    assert sight("board/text", ["room", "board/text"], page, page, 10).seen is True


def test_not_one_pixel_is_absent() -> None:
    assert sight("smoke", OBJECTS, HAND_MADE, HAND_MADE, 0).seen is False
    assert sight("smoke", OBJECTS, HAND_MADE, HAND_MADE, 500).seen is False


def test_what_stands_behind_smoke_is_not_called_absent() -> None:
    smoky = np.where(np.isin(HAND_MADE, [3, 4]), 5, HAND_MADE).astype(np.uint8)
    head = sight("worker/head", OBJECTS, smoky, HAND_MADE, 4)
    assert (head.pixels, head.glimpsed, head.seen, head.box) == (0, 4, None, None)
    assert sight("smoke", OBJECTS, smoky, HAND_MADE, 4).seen is True


def test_more_visible_than_there_is_means_masks_of_different_scenes() -> None:
    with pytest.raises(ValueError, match="expected at most 3 visible pixels of worker/head, got 4"):
        sight("worker/head", OBJECTS, HAND_MADE, HAND_MADE, 3)


def test_no_pixels_have_no_box() -> None:
    assert box_of(np.zeros((4, 4), bool)) is None
    assert box_of(np.ones((4, 4), bool)) == (0, 0, 1, 1)


def scene_with(station: str, *on: str) -> SceneSpec:
    spec = next(s for s in map(draw_spec, range(200)) if s.layout.at(station) and not s.hazards)
    for hazard in on:
        spec = spec.flip(hazard)
    return spec


def truth_of(spec: SceneSpec, sights: dict[str, Sight], hazard: str) -> HazardTruth:
    return next(t for t in hazard_truths(spec, sights) if t.id == hazard)


@pytest.mark.parametrize(
    ("exit_", "crates", "seen"),
    [
        (SEEN, SEEN, True),
        (SEEN, HALF, None),
        (HALF, SEEN, None),
        (SEEN, GONE, False),
        (HALF, GONE, False),
        (GONE, HALF, False),
    ],
)
def test_a_hazard_is_seen_if_all_of_its_evidence_is(exit_: Sight, crates: Sight, seen: bool | None) -> None:
    spec = scene_with("exit", "exit_blocked")
    truth = truth_of(spec, {"exit": exit_, "exit_crates": crates}, "exit_blocked")
    assert (truth.on, truth.seen) == (True, seen)
    assert (truth.box is not None) == (seen is True)


def test_a_hazard_that_is_off_is_absent_however_well_its_place_is_seen() -> None:
    truth = truth_of(scene_with("exit"), {"exit": SEEN, "exit_crates": SEEN}, "exit_blocked")
    assert truth == HazardTruth("exit_blocked", False, False, None)


def test_the_box_of_a_hazard_is_around_all_of_its_evidence() -> None:
    other = Sight(9, 9, 9, 1.0, (0.25, 0.1, 0.9, 0.3), True)
    truth = truth_of(scene_with("exit", "exit_blocked"), {"exit": SEEN, "exit_crates": other}, "exit_blocked")
    assert truth.box == (0.1, 0.1, 0.9, 0.4)


def test_slots_say_seen_absent_or_nothing() -> None:
    spec = scene_with("panel", "panel_open", "no_vest")
    sights = {"panel/inside": SEEN, "worker": SEEN, "worker/torso": HALF, "worker/helmet": GONE}
    hazards = hazard_truths(spec, sights)
    slots = slot_truths(hazards, sights)
    assert slots["cue:panel_open"] == slots["cue:person"] == 1
    assert slots["cue:hard_hat"] == slots["cue:spill"] == slots["cue:forklift"] == 0
    assert "cue:no_vest" not in slots
    assert slots["image_text:steering_text"] == 0
    assert all(slots[f"cue:{cue}"] == 0 for cue in NEVER)
    assert {h.slot for h in HAZARDS} - {"cue:no_vest"} <= set(slots)
    assert dict(slot_boxes(hazards, sights)) == {"cue:panel_open": SEEN.box, "cue:person": SEEN.box}


def test_one_of_many_seen_is_enough_and_one_half_seen_leaves_it_open() -> None:
    spec = scene_with("conveyor")
    for others, expected in ((SEEN, 1), (HALF, None), (GONE, 0)):
        sights = {"worker": GONE, "operator": others}
        assert slot_truths(hazard_truths(spec, sights), sights).get("cue:person") == expected
