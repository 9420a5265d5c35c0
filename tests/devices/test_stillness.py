"""Standing still: repetitions of a stream that has noise, never a still scene, never single pictures."""

import numpy as np
import pytest
from yochi_devices.frame import CameraFrame, Rgb
from yochi_devices.stillness import NOISY_PAIRS, Stillness

SCENE = np.random.default_rng(0).integers(40, 200, (48, 64, 3)).astype(np.uint8)


def frames(pictures: list[Rgb], *, period: float = 0.1) -> list[CameraFrame]:
    return [CameraFrame(rgb, i, 100 + i * period, f"clip#{i}") for i, rgb in enumerate(pictures)]


def followed(pictures: list[Rgb]) -> list[Stillness]:
    """One that has seen the first picture, one that has seen two, ..."""
    seen = []
    for count in range(1, len(pictures) + 1):
        stillness = Stillness()
        for frame in frames(pictures[:count]):
            stillness.see(frame)
        seen.append(stillness)
    return seen


def still_scene(count: int) -> list[Rgb]:
    """The same scene with one gray level of noise, as an undisturbed camera sends it."""
    rng = np.random.default_rng(1)
    return [SCENE + rng.integers(-1, 2, SCENE.shape).astype(np.uint8) for _ in range(count)]


def test_a_still_scene_with_noise_is_no_repetition() -> None:
    seen = followed(still_scene(12))
    assert {s.seconds for s in seen} == {0.0}
    assert [s.repeats for s in seen] == [None] * NOISY_PAIRS + [0] * (12 - NOISY_PAIRS)


def test_a_frozen_tail_counts_up_and_a_new_picture_ends_it() -> None:
    alive = still_scene(8)
    seen = followed([*alive, *[alive[-1]] * 4, alive[0]])
    assert [s.repeats for s in seen[7:]] == [0, 1, 2, 3, 4, 0]
    assert [s.seconds for s in seen[7:]] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0])


def test_a_recording_that_repeats_a_whole_sequence_does_not_stand_still() -> None:
    loop = still_scene(3) * 6
    assert max(s.repeats or 0 for s in followed(loop)) == 0


def test_a_slide_show_and_a_doubled_frame_rate_show_no_noise() -> None:
    slides = [np.full_like(SCENE, shade) for shade in (20, 90, 160, 230) for _ in range(10)]
    doubled = [rgb for rgb in still_scene(10) for _ in range(2)]
    for pictures in (slides, doubled):
        assert {s.repeats for s in followed(pictures)} == {None}


def test_something_that_moves_in_a_drawn_scene_is_no_noise() -> None:
    pictures = []
    for x in range(12):
        drawn = np.full_like(SCENE, 100)
        drawn[10:20, 4 * x : 4 * x + 10] = 200
        pictures.append(drawn)
    assert {s.repeats for s in followed([*pictures, *[pictures[-1]] * 20])} == {None}


def test_a_change_of_size_is_another_picture() -> None:
    (last,) = followed([SCENE, SCENE, SCENE[:40]])[-1:]
    assert (last.seconds, last.repeats) == (0.0, None)
