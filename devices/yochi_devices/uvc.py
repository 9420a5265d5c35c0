"""Cameras on USB as the kernel lists them, without opening one."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UvcCamera:
    """One device; `index` is what `open_camera` takes."""

    index: int
    name: str
    usable: bool  # the caller may read and write its node


def list_uvc(root: Path = Path("/")) -> list[UvcCamera]:
    """By index. A device has further nodes, for its metadata, which give no pictures and are left out."""
    found = []
    for node in (root / "sys/class/video4linux").glob("video*"):
        number = node.name.removeprefix("video")
        if number.isdecimal() and _line(node / "index") in ("0", ""):
            usable = os.access(root / "dev" / node.name, os.R_OK | os.W_OK)
            found.append(UvcCamera(int(number), _line(node / "name") or node.name, usable))
    return sorted(found, key=lambda camera: camera.index)


def _line(path: Path) -> str:
    """A file's text, or nothing where the kernel has no such file."""
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
