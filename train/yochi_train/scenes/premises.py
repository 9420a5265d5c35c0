"""The room and what hangs or stands at its back wall: exit, extinguisher, electrical panel, gas cylinders.

A wall station is built at the origin, which is a point of the floor at the wall; its front is -y.
"""

from . import signs
from .parts import Part, box, chain, cylinder, place, rod, sphere
from .spec import WALL_STATIONS, Layout, Look, Rgb

GRAY: Rgb = (0.42, 0.43, 0.42)
DARK: Rgb = (0.03, 0.03, 0.03)
WOOD: Rgb = (0.4, 0.25, 0.12)
CORNER = (4.4, 7.2)  # metres: where crates stand that block nothing


def room(look: Look) -> list[Part]:
    """Floor 10 x 10 m, three walls and a ceiling that only the camera sees: light comes through it."""
    return [
        box("room", (0, 3, -0.05), (10, 10, 0.1), look.floor, "concrete"),
        box("room", (0, 8.1, 2.5), (10.4, 0.2, 5), look.wall),
        *(box("room", (x, 3, 2.5), (0.2, 10, 5), look.wall) for x in (-5.1, 5.1)),
        box(
            "room",
            (0, 7.98, 0.5),
            (10, 0.03, 1.0),
            (look.wall[0] * 0.5, look.wall[1] * 0.55, look.wall[2] * 0.5),
        ),
        *(box("room", (x, 7.9, 2.5), (0.25, 0.2, 5), GRAY) for x in (-4.85, 4.85)),
        box("ceiling", (0, 3, 5.05), (10.4, 10, 0.1), (0.5, 0.5, 0.5)),
        *(
            box("ceiling", (x, y, 4.95), (0.25, 1.8, 0.08), (1, 1, 1), "glow")
            for x in (-2.5, 2.5)
            for y in (2, 6)
        ),
    ]


def exit_door(contradicted: bool) -> list[Part]:
    door = [
        box("exit", (0, -0.03, 1.05), (1.1, 0.06, 2.15), (0.25, 0.25, 0.25)),
        box("exit", (0, -0.07, 1.03), (0.95, 0.04, 2.03), (0.22, 0.36, 0.3)),
        box("exit", (0.38, -0.12, 1.02), (0.14, 0.05, 0.03), GRAY, "metal"),
        *place(signs.escape("exit", 0.3), (0, -0.05, 2.45)),
    ]
    return (
        [*door, *place(signs.prohibition("exit/contradiction", 0.5), (0, -0.1, 1.5))]
        if contradicted
        else door
    )


def extinguisher() -> list[Part]:
    red: Rgb = (0.6, 0.01, 0.01)
    return [
        cylinder("extinguisher", (0, -0.14, 0.95), (0.2, 0.2, 0.52), red, "glossy"),
        sphere("extinguisher", (0, -0.14, 1.21), (0.2, 0.2, 0.12), red, "glossy"),
        cylinder("extinguisher", (0, -0.14, 1.29), (0.05, 0.05, 0.12), DARK),
        box("extinguisher", (0.04, -0.18, 1.34), (0.14, 0.04, 0.03), DARK),
        *chain("extinguisher", [(0, -0.14, 1.3), (-0.16, -0.16, 1.2), (-0.17, -0.16, 0.85)], 0.015, DARK),
        box("extinguisher", (0, -0.25, 0.98), (0.1, 0.02, 0.18), (0.8, 0.8, 0.75)),
        *place(signs.fire_equipment("extinguisher", 0.36), (0, -0.02, 1.85)),
    ]


def crates(name: str, look: Look, height: float) -> list[Part]:
    """Two crates on each other, 0.95 m wide."""
    low = height * 0.55
    return [
        box(name, (0, 0, low / 2), (0.95, 0.6, low), look.crate),
        box(name, (0.06, 0.02, (low + height) / 2), (0.8, 0.55, height - low), look.crate, turn=(0, 0, 8)),
        *(box(name, (0, -0.31, z * low), (0.97, 0.02, 0.07), WOOD) for z in (0.2, 0.8)),
    ]


