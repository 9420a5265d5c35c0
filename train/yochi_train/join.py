"""`yochi-train records join`: folders of photos and of scenes as one, for what takes one folder of photos.

OUT gets a link to each folder under that folder's name, and one photos.jsonl (and checked.jsonl) in which all
images, pairs and checks go by that name. Nothing is copied. The names of rendered scenes stay as they are: a
scene that two folders have is still one scene.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel
from yochi_runtime.errors import UsageError

from .pictures import Checked, Photo, check_of, folder_checks, numbered_photos


def join_photos(folders: Sequence[Path], out: Path) -> str:
    """Make the folder `out`, which is whole or not there; a line with counts.

    UsageError where `out` is there, two folders have one name, or an image is missing or comes twice.
    """
    if out.exists():
        raise UsageError(f"expected a new folder, got {out}; the folder that is made comes last")
    named = _named(folders)
    photos: list[Photo] = []
    checks: list[Checked] = []
    idle = 0
    taken: dict[Path, str] = {}
    for name, folder in named.items():
        checked = {row.id: row for row in folder_checks(folder)}
        used = set()
        for number, photo in numbered_photos(folder):
            _take(photo, folder, f"{folder / 'photos.jsonl'}:{number}", taken)
            photos.append(_renamed(photo, name))
            if not photo.rendered and (check := check_of(photo.image, checked)):
                path = PurePosixPath(photos[-1].image).with_suffix("")
                checks.append(check.model_copy(update={"id": str(path)}))
                used.add(check.id)
        idle += len(checked) - len(used)
    _write(named, photos, checks, out)
    left = f", {idle} checks of no photo left out" if idle else ""
    return f"{len(photos)} photos of {len(named)} folders, {len(checks)} checked by eye{left}: {out}"


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for folder in folders:
        # A link goes by its own name: so one that is twice can be renamed.
        name = folder.name if folder.name not in ("", "..") else folder.resolve().name
        if name in named:
            raise UsageError(
                f"expected folders with names of their own, got {name} twice; give a link to one"
            )
        named[name] = folder
    return named


def _take(photo: Photo, folder: Path, where: str, taken: dict[Path, str]) -> None:
    """Remember the image's file; UsageError unless it is there, below `folder`, and new."""
    if PurePosixPath(photo.image).is_absolute() or ".." in PurePosixPath(photo.image).parts:
        raise UsageError(f"{where}: expected an image path below the folder, got {photo.image!r}")
    file = (folder / photo.image).resolve()
    if not file.is_file():
        raise UsageError(f"{where}: expected an image at {folder / photo.image}, found none; check the path")
    if file in taken:
        raise UsageError(f"{where}: expected every image once, got {photo.image!r} of {taken[file]} again")
    taken[file] = where


def _renamed(photo: Photo, name: str) -> Photo:
    made = photo.rendered
    if made:
        made = made.model_copy(update={"pair": f"{name}/{made.pair}"})
    return photo.model_copy(update={"image": f"{name}/{photo.image}", "rendered": made})


def _write(named: Mapping[str, Path], photos: Sequence[Photo], checks: Sequence[Checked], out: Path) -> None:
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir(parents=True)
    for name, folder in named.items():
        (partial / name).symlink_to(os.path.relpath(folder.resolve(), partial.resolve()))
    rows: dict[str, Sequence[BaseModel]] = {"photos": photos, "checked": checks}
    for stem, of in rows.items():
        if of:
            text = "".join(f"{row.model_dump_json()}\n" for row in of)
            (partial / f"{stem}.jsonl").write_text(text, encoding="utf-8")
    partial.replace(out)
