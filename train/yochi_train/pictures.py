"""Photos with boxes -> pictures with known cues, near-duplicate groups and a split.

Input is a folder with `photos.jsonl`: `image`, `set`, `labelled` (classes annotated in that set), `boxes`
(`label`, `xyxy` in 0..1), `source`, `licence`. A class outside `labelled` is unknown, never absent. Pictures
checked by eye (`data/checked.jsonl`) know every cue and whether they are safe; what is known of rendered ones
stands in `rendered`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, Source

from .convert.written import written
from .duplicates import difference_hashes, near_duplicate_groups
from .rendered import Rendered

Split = Literal["train", "val", "test"]
SHARES: dict[Split, float] = {"test": 0.2, "val": 0.1, "train": 0.7}
_PERSON_SIGNS = {"hard_hat", "no_hard_hat", "no_head_wear", "vest", "no_vest", "mask", "no_mask", "gloves"}
_HEAD = {"hard_hat", "no_hard_hat", "no_head_wear"}
_NOT_BY_EYE = {"no_vest"}  # the two pairs of eyes disagreed on who needs one
_NOT_LOOKED_FOR = ("exit_blocked", "spill", "panel_open")  # in our own checks, which are older
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
    rendered: Rendered | None = None


class Checked(BaseModel):
    """One line of checked.jsonl: what a pair of eyes saw.

    `id` is the image without its ending: its file name, or its path where names alone do not tell.
    `not_looked_for`: cues that are known to be absent only where the picture is safe, and a risk then.
    """

    id: str
    cues: list[str]
    verdict: Literal["safe", "not_safe", "unsure"]
    why: str = ""
    not_looked_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture and what is known of it. `cues[c]` is 1 seen, 0 absent; one that is not a key is unknown.

    So are `texts`, by the category of words in the picture. `checked` says what eyes found or, in a rendered
    picture, what was built; only that has a `pair`, the slot that is `switched` in it, and `unsaid`: the
    categories of hazards that are there while no slot says so.
    """

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
    texts: dict[str, int] = field(default_factory=dict)
    pair: str = ""
    switched: str = ""
    unsaid: tuple[str, ...] = ()

    @property
    def slots(self) -> dict[str, int]:
        """What is known, by slot id."""
        cues = {f"cue:{cue}": value for cue, value in self.cues.items()}
        return cues | {f"{Source.IMAGE_TEXT}:{category}": value for category, value in self.texts.items()}


def read_photos(root: Path) -> list[Photo]:
    """All rows of root/photos.jsonl; UsageError names file and line of a bad one."""
    return [photo for _, photo in numbered_photos(root)]


def numbered_photos(root: Path) -> list[tuple[int, Photo]]:
    """The same with the number of each one's line, from 1."""
    file = root / "photos.jsonl"
    if not file.is_file():
        raise UsageError(
            f"expected {file} (one JSON object a photo), found none; its form: top of yochi_train/pictures.py"
        )
    return [
        (n, _row(Photo, line, f"{file}:{n}"))
        for n, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if line
    ]


def read_checked(root: Path, pack: Pack) -> dict[str, Checked]:
    """Pictures checked by eye, by picture id: ours, and root/checked.jsonl. `check_of` finds a picture's.

    Ours were looked at for the factory pack's cues: they say nothing about another pack's.
    """
    ours = (resources.files("yochi_train") / "data" / "checked.jsonl").read_text("utf-8")
    own = _checks(ours) if pack.id == "factory" else []
    old = [row.model_copy(update={"not_looked_for": _NOT_LOOKED_FOR}) for row in own]
    return {row.id: row for row in (*old, *folder_checks(root))}


def folder_checks(root: Path) -> list[Checked]:
    """The rows of root/checked.jsonl, where there is one."""
    file = root / "checked.jsonl"
    return _checks(file.read_text("utf-8")) if file.is_file() else []


def _checks(text: str) -> list[Checked]:
    return [_row(Checked, line, f"checked.jsonl:{n}") for n, line in enumerate(text.splitlines(), 1) if line]


def check_of(image: str, checked: Mapping[str, Checked]) -> Checked | None:
    """By the path of the image without its ending, else by its file name without its ending."""
    path = PurePosixPath(image).with_suffix("")
    return checked.get(str(path)) or checked.get(path.name)


def _row(model: type[Row], line: str, where: str) -> Row:
    try:
        return model.model_validate_json(line)
    except ValidationError as e:
        first = e.errors()[0]
        raise UsageError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from e


def build_pictures(root: Path, pack: Pack, pooled: NDArray[np.float32]) -> list[Picture]:
    """Read, group and label every photo of `root`; `pooled` (N, 2560) are the encoder's features of each."""
    photos, checked = read_photos(root), read_checked(root, pack)
    scenes = [p.rendered.scene if p.rendered else "" for p in photos]
    groups = near_duplicate_groups(*difference_hashes(root, [p.image for p in photos]), pooled, scenes)
    return [
        picture_of(p, g, None if p.rendered else check_of(p.image, checked), pack)
        for p, g in zip(photos, groups, strict=True)
    ]


def picture_of(photo: Photo, group: int, check: Checked | None, pack: Pack) -> Picture:
    """What is known of one photo; `check` is what eyes saw, None where nobody looked."""
    ids = [c.id for c in pack.cue]
    labels = {b.label for b in photo.boxes}
    cues = {c: int(c in labels) for c in ids if c in photo.labelled}
    if photo.rendered is None:  # of a rendered picture everything that can be known is said
        _mend_person(cues, labels, photo.set, ids)
    by_eye = _by_eye(check, ids) if check else {}
    for cue in [c for c, value in by_eye.items() if value and cues.get(c) == 0]:
        del cues[cue], by_eye[cue]  # seen by eye but not boxed: nobody knows
    picture = Picture(
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
    return _as_made(picture, photo.rendered, pack) if photo.rendered else picture


def _mend_person(cues: dict[str, int], labels: set[str], of: str, ids: Iterable[str]) -> None:
    if "person" in ids and "person" not in labels:
        if labels & _PERSON_SIGNS:
            cues["person"] = 1  # a worn or missing helmet is on somebody
        elif of == "site":
            cues.pop("person", None)  # that set boxes equipment and leaves most people out


def _as_made(picture: Picture, made: Rendered, pack: Pack) -> Picture:
    known = replace(
        picture,
        boxed=tuple(c for c in picture.boxed if c not in made.half_seen),
        checked=made.verdict,
        texts={t.category: made.texts[t.category] for t in pack.image_text if t.category in made.texts},
        pair=made.pair,
        switched=made.switched,
    )
    return replace(known, unsaid=made.unsaid(known.slots))


def _by_eye(check: Checked, ids: Iterable[str]) -> dict[str, int]:
    """Cues from a check. Head wear on small figures is easily missed: absent only where nobody is seen."""
    seen = set(check.cues)
    unknown = _NOT_BY_EYE | (set() if check.verdict == "safe" else set(check.not_looked_for))
    known = {c: int(c in seen) for c in ids if c not in unknown}
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
    with written(file) as out:
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
                "unsaid": tuple(row.get("unsaid", ())),  # records of before scenes have none
            }
        )
        for row in rows
    ]
