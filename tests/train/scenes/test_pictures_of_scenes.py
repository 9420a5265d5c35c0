"""Rendered scenes as training pictures: what is labelled, what is safe, and what stays together."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.taxonomy import Pack
from yochi_train.card import data_card
from yochi_train.pictures import Picture, build_pictures, read_photos
from yochi_train.records import pair as record_of
from yochi_train.scenes.hazards import HAZARDS, NEUTRAL
from yochi_train.scenes.scene import belongs
from yochi_train.scenes.seeds import Pair

from ..made import note, unlike
from .hand_made import Left, quiet_pair, scenes_of

EXIT = quiet_pair("exit_blocked", "exit")


@pytest.fixture(scope="module")
def narrower(pack: Pack) -> Pack:
    """The factory's pack without one cue of the scenes."""
    whole = pack.model_dump()
    return Pack.model_validate(whole | {"cue": [c for c in whole["cue"] if c["id"] != "exit_blocked"]})


def pictures_of(root: Path, pack: Pack, pair: Pair, *, second: Left | None = None) -> list[Picture]:
    scenes_of(root, {pair: ({}, second or {})})
    return build_pictures(root, pack, unlike(2))


def test_a_pair_is_safe_and_not_safe_and_stays_together(tmp_path: Path, pack: Pack) -> None:
    """Their hashes and features have nothing in common."""
    calm, blocked = pictures_of(tmp_path, pack, EXIT)
    assert (calm.checked, blocked.checked) == ("safe", "not_safe")
    assert (calm.cues["exit_blocked"], blocked.cues["exit_blocked"]) == (0, 1)
    assert (calm.unsaid, blocked.unsaid) == ((), ())
    for picture in (calm, blocked):
        assert (picture.pair, picture.switched) == (EXIT.name, "cue:exit_blocked")
    assert calm.group == blocked.group
    assert calm.split == blocked.split
    card = data_card([calm, blocked], {}, {}, "0" * 64, 0)
    assert (card["checked_by_eye"], card["known_by_construction"]) == ({}, {"safe": 1, "not_safe": 1})
    assert card["sources"] == {"yochi-train scenes, version 2 (Apache-2.0)": 2}


def test_a_hazard_that_the_pack_does_not_know_is_not_safe_and_unsaid(tmp_path: Path, narrower: Pack) -> None:
    _, blocked = pictures_of(tmp_path, narrower, EXIT)
    assert (blocked.checked, blocked.unsaid) == ("not_safe", ("egress",))
    assert "exit_blocked" not in blocked.cues


@pytest.mark.parametrize(("pixels", "known"), [(1, None), (0, 0)])
def test_what_is_hidden_is_not_labelled_seen_and_nobody_calls_it_safe(
    tmp_path: Path, pack: Pack, pixels: int, known: int | None
) -> None:
    """One pixel of what blocks the exit: unknown. None: the cue cannot be seen, but the scene is no safer."""
    _, blocked = pictures_of(tmp_path, pack, EXIT, second={"exit_crates": pixels})
    assert blocked.cues.get("exit_blocked") == known
    assert not [label for label, _ in blocked.boxes if label == "exit_blocked"]
    assert (blocked.checked, blocked.unsaid) == ("unsure", ("egress",))


def test_cells_around_somebody_half_seen_are_not_taught_as_empty(tmp_path: Path, pack: Pack) -> None:
    pair = quiet_pair("reach_over_conveyor", "conveyor", "worker")
    whole, half = pictures_of(tmp_path, pack, pair, second={"worker": 1})
    assert (whole.cues["person"], half.cues["person"]) == (1, 1)  # the operator can be seen
    assert "person" in whole.boxed
    assert "person" not in half.boxed


@pytest.mark.parametrize(("pixels", "value", "verdict"), [(None, 1, "caution"), (1, None, None)])
def test_words_that_can_be_read_are_in_the_record(
    tmp_path: Path, pack: Pack, pixels: int | None, value: int | None, verdict: str | None
) -> None:
    pair = quiet_pair("steering_sign", "board")
    calm, steered = pictures_of(
        tmp_path, pack, pair, second=None if pixels is None else {"board/text": pixels}
    )
    plain, record = (record_of("r", picture, note(), "harmless", pack) for picture in (calm, steered))
    assert (plain.slots["image_text:steering_text"], plain.verdict) == (0, "proceed")
    assert record.slots.get("image_text:steering_text") == value
    assert record.verdict == verdict


def test_labels_are_what_the_masks_say(tmp_path: Path) -> None:
    pairs = [quiet_pair(hazard.id) for hazard in HAZARDS]
    scenes_of(tmp_path, {pair: ({"worker": 3}, {"pallet": 2, "worker/head": 0}) for pair in pairs})
    evidence = {hazard.cue: hazard.evidence for hazard in HAZARDS if hazard.cue}
    seen = set()
    for photo in read_photos(tmp_path):
        folder = (tmp_path / photo.image).parent
        truth = json.loads((folder / "truth.json").read_text("utf-8"))
        with Image.open(folder / "mask.png") as image:
            mask = np.asarray(image)

        def pixels(key: str, names: list[str] = truth["objects"], of: np.ndarray = mask) -> int:
            return int(np.isin(of, [i for i, name in enumerate(names, 1) if belongs(name, key)]).sum())

        boxed = {box.label for box in photo.boxes}
        seen |= boxed
        assert boxed <= set(photo.labelled)
        for cue in boxed:
            shown = [pixels(key) > 3 for key in evidence.get(cue, NEUTRAL.get(cue, ()))]
            assert all(shown) if cue in evidence else any(shown), cue
        for cue in set(photo.labelled) - boxed:
            assert not any(pixels(key) for key in NEUTRAL.get(cue, ())), cue
        on = {hazard["slot"] for hazard in truth["hazards"] if hazard["on"]}
        assert {f"cue:{cue}" for cue in boxed & set(evidence)} <= on
    assert seen >= set(evidence) - {"no_hard_hat", "no_vest"}  # whose worker is hidden here
