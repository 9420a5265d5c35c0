"""`yochi-train records join`: several folders of photos and scenes as one, for what takes one folder of photos.

OUT gets a link to each folder, under the folder's name, and one photos.jsonl (and checked.jsonl) in which every
image and pair goes by that name. Nothing is copied; the names of rendered scenes stay, because one scene that is
in two folders is still one scene.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from yochi_runtime.errors import UsageError

from .pictures import Photo, check_of, folder_checks, numbered_photos


def join_photos(folders: Sequence[Path], out: Path) -> str:
    """Make the folder `out`, which is whole or not there; a line with counts.

    UsageError where `out` is there, two folders have one name, or an image is missing or comes twice.
    """
    if out.exists():
        raise UsageError(f"expected a new folder, got {out}; the folder that is made comes last")
    named = _named(folders)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir(parents=True)
    photos, checks, idle = 0, 0, 0
    taken: dict[Path, str] = {}
    with (partial / "photos.jsonl").open("w", encoding="utf-8") as rows:
        for name, folder in named.items():
            (partial / name).symlink_to(os.path.relpath(folder, partial.resolve()))
            numbered = numbered_photos(folder)
            for number, photo in numbered:
                _take(photo, folder, f"{folder / 'photos.jsonl'}:{number}", taken)
                rows.write(_renamed(photo, name).model_dump_json() + "\n")
            found, unused = _join_checks(name, folder, [photo for _, photo in numbered], partial)
            photos, checks, idle = photos + len(numbered), checks + found, idle + unused
    partial.replace(out)
    left = f", {idle} checks of no picture left out" if idle else ""
    return f"{photos} photos of {len(named)} folders, {checks} checked by eye{left}: {out}"


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for folder in folders:
        if folder.resolve().name in named:
            raise UsageError(
                f"expected folders with names of their own, got {folder.resolve().name} twice; rename one"
            )
        named[folder.resolve().name] = folder.resolve()
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


def _join_checks(name: str, folder: Path, photos: Sequence[Photo], out: Path) -> tuple[int, int]:
    """Append the folder's checks by the path of the picture; how many pictures have one, and checks have none."""
    checked = {row.id: row for row in folder_checks(folder)}
    used = set()
    found = 0
    with (out / "checked.jsonl").open("a", encoding="utf-8") as rows:
        for photo in photos:
            check = None if photo.rendered else check_of(photo.image, checked)
            if check:
                path = PurePosixPath(name, photo.image).with_suffix("")
                rows.write(json.dumps(check.model_dump() | {"id": str(path)}, ensure_ascii=False) + "\n")
                used.add(check.id)
                found += 1
    return found, len(checked) - len(used)
