"""What stands, lies or burns on the floor: spill, cable, stack, ladder, drum with smoke and fire."""

import math
import random

from .figures import Wear, person
from .parts import Part, Vec, box, chain, cylinder, place, rod, sphere
from .spec import Look, Rgb

STEEL: Rgb = (0.5, 0.51, 0.53)
WOOD: Rgb = (0.42, 0.27, 0.13)


def spill(rng: random.Random) -> list[Part]:
    """A puddle of flat overlapping discs, about 1.2 m across."""
    color = rng.choice(((0.02, 0.015, 0.01), (0.05, 0.09, 0.12), (0.1, 0.06, 0.01)))
    parts = [cylinder("spill", (0, 0, 0.004), (0.85, 0.6, 0.008), color, "wet")]
    for k in range(7):
        angle, reach = 2 * math.pi * k / 7, rng.uniform(0.22, 0.45)
        size = rng.uniform(0.25, 0.5)
        at = (1.25 * reach * math.cos(angle), 0.8 * reach * math.sin(angle), 0.003 + 0.0004 * k)
        parts.append(cylinder("spill", at, (size, 0.75 * size, 0.006), color, "wet"))
    return parts


def cable(rng: random.Random, y: float, side: int) -> list[Part]:
    """A cable from a side wall across the walkway, with loops in it."""
    color = rng.choice(((0.6, 0.2, 0.01), (0.02, 0.02, 0.02), (0.55, 0.45, 0.02)))
    points: list[Vec] = []
    for k in range(17):
        x = side * (4.6 - 0.36 * k)
        points.append((x, y + 0.22 * math.sin(1.3 * k) + rng.uniform(-0.08, 0.08), 0.022))
    return [
        *chain("cable", points, 0.022, color),
        box("cable", points[-1], (0.26, 0.14, 0.09), (0.7, 0.3, 0.01)),
    ]


def stack(look: Look, unstable: bool) -> list[Part]:
    """Cartons on a pallet, three high: flush, or shifted with the top ones tipping over the edge."""
    pallet = [
        *(box("pallet", (0, -0.42 + 0.21 * k, 0.13), (1.2, 0.12, 0.025), WOOD) for k in range(5)),
        *(box("pallet", (x, 0, 0.06), (0.12, 1.0, 0.11), WOOD) for x in (-0.54, 0.0, 0.54)),
    ]
    cartons: list[Part] = []
    for layer in range(4):
        shift = (0.0, 0.05, 0.16, 0.32)[layer] if unstable else 0.0
        tilt = (0.0, 3.0, 8.0, 17.0)[layer] if unstable else 0.0
        for x in (-0.28, 0.28):
            for y in (-0.24, 0.24):
                at = (x + shift, y, 0.36 + 0.41 * layer + (0.04 * layer if unstable else 0.0))
                turn = (0.0, tilt, tilt if x > 0 else 0.0)
                cartons.append(box("stack", at, (0.54, 0.46, 0.4), look.crate, turn=turn))
                seam = (at[0], at[1] - 0.002, at[2])
                cartons.append(box("stack", seam, (0.07, 0.462, 0.404), (0.6, 0.5, 0.35), turn=turn))
    return [*pallet, *cartons]


def ladder(look: Look, side: int, climbed: bool) -> list[Part]:
    """A step ladder, 2.2 m; the climber on its fifth rung, back to the camera, or on the floor beside it."""
    steps: list[Part] = []
    for x in (-1, 1):
        steps += [
            rod("ladder", (0.3 * x, -0.5, 0), (0.2 * x, 0, 2.2), 0.028, STEEL, "metal"),
            rod("ladder", (0.3 * x, 0.5, 0), (0.2 * x, 0, 2.2), 0.028, STEEL, "metal"),
        ]
    for k in range(1, 8):
        t = k / 8
        width, y, z = 0.3 - 0.1 * t, -0.5 + 0.5 * t, 2.2 * t
        steps.append(box("ladder", (0, y, z), (2 * width, 0.09, 0.035), STEEL, "metal"))
    if climbed:
        figure = place(person("climber", "climb", Wear(), look), (0, -0.32, 1.12), 180)
    else:
        figure = place(person("climber", "stand", Wear(), look), (0.85 * side, -0.15, 0), 20.0 * side)
    return [*steps, *figure]


def drum(burning: bool, smoking: bool, rng: random.Random) -> list[Part]:
    """An open drum with rags; flames stand on it (`fire`), smoke rises from it (`smoke`)."""
    parts = [
        cylinder("bin", (0, 0, 0.35), (0.52, 0.52, 0.7), (0.12, 0.16, 0.2), "metal"),
        cylinder("bin", (0, 0, 0.7), (0.54, 0.54, 0.03), (0.05, 0.05, 0.05), "metal"),
        *(
            sphere(
                "bin", (0.12 * math.cos(a), 0.12 * math.sin(a), 0.73), (0.26, 0.2, 0.14), (0.4, 0.35, 0.28)
            )
            for a in (0.3, 2.4, 4.4)
        ),
    ]
    flames = _flames(random.Random(rng.random()))
    puffs = _puffs(random.Random(rng.random()))
    return [*parts, *(flames if burning else []), *(puffs if smoking else [])]


def _flames(rng: random.Random) -> list[Part]:
    parts = []
    for _ in range(11):
        height = rng.uniform(0.3, 0.85)
        at = (rng.uniform(-0.17, 0.17), rng.uniform(-0.15, 0.15), 0.7 + height / 2)
        hot = rng.random()
        parts.append(
            Part(
                "fire", "cone", at, (0.24, 0.24, height), (1.0, 0.16 + 0.3 * hot, 0.01 + 0.05 * hot), "flame"
            )
        )
    return parts


def _puffs(rng: random.Random) -> list[Part]:
    gray, drift = rng.uniform(0.08, 0.5), rng.uniform(-0.35, 0.35)
    parts = []
    for k in range(16):
        rise, size = k / 15, 0.34 + 0.75 * k / 15
        at = (
            drift * rise * 1.6 + rng.uniform(-0.14, 0.14) * (1 + rise),
            rng.uniform(-0.14, 0.14),
            0.85 + 2.1 * rise,
        )
        parts.append(sphere("smoke", at, (size, size, size * 0.9), (gray, gray, gray), "smoke"))
    return parts
