"""`scenes render --assets FOLDER`: 3D files that take the place of our primitives, or dress the room.

A file is taken by a word in its name. Which one of several a scene takes, and what stands at its side walls,
is drawn from the seed alone, so the two scenes of a minimal pair still differ in nothing but the switch.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from yochi_runtime.errors import UsageError

from .parts import Part, Vec, place
from .spec import SceneSpec

DRESSED = 0.7  # chance that something stands at a side wall
SIDE_X, SIDE_Y = 4.5, (5.3, 5.6)  # metres: before the crates in the corner, beside the stations
GLB = b"glTF"


@dataclass(frozen=True)
class Prop:
    """Something a file can stand for: one whose name holds one of `words`.

    `may_show` are neutral cues that such a file may or may not show (a pile of cartons stands on a pallet or
    does not): where it is in sight and nothing else shows them, nobody knows.
    """

    words: tuple[str, ...]
    may_show: tuple[str, ...] = ()


PROPS = MappingProxyType(
    {
        "crates": Prop(("clutter", "crate", "carton"), ("pallet",)),
        "bin": Prop(("trashcan", "trash_can", "dustbin", "drum", "barrel")),
        "shelf": Prop(("shelf", "shelving"), ("pallet",)),
        "desk": Prop(("desk", "workbench")),
        "pallet_jack": Prop(("palletjack", "pallet_jack", "pallet-jack")),
        "totes": Prop(("bucket", "tote")),
    }
)
# Scene object -> the prop that takes its place, and the most it may fill: metres across, deep, high.
REPLACED = MappingProxyType(
    {
        "exit_crates": ("crates", (1.2, 1.2, 1.25)),
        "extinguisher_crates": ("crates", (1.2, 1.2, 0.95)),
        "bin": ("bin", (0.9, 0.7, 0.7)),  # fire and smoke stand 0.7 m high
    }
)
# Props that our primitives do not have: scene objects `dressing/NAME`, their longer side along a side wall.
DRESSING: Mapping[str, Vec] = MappingProxyType(
    {
        "shelf": (1.9, 0.9, 2.4),
        "desk": (1.6, 0.95, 1.45),
        "pallet_jack": (1.3, 0.7, 1.2),
        "totes": (1.3, 1.0, 1.45),
    }
)


@dataclass(frozen=True)
class Model:
    """A 3D file and its pictures, as paths under the folder, with `/`."""

    file: str
    textures: tuple[str, ...]


@dataclass(frozen=True)
class Assets:
    """`models`: prop -> its files, sorted; `hashes`: path of every file in use -> SHA-256."""

    folder: Path
    models: Mapping[str, tuple[Model, ...]]
    hashes: Mapping[str, str]

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file in use, by its path. UsageError where one is no longer what was hashed."""
        found = {name: (self.folder / name).read_bytes() for name in self.hashes}
        for name, data in found.items():
            if hashlib.sha256(data).hexdigest() != self.hashes[name]:
                raise UsageError(f"expected {self.folder / name} to stay as it is, it has changed; run again")
        return found

    def may_show(self, objects: Sequence[str]) -> dict[str, list[str]]:
        """Neutral cue -> those of a scene's objects that may show it without our knowing."""
        found: dict[str, list[str]] = {}
        for name in objects:
            prop = REPLACED[name][0] if name in REPLACED else name.removeprefix("dressing/")
            if prop in self.models:
                for cue in PROPS[prop].may_show:
                    found.setdefault(cue, []).append(name)
        return found


def read_assets(folder: Path) -> Assets:
    """What scenes can use of `folder` and all below it. UsageError: nothing, or a file that is no GLB."""
    if not folder.is_dir():
        raise UsageError(f"expected a folder of 3D files at {folder}, found none; check --assets")
    files = sorted(folder.rglob("*.glb"))
    models: dict[str, tuple[Model, ...]] = {}
    used: set[Path] = set()
    for prop, what in PROPS.items():
        fitting = [file for file in files if any(word in file.stem.lower() for word in what.words)]
        for file in fitting:
            _check(file)
            used |= {file, *textures_of(file)}
        if fitting:
            models[prop] = tuple(
                Model(_under(folder, f), tuple(_under(folder, t) for t in textures_of(f))) for f in fitting
            )
    if not models:
        words = ", ".join(word for what in PROPS.values() for word in what.words)
        raise UsageError(
            f"expected in {folder} a .glb file with one of these words in its name: {words}; "
            f"got {len(files)} others"
        )
    hashes = {_under(folder, file): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(used)}
    return Assets(folder.resolve(), models, hashes)


def textures_of(model: Path) -> list[Path]:
    """Pictures beside a model: NAME.png or NAME_1.png, NAME_2.png ... for NAME.glb or NAME_1.glb, sorted.

    Where several numbered models share NAME, each has only the picture of its own number.
    """
    name = _unnumbered(model)
    beside = sorted(p for p in model.parent.glob("*.png") if _unnumbered(p) == name)
    if sum(_unnumbered(other) == name for other in model.parent.glob("*.glb")) > 1:
        return [picture for picture in beside if picture.stem == model.stem]
    return beside


def richer(parts: Sequence[Part], spec: SceneSpec, assets: Assets) -> list[Part]:
    """The parts, with a file where there is one for their object, and the side walls dressed."""
    done: set[str] = set()
    found: list[Part] = []
    for part in parts:
        prop, size = REPLACED.get(part.object, ("", (0.0, 0.0, 0.0)))
        if prop not in assets.models:
            found.append(part)
        elif part.object not in done:  # its first part stands in its middle; the others go with it
            done.add(part.object)
            at = (part.at[0], part.at[1], 0.0)
            found += place([_model(assets, spec, part.object, prop, size)], at, part.turn[2])
    return [*found, *_dressing(spec, assets)]


def _dressing(spec: SceneSpec, assets: Assets) -> Iterator[Part]:
    kinds = [kind for kind in DRESSING if kind in assets.models]
    rng = random.Random(f"{spec.seed}-dressing")
    rng.shuffle(kinds)
    for side, kind in zip((-1, 1), kinds, strict=False):
        y, stands = rng.uniform(*SIDE_Y), rng.random() < DRESSED
        if stands:
            part = _model(assets, spec, f"dressing/{kind}", kind, DRESSING[kind])
            yield from place([part], (side * SIDE_X, y, 0.0), -90.0 * side)


def _model(assets: Assets, spec: SceneSpec, name: str, prop: str, size: Vec) -> Part:
    chosen = random.Random(f"{spec.seed}-model-{name}").choice(assets.models[prop])
    gray = (0.5, 0.5, 0.5)  # of a mesh that has neither a picture nor a material
    at = (0.0, 0.0, size[2] / 2)
    return Part(name, "model", at, size, gray, model=chosen.file, textures=chosen.textures)


def _check(file: Path) -> None:
    with file.open("rb") as data:
        begins = data.read(4)
    if begins != GLB:
        raise UsageError(f"expected a binary glTF file (GLB) at {file}, got one that begins with {begins!r}")


def _unnumbered(file: Path) -> str:
    return re.sub(r"_\d+$", "", file.stem)


def _under(folder: Path, file: Path) -> str:
    return file.relative_to(folder).as_posix()