def panel(opened: bool, signed: bool) -> list[Part]:
    """A cabinet at eye height; open: `panel/inside` with breakers and bare wires; its sign hangs above."""
    cabinet = [box("panel", (0, -0.1, 1.45), (0.8, 0.2, 1.05), GRAY)]
    sign = place(signs.warning("panel/sign", 0.4), (0, -0.02, 2.3)) if signed else []
    if not opened:
        closed = [
            box("panel", (0, -0.215, 1.45), (0.76, 0.03, 1.0), (0.5, 0.51, 0.5)),
            box("panel", (0.3, -0.24, 1.45), (0.04, 0.03, 0.16), DARK),
        ]
        return [*cabinet, *closed, *sign]
    inside: list[Part] = [box("panel/inside", (0, -0.204, 1.45), (0.7, 0.01, 0.95), (0.12, 0.11, 0.1))]
    for row in range(3):
        for column in range(5):
            x, z = -0.26 + 0.13 * column, 1.75 - 0.28 * row
            inside += [
                box("panel/inside", (x, -0.23, z), (0.09, 0.05, 0.14), (0.6, 0.6, 0.58)),
                box("panel/inside", (x, -0.265, z), (0.03, 0.03, 0.05), (0.7, 0.1, 0.02)),
            ]
    for x, color in ((-0.2, (0.6, 0.02, 0.02)), (0.05, (0.02, 0.08, 0.5)), (0.22, (0.7, 0.5, 0.02))):
        loop = [(x, -0.24, 1.68), (x + 0.08, -0.36, 1.4), (x - 0.04, -0.3, 1.1)]
        inside += chain("panel/inside", loop, 0.014, color)
    door = place(
        [box("panel", (0.38, 0, 0), (0.76, 0.03, 1.0), (0.5, 0.51, 0.5))], (-0.39, -0.21, 1.45), -115
    )
    return [*cabinet, *inside, *door, *sign]


def gas_cylinders(secured: bool) -> list[Part]:
    """Two bottles; secured: in a rack with a chain across (`rack`), else standing free."""
    bottles: list[Part] = []
    for x, color in ((-0.17, (0.02, 0.2, 0.08)), (0.17, (0.03, 0.03, 0.03))):
        bottles += [
            cylinder("cylinder", (x, -0.35, 0.62), (0.25, 0.25, 1.24), color, "glossy"),
            sphere("cylinder", (x, -0.35, 1.24), (0.25, 0.25, 0.2), (0.35, 0.35, 0.33)),
            cylinder("cylinder", (x, -0.35, 1.4), (0.07, 0.07, 0.16), (0.6, 0.45, 0.1), "metal"),
        ]
    if not secured:
        return bottles
    yellow: Rgb = (0.9, 0.55, 0.0)
    links = [
        (-0.4, -0.5, 0.95),
        (-0.2, -0.51, 0.91),
        (0.0, -0.51, 0.9),
        (0.2, -0.51, 0.91),
        (0.4, -0.5, 0.95),
    ]
    rack = [rod("rack", (x, -0.5, 0), (x, -0.5, 1.15), 0.03, yellow) for x in (-0.4, 0.4)]
    bars = [rod("rack", (x, -0.5, 1.1), (x, -0.02, 1.1), 0.02, yellow) for x in (-0.4, 0.4)]
    return [*bottles, *rack, *bars, *chain("rack", links, 0.025, yellow)]


def exit_station(look: Look, layout: Layout, x: float, blocked: bool, contradicted: bool) -> list[Part]:
    at = (x, 7.25, 0.0) if blocked else _beside(layout, x)
    return [*place(exit_door(contradicted), (x, 8.0, 0)), *place(crates("exit_crates", look, 1.25), at)]


def _beside(layout: Layout, x: float) -> tuple[float, float, float]:
    """Where crates stand beside the door at `x` and before nothing else at the wall; else the far corner.

    Beside it, because a scene without crates in sight would only ask whether there are any.
    """
    others = [at[0] for station in WALL_STATIONS if (at := layout.at(station)) and at[0] != x]
    for place_x in (x - 1.3, x + 1.3) if layout.mirrored else (x + 1.3, x - 1.3):
        if abs(place_x) < CORNER[0] and all(abs(place_x - other) > 0.8 for other in others):
            return (place_x, 7.4, 0.0)
    return (-CORNER[0] if x > 0 else CORNER[0], CORNER[1], 0.0)


def extinguisher_station(look: Look, layout: Layout, x: float, blocked: bool) -> list[Part]:
    side = -1 if layout.mirrored else 1
    at = (x, 7.3, 0.0) if blocked else (side * CORNER[0], CORNER[1], 0.0)
    return [*place(extinguisher(), (x, 8.0, 0)), *place(crates("extinguisher_crates", look, 0.95), at)]
