"""`yochi-train records from-coco`: COCO instances in, a folder of photos for `records photos` out.

Every category of COCO is annotated in every picture, so a cue that a category is mapped to is `labelled`: 1
where it has a box, 0 elsewhere. A cue without a category is unknown. A category that is no cue of the pack
is left out. Where a box cannot be used, its cue is there and its place unknown: it is not labelled in that
picture. Pictures that cannot be used go to OUT/quarantine.jsonl with the reason. The instances are read
whole: COCO puts annotations beside the pictures, not with them. A killed run goes on where it stopped
copying.
"""

import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack, load_pack

from ..pictures import Photo, PhotoBox
from ..progress import Progress
from .written import copy_once, written

IMAGES = "images"  # below OUT
_ORIENTATION = 0x0112  # EXIF


class CocoLicence(BaseModel):
    id: int
    name: str


class CocoImage(BaseModel):
    """Sizes in pixels. `neg_category_ids` is LVIS's: only what it names was looked for."""

    id: int
    file_name: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    license: int | None = None
    coco_url: str = ""
    flickr_url: str = ""
    neg_category_ids: list[int] | None = None


class CocoAnnotation(BaseModel):
    """`bbox` is [x, y, width, height] in pixels."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]


class CocoCategory(BaseModel):
    id: int
    name: str


class Instances(BaseModel):
    """The parts of an instances file that are read."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]
    licenses: list[CocoLicence] = []


def from_coco(
    instances: Path, photos: Path, out: Path, *, name: str, cues: Path | None, pack_file: Path | None
) -> str:
    """Write OUT/photos.jsonl and copy its pictures; a line for the screen.

    `name` is the set's, by which looks are told apart; `cues` a TOML file of category = cue.
    """
    pack = load_pack(pack_file)
    coco = _read(instances)
    cue_of, unused = _mapping(coco, read_cues(cues) if cues else {}, pack)
    boxes = defaultdict(list)
    for annotation in coco.annotations:
        if annotation.category_id in cue_of:
            boxes[annotation.image_id].append(annotation)
    out.mkdir(parents=True, exist_ok=True)
    licences = {licence.id: licence.name for licence in coco.licenses}
    labelled = sorted(set(cue_of.values()))
    counts: Counter[str] = Counter()
    progress = Progress("pictures", len(coco.images))
    taken: set[str] = set()
    with written(out / "quarantine.jsonl") as bad, written(out / "photos.jsonl") as rows:
        for image in coco.images:
            fault = "comes twice" if image.file_name in taken else _fault(image, photos)
            taken.add(image.file_name)
            if fault:
                bad.write(json.dumps({"image": image.model_dump(), "why": fault}, ensure_ascii=False) + "\n")
                counts["bad"] += 1
            else:
                photo, broken = _photo(image, boxes[image.id], cue_of, labelled)
                photo.set = name
                photo.licence = licences.get(image.license or -1, "")
                copy_once(photos / image.file_name, out / photo.image)
                rows.write(photo.model_dump_json() + "\n")
                counts.update(photos=1, boxes=len(photo.boxes), broken=broken)
            progress.step()
    left = f"; categories without a cue: {', '.join(unused)}" if unused else ""
    return (
        f"{counts['photos']} photos with {counts['boxes']} boxes, labelled {', '.join(labelled)}; "
        f"{counts['broken']} boxes cannot be used, {counts['bad']} pictures in quarantine.jsonl{left}: {out}"
    )


