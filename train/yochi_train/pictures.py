"""Photos with boxes -> pictures with known cues, near-duplicate groups and a split.

Input is a folder with `photos.jsonl`: `image`, `set`, `labelled` (classes annotated in that set), `boxes`
(`label`, `xyxy` in 0..1), `source`, `licence`. A class outside `labelled` is unknown, never absent. Pictures
checked by eye (`data/checked.jsonl`) know every cue and whether they are safe.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack

from .duplicates import difference_hashes, near_duplicate_groups

Split = Literal["train", "val", "test"]
SHARES: dict[Split, float] = {"test": 0.2, "val": 0.1, "train": 0.7}
_PERSON_SIGNS = {"hard_hat", "no_hard_hat", "no_head_wear", "vest", "no_vest", "mask", "no_mask", "gloves"}
_HEAD = {"hard_hat", "no_hard_hat", "no_head_wear"}
_NOT_BY_EYE = {"no_vest"}  # the two pairs of eyes disagreed on who needs one
Row = TypeVar("Row", bound=BaseModel)


class PhotoBox(BaseModel):
    label: str
    xyxy: tuple[float, float, float, float]


class Photo(BaseModel):
    """One line of photos.jsonl."""

    image: str
    set: str
    labelled: list[str]
    boxes: list[PhotoBox]
    source: str = ""
    licence: str = ""
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)


class Checked(BaseModel):
    """One line of data/checked.jsonl: what a pair of eyes saw."""

    id: str
    cues: list[str]
    verdict: Literal["safe", "not_safe", "unsure"]
    why: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture and what is known of it. `cues[c]` is 1 seen, 0 absent; one that is not a key is unknown."""

    image: str
    set: str
    group: int
    split: Split
    cues: dict[str, int]
    by_eye: dict[str, int]  # cues known from the check alone: what cross-set scores use
    boxes: tuple[tuple[str, tuple[float, float, float, float]], ...]
    boxed: tuple[str, ...]  # cues whose boxes are complete in this picture
    checked: Literal["safe", "not_safe", "unsure", ""]
    source: str
    licence: str


def read_photos(root: Path) -> list[Photo]:
    """All rows of root/photos.jsonl; UsageError names file and line of a bad one."""
    file = root / "photos.jsonl"
    if not file.is_file():
        raise UsageError(
            f"expected {file} (one JSON object a photo), found none; its form: top of yochi_train/pictures.py"
        )
    return [
        _row(Photo, line, f"{file}:{n}")
        for n, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if line
    ]


def read_checked(root: Path, pack: Pack) -> dict[str, Checked]:
    """Pictures checked by eye, by picture id (file name without its ending): ours, and root/checked.jsonl.

    Ours were looked at for the factory pack's cues: they say nothing about another pack's.
    """
    ours = (resources.files("yochi_train") / "data" / "checked.jsonl").read_text("utf-8")
    texts = [ours] if pack.id == "factory" else []
    if (root / "checked.jsonl").is_file():
        texts.append((root / "checked.jsonl").read_text("utf-8"))
    lines = [
        (f"checked.jsonl:{n}", line) for text in texts for n, line in enumerate(text.splitlines(), 1) if line
    ]
    return {row.id: row for row in (_row(Checked, line, where) for where, line in lines)}


def _row(model: type[Row], line: str, where: str) -> Row:
    try:
        return model.model_validate_json(line)
    except ValidationError as e:
        first = e.errors()[0]
        raise UsageError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from e


def build_pictures(root: Path, pack: Pack, pooled: NDArray[np.float32]) -> list[Picture]:
    """Read, group and label every photo of `root`; `pooled` (N, 2560) are the encoder's features of each."""
    photos, checked = read_photos(root), read_checked(root, pack)
    groups = near_duplicate_groups(*difference_hashes(root, [p.image for p in photos]), pooled)
    return [
        _picture(p, g, checked.get(Path(p.image).stem), pack) for p, g in zip(photos, groups, strict=True)
    ]


def _picture(photo: Photo, group: int, check: Checked | None, pack: Pack) -> Picture:
    ids = [c.id for c in pack.cue]
    labels = {b.label for b in photo.boxes}
    cues = {c: int(c in labels) for c in ids if c in photo.labelled}
    if "person" in ids and "person" not in labels:
        if labels & _PERSON_SIGNS:
            cues["person"] = 1  # a worn or missing helmet is on somebody
        elif photo.set == "site":
            cues.pop("person", None)  # that set boxes equipment and leaves most people out
    by_eye = _by_eye(check, ids) if check else {}
    for cue in [c for c, value in by_eye.items() if value and cues.get(c) == 0]:
        del cues[cue], by_eye[cue]  # seen by eye but not boxed: nobody knows
    return Picture(
        image=photo.image,
        set=photo.set,
        group=group,
        split=split_of(group),
        cues={**by_eye, **cues},
        by_eye={c: v for c, v in by_eye.items() if c not in photo.labelled},
        boxes=tuple((b.label, b.xyxy) for b in photo.boxes if b.label in ids),
        # one that is there without a box, such as the head under a boxed helmet, says nothing about cells
        boxed=tuple(c for c, value in cues.items() if value == 0 or c in labels),
        checked=check.verdict if check else "",
        source=photo.source,
        licence=photo.licence,
    )


def _by_eye(check: Checked, ids: Iterable[str]) -> dict[str, int]:
    """Cues from a check. Head wear on small figures is easily missed: absent only where nobody is seen."""
    seen = set(check.cues)
    known = {c: int(c in seen) for c in ids if c not in _NOT_BY_EYE}
    if "person" in seen:
        known = {c: v for c, v in known.items() if v or c not in _HEAD}
    return known


def split_of(group: int) -> Split:
    """The split of a near-duplicate group, by the hash of its name."""
    point = int.from_bytes(hashlib.sha256(f"yochi-{group}".encode()).digest()[:4], "big") / 2**32
    if point < SHARES["test"]:
        return "test"
    return "val" if point < SHARES["test"] + SHARES["val"] else "train"


def write_pictures(pictures: Iterable[Picture], file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        for picture in pictures:
            out.write(json.dumps(picture.__dict__, ensure_ascii=False) + "\n")


def read_pictures(file: Path) -> list[Picture]:
    """What `write_pictures` wrote."""
    if not file.is_file():
        raise UsageError(f"expected {file}, found none; run: yochi-train records photos")
    rows = (json.loads(line) for line in file.read_text("utf-8").splitlines())
    return [
        Picture(
            **{
                **row,
                "boxes": tuple((label, (xyxy[0], xyxy[1], xyxy[2], xyxy[3])) for label, xyxy in row["boxes"]),
                "boxed": tuple(row["boxed"]),
            }
        )
        for row in rows
    ]
