"""The primitives that a scene is built from, as plain values; Blender makes a mesh of each.

Metres, z up; angles in degrees. `turn` are Euler angles applied about x, then y, then z.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from .spec import Rgb

Vec = tuple[float, float, float]
Shape = Literal["box", "cylinder", "cone", "sphere", "polygon", "text", "model"]
Finish = Literal["matte", "glossy", "metal", "concrete", "wet", "glow", "flame", "smoke"]
FACING_CAMERA: Vec = (90.0, 0.0, 0.0)  # turns a flat part from lying face up to standing, its face to -y


@dataclass(frozen=True)
class Part:
    """One primitive of the scene object `object`.

    `size` are full extents along the part's own axes. A polygon takes its outline from `points` (local x, y)
    and only its thickness from size[2]; a text's letters are size[1] high. A model is a 3D file, which stands
    on the floor of `size`; it and its pictures are paths under the folder of assets.
    """

    object: str
    shape: Shape
    at: Vec  # of its middle
    size: Vec
    color: Rgb
    finish: Finish = "matte"
    turn: Vec = (0.0, 0.0, 0.0)
    points: tuple[tuple[float, float], ...] = ()
    text: str = ""
    model: str = ""
    textures: tuple[str, ...] = ()


def box(name: str, at: Vec, size: Vec, color: Rgb, finish: Finish = "matte", turn: Vec = (0, 0, 0)) -> Part:
    return Part(name, "box", at, size, color, finish, turn)


def cylinder(
    name: str, at: Vec, size: Vec, color: Rgb, finish: Finish = "matte", turn: Vec = (0, 0, 0)
) -> Part:
    """Upright: size is (diameter along x, diameter along y, height)."""
    return Part(name, "cylinder", at, size, color, finish, turn)


def sphere(name: str, at: Vec, size: Vec, color: Rgb, finish: Finish = "matte") -> Part:
    return Part(name, "sphere", at, size, color, finish)


def rod(name: str, start: Vec, end: Vec, radius: float, color: Rgb, finish: Finish = "matte") -> Part:
    """A round bar between two points."""
    along = [e - s for s, e in zip(start, end, strict=True)]
    length = math.hypot(*along)
    turn = (
        0.0,
        math.degrees(math.acos(max(-1.0, min(1.0, along[2] / length)))),
        math.degrees(math.atan2(along[1], along[0])),
    )
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, (start[2] + end[2]) / 2)
    return Part(name, "cylinder", middle, (2 * radius, 2 * radius, length), color, finish, turn)


def chain(
    name: str, points: Sequence[Vec], radius: float, color: Rgb, finish: Finish = "matte"
) -> list[Part]:
    """A bent bar through `points`, with round joints."""
    bars = [rod(name, a, b, radius, color, finish) for a, b in pairwise(points)]
    joints = [sphere(name, p, (2 * radius,) * 3, color, finish) for p in points[1:-1]]
    return bars + joints


def flat(
    name: str, at: Vec, points: Iterable[tuple[float, float]], color: Rgb, finish: Finish = "matte"
) -> Part:
    """A thin plate that faces the camera; `points` are (right, up) from `at`."""
    return Part(name, "polygon", at, (0, 0, 0.004), color, finish, FACING_CAMERA, tuple(points))


def text(name: str, at: Vec, words: str, height: float, color: Rgb) -> Part:
    """Words that face the camera, centred on `at`."""
    return Part(name, "text", at, (0, height, 0.002), color, "matte", FACING_CAMERA, (), words)


def disc(radius: float, corners: int = 28) -> list[tuple[float, float]]:
    """The outline of a round plate."""
    angles = [2 * math.pi * k / corners for k in range(corners)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def rectangle(width: float, height: float) -> list[tuple[float, float]]:
    x, y = width / 2, height / 2
    return [(-x, -y), (x, -y), (x, y), (-x, y)]


def place(parts: Iterable[Part], at: Vec, turn_z: float = 0.0) -> list[Part]:
    """The parts, turned about z and then moved to `at`."""
    cos, sin = math.cos(math.radians(turn_z)), math.sin(math.radians(turn_z))
    return [
        replace(
            part,
            at=(
                at[0] + cos * part.at[0] - sin * part.at[1],
                at[1] + sin * part.at[0] + cos * part.at[1],
                at[2] + part.at[2],
            ),
            turn=(part.turn[0], part.turn[1], part.turn[2] + turn_z),
        )
        for part in parts
    ]
