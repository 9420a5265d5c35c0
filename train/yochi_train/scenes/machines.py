"""Stations on the floor that move or carry: machine, conveyor, crane, forklift.

Each is built at the origin with its front to the camera (-y) and moved by the caller; `side` is 1 or -1.
"""

from .figures import Wear, person
from .parts import Part, box, chain, cylinder, place, rod
from .spec import Look, Rgb

STEEL: Rgb = (0.45, 0.46, 0.48)
DARK: Rgb = (0.03, 0.03, 0.03)
SAFETY_YELLOW: Rgb = (0.9, 0.55, 0.0)
BELT = 0.8  # metres above the floor
DRESSED = Wear()


def machine(look: Look, guarded: bool) -> list[Part]:
    """A roller press: rollers that draw in (`machine/nip`), behind yellow bars (`machine/guard`) or bare."""
    body = [
        box("machine", (0, 0, 0.4), (1.6, 0.9, 0.8), look.machine),
        box("machine", (0, 0, 1.75), (1.6, 0.9, 0.6), look.machine),
        box("machine", (0, 0.3, 1.1), (1.4, 0.1, 0.7), DARK),
        *(box("machine", (x, 0, 1.1), (0.18, 0.9, 0.7), look.machine) for x in (-0.71, 0.71)),
        box("machine", (0.5, -0.47, 1.75), (0.3, 0.04, 0.3), (0.2, 0.2, 0.2)),
        cylinder("machine", (0.45, -0.5, 1.8), (0.08, 0.08, 0.05), (0.7, 0.01, 0.01), turn=(90, 0, 0)),
    ]
    rollers = [
        rod("machine/nip", (-0.61, -0.3, z), (0.61, -0.3, z), 0.14, STEEL, "metal") for z in (0.96, 1.25)
    ]
    stripes = [
        box("machine/nip", (0.3 * k, -0.445, 1.105), (0.05, 0.01, 0.04), (0.7, 0.02, 0.02))
        for k in (-1, 0, 1)
    ]
    return [*body, *rollers, *stripes, *(_guard() if guarded else [])]


def _guard() -> list[Part]:
    y, low, high, half = -0.5, 0.8, 1.44, 0.66
    corners = [(-half, y, low), (half, y, low), (half, y, high), (-half, y, high), (-half, y, low)]
    bars = [-half + half * k / 6 for k in range(1, 12)]
    return [
        *chain("machine/guard", corners, 0.025, SAFETY_YELLOW),
        *(rod("machine/guard", (x, y, low), (x, y, high), 0.012, SAFETY_YELLOW) for x in bars),
    ]


def conveyor(look: Look, reaching: bool) -> list[Part]:
    """A belt 2.4 m long with crates, and its operator behind it: arms down, or reaching over the belt."""
    parts = [
        box("conveyor", (0, 0, BELT - 0.03), (2.4, 0.56, 0.06), (0.02, 0.02, 0.02)),
        *(box("conveyor", (0, y, BELT - 0.05), (2.4, 0.04, 0.14), look.machine) for y in (-0.3, 0.3)),
        *(
            box("conveyor", (x, y, 0.37), (0.07, 0.07, 0.74), STEEL, "metal")
            for x in (-1.1, 0, 1.1)
            for y in (-0.26, 0.26)
        ),
        *(
            rod("conveyor", (0.2 * k, -0.28, BELT - 0.12), (0.2 * k, 0.28, BELT - 0.12), 0.05, STEEL, "metal")
            for k in range(-6, 7)
        ),
        *(box("conveyor", (x, 0, BELT + 0.12), (0.3, 0.28, 0.24), look.crate) for x in (-0.85, 0.75)),
    ]
    operator = person("operator", "reach" if reaching else "stand", DRESSED, look)
    return [*parts, *place(operator, (0, 0.74, 0))]


def crane(look: Look, side: int, over_person: bool) -> list[Part]:
    """A gantry with a load on its hook, and a rigger: beside the load, or under it."""
    x = -0.4 * side if over_person else 1.05 * side
    beam, top = 3.5, 2.75
    frame = [
        box("crane", (0, 0, beam), (3.3, 0.2, 0.28), SAFETY_YELLOW),
        *(
            rod("crane", (e * 1.55, y, 0), (e * 1.55, 0, beam), 0.06, SAFETY_YELLOW)
            for e in (-1, 1)
            for y in (-0.5, 0.5)
        ),
        box("crane", (x, 0, beam - 0.2), (0.4, 0.3, 0.16), DARK),
        rod("crane", (x, 0, beam - 0.2), (x, 0, top + 0.3), 0.015, DARK),
    ]
    load = [
        box("load", (x, 0, top - 0.3), (0.95, 0.75, 0.5), look.crate),
        *(rod("load", (x, 0, top + 0.3), (x + dx, 0, top - 0.05), 0.012, DARK) for dx in (-0.45, 0.45)),
        *(box("load", (x + dx, 0, top - 0.3), (0.06, 0.77, 0.52), DARK) for dx in (-0.3, 0.3)),
    ]
    return [
        *frame,
        *load,
        *place(person("rigger", "stand", DRESSED, look), (-0.4 * side, -0.05, 0), 20.0 * side),
    ]


def forklift() -> list[Part]:
    """A counterbalance truck, forks towards the camera."""
    name, body = "forklift", (0.85, 0.4, 0.0)
    cage = [(x, y) for x in (-0.42, 0.42) for y in (-0.35, 0.65)]
    wheels = [(x, y) for x in (-0.48, 0.48) for y in (-0.45, 0.65)]
    return [
        box(name, (0, 0.2, 0.55), (0.95, 1.5, 0.5), body),
        box(name, (0, 0.85, 0.75), (0.95, 0.5, 0.8), DARK),
        box(name, (0, 0.35, 0.9), (0.45, 0.4, 0.25), DARK),
        *(rod(name, (x, y, 0.7), (x, y * 0.8, 2.05), 0.03, DARK) for x, y in cage),
        box(name, (0, 0.12, 2.07), (0.95, 1.0, 0.06), DARK),
        *(box(name, (x, -0.68, 1.1), (0.1, 0.12, 2.1), DARK) for x in (-0.28, 0.28)),
        *(box(name, (0, -0.72, z), (0.7, 0.05, 0.08), STEEL, "metal") for z in (0.3, 0.55, 1.3)),
        *(box(name, (x, -1.25, 0.16), (0.13, 1.05, 0.05), STEEL, "metal") for x in (-0.25, 0.25)),
        *(
            cylinder(name, (x, y, 0.24), (0.48, 0.48, 0.2), (0.02, 0.02, 0.02), turn=(0, 90, 0))
            for x, y in wheels
        ),
        box(name, (0, -0.35, 0.98), (0.5, 0.12, 0.4), body),
        cylinder(name, (0.3, 0.4, 2.14), (0.12, 0.12, 0.1), (0.9, 0.3, 0.0), "glow"),
    ]


def walker(look: Look) -> list[Part]:
    return person("walker", "stand", DRESSED, look)


def lane() -> list[Part]:
    """Two yellow lines of a walkway through the middle of the room."""
    return [box("lane", (x, 4.4, 0.003), (0.1, 6.8, 0.006), SAFETY_YELLOW) for x in (-0.95, 0.95)]
