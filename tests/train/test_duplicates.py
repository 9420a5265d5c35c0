"""Near-duplicate groups: by hash, mirrored, by features, and because a renderer says so."""

from pathlib import Path

import numpy as np
from PIL import Image
from yochi_train import duplicates
from yochi_train.duplicates import NEAR, SAME_SCENE, difference_hashes, near_duplicate_groups

from .made import unlike


def groups(plain: list[int], mirrored: list[int]) -> list[int]:
    hashes = np.array(plain, np.uint64), np.array(mirrored, np.uint64)
    return near_duplicate_groups(*hashes, unlike(len(plain)))


def test_near_duplicates_by_hand() -> None:
    far, noise = 0xAAAA_AAAA_AAAA_AAAA, 0x0F0F_0F0F_0000_0000
    assert NEAR == 4
    assert groups([0b0, 0b1111, 0b11111, noise], [far] * 4) == [0, 0, 0, noise]  # a chain
    assert groups([0b11111, 0b0], [far] * 2) == [0b11111, 0]  # five bits are too many


def test_a_mirror_image_is_a_near_duplicate() -> None:
    a, b, c = 0x00FF_00FF_00FF_00FF, 0xFF00_1234_FF00_1234, 0x0123_4567_89AB_CDEF
    assert groups([a, b, c], [b, a, 0xFFFF]) == [a, a, c]


def test_another_photo_of_the_same_scene_is_a_near_duplicate() -> None:
    """Features at a cosine of 0.8 about their mean; the hashes have nothing in common."""
    hashes = np.array([0x00FF_00FF_00FF_00FF, 0xFF00_1234_FF00_1234, 0x0123_4567_89AB_CDEF], np.uint64)
    far = np.full(3, 0xAAAA_AAAA_AAAA_AAAA, np.uint64)
    rng = np.random.default_rng(0)
    scene, other, noise = rng.normal(size=(3, 2560)).astype(np.float32)
    pooled = np.stack([scene, 0.8 * scene + 0.6 * noise, other - scene])
    first, second, third = near_duplicate_groups(hashes, far, pooled)
    assert first == second != third


def test_groups_are_those_of_one_picture_at_a_time() -> None:
    """Pictures at the bar itself, in three blocks: the answer is what each row's own product says."""
    rng = np.random.default_rng(1)
    unit = rng.normal(size=(2 * duplicates._BLOCK + 9, 2560)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for i in range(0, len(unit) - 1, 2):  # a neighbour at a cosine of 0.65, give or take the rounding
        across = unit[i + 1] - (unit[i + 1] @ unit[i]) * unit[i]
        across *= np.sqrt(1 - SAME_SCENE**2) / np.linalg.norm(across)
        unit[i + 1] = SAME_SCENE * unit[i] + across
    unit[-1] = unit[0]  # in the first block and in the last
    alone = [unit[i + 1 :] @ unit[i] >= SAME_SCENE for i in range(len(unit))]
    found = list(duplicates._same_scene(unit))
    assert len(found) == len(alone)
    assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))
    at_the_bar = [bool(row[0]) for row in alone[0:-1:2]]
    assert 0 < sum(at_the_bar) < len(at_the_bar)  # rounding decides them, one way and the other
    assert alone[0][-1]


def test_hashes_of_real_files_find_the_mirror_image(tmp_path: Path) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (8, 9), dtype=np.uint8)
    image = Image.fromarray(np.kron(blocks, np.ones((16, 16), np.uint8))).convert("RGB")
    other = Image.fromarray(np.kron(blocks.T[:8, :8], np.ones((16, 16), np.uint8))).convert("RGB")
    image.save(tmp_path / "a.png")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "b.png")
    other.save(tmp_path / "c.png")
    plain, mirrored = difference_hashes(tmp_path, ["a.png", "b.png", "c.png"])
    assert np.bitwise_count(plain[0] ^ plain[1]) > NEAR
    assert np.bitwise_count(plain[0] ^ mirrored[1]) <= NEAR
    first, second, third = near_duplicate_groups(plain, mirrored, unlike(3))
    assert first == second != third


FAR = np.full(25, 0xAAAA_AAAA_AAAA_AAAA, np.uint64)


def test_pictures_of_one_scene_are_one_group_whatever_they_look_like() -> None:
    """Hashes: the third is two bits from the first, all others are far from one another."""
    plain = np.array(
        [0b0, 0x00FF_00FF_00FF_00FF, 0b11, 0xFF00_1234_FF00_1234, 0x0F0F_0F0F_0000_0000], np.uint64
    )
    assert len(set(near_duplicate_groups(plain, FAR[:5], unlike(5)))) == 4
    scenes = ["1-7", "1-7", "", "", "1-8"]
    found = near_duplicate_groups(plain, FAR[:5], unlike(5), scenes)
    assert found[0] == found[1] == found[2]  # the photo that is near one of the pair is in it too
    assert len(set(found)) == 3


def test_renders_of_one_look_are_not_one_scene_and_change_nothing_about_photos() -> None:
    """Five scenes with the same features: a group each. The photos' groups are those that they had alone."""
    rng = np.random.default_rng(0)
    scene, noise, style = rng.normal(size=(3, 2560)).astype(np.float32)
    photos = np.stack([scene, 0.8 * scene + 0.6 * noise, *unlike(18)])
    both = np.concatenate([photos, np.tile(100 * style, (5, 1))])
    hashes = rng.integers(0, 2**63, 25, dtype=np.uint64)
    alone = near_duplicate_groups(hashes[:20], FAR[:20], photos)
    joined = near_duplicate_groups(hashes, FAR, both, [""] * 20 + [f"1-{i}" for i in range(5)])
    assert alone[0] == alone[1]
    assert joined[:20] == alone
    assert len(set(joined)) == 19 + 5
