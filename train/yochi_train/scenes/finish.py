"""From what the renderer wrote to a finished scene: a spoiled picture, its mask, and its truth.

A scene folder holds `image.jpg`, `mask.png` (8-bit ids, 0 nothing; `truth.json` names them) and `truth.json`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .hazards import BY_ID
from .renderer import RenderError
from .spec import VERSION, SceneSpec
from .spoil import spoil
from .truth import Mask, Sight, hazard_truths, sight, slot_boxes, slot_truths, unsure_cues


def finish(
    folder: Path, name: str, spec: SceneSpec, request: Mapping[str, Any], answer: Mapping[str, Any]
) -> None:
    """Turn the renderer's files in `folder` into the scene's own. RenderError: one is missing or broken."""
    size = (int(request["height"]), int(request["width"]))
    objects: list[str] = request["objects"]
    picture = _pixels(folder / "image.png", size)
    mask = _ids(folder / "mask.png", size, len(objects))
    clear = _ids(folder / "clear.png", size, len(objects)) if request["see_through"] else mask
    jpeg, hidden = spoil(picture, spec.spoil, spec.seed)
    mask, clear = np.where(hidden, 0, mask).astype(np.uint8), np.where(hidden, 0, clear).astype(np.uint8)
    sights = _sights(folder, request["keys"], objects, mask, clear)
    unsure = unsure_cues(request["may_show"], objects, mask, clear)
    truth = {**_truth(spec, sights, unsure), "objects": objects, "width": size[1], "height": size[0]}
    if request["assets"]:
        models = {part["object"]: part["model"] for part in request["parts"] if part["model"]}
        truth["assets"] = {"models": models, "unsure": unsure}
    for file in folder.glob("*.png"):
        file.unlink()
    (folder / "image.jpg").write_bytes(jpeg)
    Image.fromarray(mask).save(folder / "mask.png")
    text = json.dumps({"name": name, "blender": answer.get("blender", ""), **truth}, indent=1, sort_keys=True)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


def _sights(
    folder: Path, keys: Sequence[str], objects: Sequence[str], mask: Mask, clear: Mask
) -> dict[str, Sight]:
    found = {}
    for number, key in enumerate(keys):
        file = folder / f"alone-{number}.png"
        shows = sight(key, objects, mask, clear, mask.size).glimpsed
        # dirt may have hidden the last pixel of a key whose lone picture was made
        alone = int((_ids(file, mask.shape, len(objects)) > 0).sum()) if shows or file.exists() else 0
        try:
            found[key] = sight(key, objects, mask, clear, alone)
        except ValueError as e:
            raise RenderError(str(e)) from e
    return found


def _truth(spec: SceneSpec, sights: Mapping[str, Sight], unsure: Sequence[str]) -> dict[str, Any]:
    hazards = hazard_truths(spec, sights)
    return {
        "version": VERSION,
        "seed": spec.seed,
        "spec": dataclasses.asdict(spec),
        "hazards": [
            {**dataclasses.asdict(h), "slot": BY_ID[h.id].slot, "category": BY_ID[h.id].category}
            for h in hazards
        ],
        "slots": slot_truths(hazards, sights, unsure),
        "boxes": [{"slot": slot, "xyxy": box} for slot, box in slot_boxes(hazards, sights)],
        "sights": {key: dataclasses.asdict(value) for key, value in sights.items()},
    }


def _ids(file: Path, size: tuple[int, ...], objects: int) -> Mask:
    ids: Mask = _pixels(file, size)[..., 0]
    if ids.max() > objects:
        raise RenderError(f"expected ids up to {objects} in {file.name}, got {ids.max()}")
    return ids


def _pixels(file: Path, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """(H, W, 3) of a whole PNG."""
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as e:  # PIL raises SyntaxError for a broken PNG
        raise RenderError(f"expected a picture in {file.name}, got: {e}") from e
    if pixels.shape[:2] != tuple(size):
        raise RenderError(f"expected {size[1]} x {size[0]} pixels in {file.name}, got {pixels.shape[1::-1]}")
    return pixels
