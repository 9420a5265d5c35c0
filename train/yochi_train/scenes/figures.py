"""People out of primitives: standing, reaching, climbing; with or without helmet and vest.

A person is 1.75 m tall, stands on z = 0 at the origin and looks along -y, towards the camera. Objects are
`NAME/body`, `NAME/torso`, `NAME/vest`, `NAME/head`, `NAME/helmet`, `NAME/head/cap` or `NAME/head/hair`.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from .parts import Part, Vec, box, cylinder, rod, sphere
from .spec import Look, Rgb

Pose = Literal["stand", "reach", "climb"]
HIP = 0.88  # metres above the floor
LEAN = {"stand": 0.0, "reach": 38.0, "climb": 8.0}  # degrees the upper body leans forward
# Where hands and elbows are before leaning: (out to the side, forward, up), metres.
ELBOW: dict[Pose, Vec] = {"stand": (0.3, -0.02, 1.12), "reach": (0.26, 0.3, 1.32), "climb": (0.3, 0.2, 1.5)}
HAND: dict[Pose, Vec] = {"stand": (0.29, 0.1, 0.86), "reach": (0.2, 0.62, 1.42), "climb": (0.24, 0.34, 1.75)}
KNEE_FORWARD: dict[Pose, float] = {"stand": 0.02, "reach": 0.02, "climb": 0.16}
DARK: Rgb = (0.03, 0.03, 0.03)
BAND: Rgb = (0.75, 0.77, 0.75)


@dataclass(frozen=True)
class Wear:
    helmet: bool = True
    vest: bool = True
    cap: bool = False  # without a helmet: a cap, else bare hair


def person(name: str, pose: Pose, wear: Wear, look: Look) -> list[Part]:
    upper = [*_torso(name, wear, look), *_head(name, wear, look)]
    lean = LEAN[pose]
    return [
        *_legs(name, pose, look),
        *(_leaned(part, lean) for part in upper),
        *_arms(name, pose, lean, look),
    ]


def _legs(name: str, pose: Pose, look: Look) -> list[Part]:
    parts, body = [], f"{name}/body"
    for side in (-1, 1):
        knee = (side * 0.11, -KNEE_FORWARD[pose], 0.48)
        parts += [
            rod(body, (side * 0.1, 0, HIP), knee, 0.085, look.clothes),
            rod(body, knee, (side * 0.12, 0, 0.08), 0.07, look.clothes),
            sphere(body, knee, (0.16, 0.16, 0.16), look.clothes),
            box(body, (side * 0.12, -0.05, 0.045), (0.1, 0.27, 0.09), DARK),
        ]
    return [*parts, cylinder(body, (0, 0, HIP), (0.36, 0.24, 0.18), look.clothes)]


def _torso(name: str, wear: Wear, look: Look) -> list[Part]:
    torso = f"{name}/torso"
    parts = [
        cylinder(torso, (0, 0, 1.16), (0.4, 0.24, 0.5), look.clothes),
        sphere(torso, (0, 0, 1.39), (0.44, 0.25, 0.2), look.clothes),
    ]
    if wear.vest:
        vest = f"{name}/vest"
        parts += [
            cylinder(vest, (0, 0, 1.17), (0.44, 0.28, 0.5), look.vest),
            sphere(vest, (0, 0, 1.38), (0.45, 0.27, 0.2), look.vest),
            cylinder(vest, (0, 0, 1.05), (0.45, 0.29, 0.05), BAND, "glossy"),
            cylinder(vest, (0, 0, 1.2), (0.45, 0.29, 0.05), BAND, "glossy"),
            box(vest, (-0.12, -0.12, 1.31), (0.05, 0.05, 0.2), BAND, "glossy"),
            box(vest, (0.12, -0.12, 1.31), (0.05, 0.05, 0.2), BAND, "glossy"),
        ]
    return parts


def _head(name: str, wear: Wear, look: Look) -> list[Part]:
    head = f"{name}/head"
    parts = [
        cylinder(f"{name}/body", (0, 0, 1.48), (0.12, 0.12, 0.14), look.skin),
        sphere(head, (0, 0, 1.63), (0.19, 0.22, 0.25), look.skin),
        box(head, (0, -0.115, 1.62), (0.03, 0.03, 0.04), look.skin),
        *(sphere(head, (x, -0.1, 1.655), (0.025, 0.02, 0.02), DARK) for x in (-0.045, 0.045)),
    ]
    if wear.helmet:
        helmet = f"{name}/helmet"
        return [
            *parts,
            sphere(helmet, (0, 0, 1.69), (0.26, 0.3, 0.26), look.helmet, "glossy"),
            cylinder(helmet, (0, -0.04, 1.685), (0.28, 0.38, 0.02), look.helmet, "glossy"),
        ]
    if wear.cap:
        cap: Rgb = (0.04, 0.06, 0.2)
        return [
            *parts,
            sphere(f"{head}/cap", (0, 0.005, 1.7), (0.22, 0.25, 0.17), cap),
            cylinder(f"{head}/cap", (0, -0.12, 1.7), (0.16, 0.18, 0.015), cap),
        ]
    hair: Rgb = (0.02, 0.015, 0.012)
    return [
        *parts,
        sphere(f"{head}/hair", (0, 0.02, 1.69), (0.22, 0.24, 0.19), hair),
        sphere(f"{head}/hair", (0, 0.05, 1.63), (0.21, 0.18, 0.22), hair),
    ]


def _arms(name: str, pose: Pose, lean: float, look: Look) -> list[Part]:
    parts, body = [], f"{name}/body"
    for side in (-1, 1):
        shoulder, elbow, hand = (
            _lean_point((side * x, -y, z), lean) for x, y, z in ((0.22, 0.0, 1.39), ELBOW[pose], HAND[pose])
        )
        parts += [
            rod(body, shoulder, elbow, 0.06, look.clothes),
            sphere(body, elbow, (0.12, 0.12, 0.12), look.clothes),
            rod(body, elbow, hand, 0.05, look.clothes),
            sphere(body, hand, (0.1, 0.1, 0.13), look.skin),
        ]
    return parts


def _lean_point(at: Vec, lean: float) -> Vec:
    """`at`, turned forward (towards -y) about the hip."""
    cos, sin = math.cos(math.radians(lean)), math.sin(math.radians(lean))
    y, z = at[1], at[2] - HIP
    return (at[0], cos * y - sin * z, HIP + sin * y + cos * z)


def _leaned(part: Part, lean: float) -> Part:
    """Rx(lean) takes z to (0, -sin, cos), forward. Upper-body parts have no other turn before."""
    return replace(part, at=_lean_point(part.at, lean), turn=(lean, 0.0, 0.0))
