"""Finished scenes without Blender: stripes as masks, and how much of a thing is seen is up to the test."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from yochi_train.scenes.finish import finish
from yochi_train.scenes.gallery import write_gallery
from yochi_train.scenes.scene import belongs, render_request
from yochi_train.scenes.seeds import Pair
from yochi_train.scenes.spec import draw_spec

from ..rows import noise
from .fake_renderer import draw

WIDTH = 320
ROOM = 1  # id of the first object, which hides all others
Left = Mapping[str, int]  # key -> pixels of it that can be seen


def quiet_pair(hazard: str, *stations: str) -> Pair:
    """The first pair with a clean lens, no hazard in its first scene, and these stations."""
    for seed in range(10_000):
        spec = draw_spec(seed)
        clean = not spec.hazards and not spec.spoil.dirt and hazard in spec.applicable()
        if clean and all(spec.layout.at(station) for station in stations):
            return Pair(seed, hazard)
    raise ValueError(f"no scene with {hazard} and {stations}")


def scenes_of(root: Path, pairs: Mapping[Pair, tuple[Left, Left]]) -> Path:
    """A folder as `scenes render` leaves it; of each pair, what can be seen in its two scenes.

    What is not named can be seen whole. Every image is noise of its own: only the truth says what is alike.
    """
    names: list[str] = []
    for pair, lefts in pairs.items():
        for (name, spec), left in zip(pair.scenes(), lefts, strict=True):
            folder = root / "scenes" / name
            folder.mkdir(parents=True)
            request = {**render_request(spec, WIDTH, 1), "folder": str(folder)}
            draw(request)
            for file in (folder / "mask.png", folder / "clear.png"):
                if file.exists():
                    _hide(file, request["objects"], left)
            finish(folder, name, spec, request, {})
            noise(folder / "image.png", seed=len(names)).save(folder / "image.jpg")
            (folder / "image.png").unlink()
            names.append(name)
    write_gallery(root, names)
    return root


def _hide(file: Path, objects: list[str], left: Left) -> None:
    with Image.open(file) as image:
        mask = np.array(image.convert("RGB"))
    for key, pixels in left.items():
        mine = np.argwhere(np.isin(mask[..., 0], [i for i, o in enumerate(objects, 1) if belongs(o, key)]))
        for row, column in mine[pixels:]:
            mask[row, column] = ROOM
    Image.fromarray(mask).save(file)