def read_cues(file: Path) -> dict[str, str]:
    """Category name -> cue id, from the lines `"Hard hat" = "hard_hat"` of a TOML file."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UsageError(f'expected lines such as "Hard hat" = "hard_hat" (TOML) in {file}, got: {e}') from e
    for category, cue in table.items():
        if not isinstance(cue, str):
            raise UsageError(f"{file}: expected a cue id for {category!r}, got {cue!r}")
    return table


def _read(file: Path) -> Instances:
    if not file.is_file():
        raise UsageError(f"expected COCO instances (JSON) at {file}, found none; check the path")
    try:
        coco = Instances.model_validate_json(file.read_bytes())
    except ValidationError as e:
        first = e.errors()[0]
        raise UsageError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from e
    if any(image.neg_category_ids is not None for image in coco.images):
        raise UsageError(
            f"expected every category annotated in every picture, got LVIS's neg_category_ids in {file}; "
            "what is not boxed there may be there all the same"
        )
    images, categories = {i.id for i in coco.images}, {c.id for c in coco.categories}
    for number, annotation in enumerate(coco.annotations):
        if annotation.image_id not in images or annotation.category_id not in categories:
            raise UsageError(
                f"{file}: annotations.{number}: expected an image and a category of this file, got "
                f"{annotation.image_id} and {annotation.category_id}"
            )
    return coco


def _mapping(coco: Instances, cues: Mapping[str, str], pack: Pack) -> tuple[dict[int, str], list[str]]:
    """Category id -> cue, and the names of categories without one. Without a line, names that are cue ids."""
    known = {cue.id for cue in pack.cue}
    names = {category.name for category in coco.categories}
    for category, cue in cues.items():
        if cue not in known:
            raise UsageError(
                f"expected a cue of the pack for {category!r}, got {cue!r}; one of: {sorted(known)}"
            )
        if category not in names:
            raise UsageError(
                f"expected a category of the instances, got {category!r}; one of: {sorted(names)}"
            )
    found = {c.id: cues.get(c.name, c.name.strip().casefold().replace(" ", "_")) for c in coco.categories}
    mapped = {identity: cue for identity, cue in found.items() if cue in known}
    if not mapped:
        raise UsageError(
            f"expected a category that is a cue of the pack, got {', '.join(sorted(names)) or 'none'}; "
            "name some with --cues"
        )
    return mapped, sorted(c.name for c in coco.categories if c.id not in mapped)


def _fault(image: CocoImage, photos: Path) -> str:
    """Why the picture cannot be used, "" where it can. Only its head is read."""
    path = PurePosixPath(image.file_name)
    if path.is_absolute() or ".." in path.parts:
        return "expected a path below the pictures"
    try:
        with Image.open(photos / image.file_name) as picture:
            size, turned = picture.size, picture.getexif().get(_ORIENTATION, 1)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as e:
        return f"expected a picture at {photos / image.file_name}, got: {e}"
    if size != (image.width, image.height):
        return f"expected {image.width} x {image.height} pixels as annotated, got {size[0]} x {size[1]}"
    # We turn such a picture upright; whoever drew the boxes may have seen it either way.
    return (
        "" if turned == 1 else f"expected an upright picture, got EXIF orientation {turned}; save it upright"
    )


def _photo(
    image: CocoImage, annotations: list[CocoAnnotation], cue_of: Mapping[int, str], labelled: list[str]
) -> tuple[Photo, int]:
    """The picture's row, and how many boxes could not be used."""
    boxes, broken = [], []
    for annotation in annotations:
        cue = cue_of[annotation.category_id]
        x, y, width, height = annotation.bbox
        x0, x1 = (min(max(v / image.width, 0.0), 1.0) for v in (x, x + width))
        y0, y1 = (min(max(v / image.height, 0.0), 1.0) for v in (y, y + height))
        # Asked as `not <`, so that a NaN, which compares as false, is no good box.
        if not (x0 < x1 and y0 < y1):
            broken.append(cue)
        else:
            boxes.append(PhotoBox(label=cue, xyxy=(round(x0, 4), round(y0, 4), round(x1, 4), round(y1, 4))))
    boxes = [box for box in boxes if box.label not in broken]
    return (
        Photo(
            image=f"{IMAGES}/{image.file_name}",
            set="",
            labelled=[cue for cue in labelled if cue not in broken],
            boxes=boxes,
            source=image.coco_url or image.flickr_url,
            width=image.width,
            height=image.height,
        ),
        len(broken),
    )
