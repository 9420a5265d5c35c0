"""The hall of the sample frame: floor with a marked lane, walls, racks, pallets, and the forklift."""

import numpy as np
from forklift import forklift
from mesh import BLUE, CARTON, FLOOR, GLOW, ORANGE, SHELL, STEEL, WHITE, WOOD, YELLOW, Builder, Colour, Mesh


def hall() -> Mesh:
    """Everything, placed."""
    b = Builder()
    rng = np.random.default_rng(7)
    building(b)
    for place in (-8.3, 6.9):
        for n in range(6):
            b.at, b.yaw = (place, 0, 9.5 + 2.8 * n), 0.0
            rack(b, rng)
    forklift(b, (1.3, 0, 6.3), np.radians(208))
    for spot, turn, layers in (
        ((-2.05, 0, 6.25), 0.42, 3),
        ((-3.6, 0, 9.6), 0.05, 2),
        ((-3.7, 0, 12.4), 0.0, 3),
    ):
        b.at, b.yaw = spot, turn
        pallet(b)
        cartons(b, rng, layers)
    for n in range(7):
        b.at, b.yaw = (3.95 + 0.02 * (n % 3), 0.145 * n, 8.3), 0.12 + 0.03 * (-1) ** n
        pallet(b)
    for n in range(4):
        b.at, b.yaw = (4.1, 0.145 * n, 10.6), 0.02 * (-1) ** n
        pallet(b)
    return b.mesh()


def building(b: Builder) -> None:
    """The shell: floor, walls, roof."""
    b.at, b.yaw = (0, 0, 0), 0.0
    floor(b)
    walls(b)
    roof(b)


def strip(
    b: Builder, x: float, z: float, size: tuple[float, float], colour: Colour, y: float = 0.004
) -> None:
    """A flat rectangle on the floor, `size` along x and z."""
    u, w = x + size[0], z + size[1]
    b.polygon([(x, y, z), (u, y, z), (u, y, w), (x, y, w)], colour, FLOOR)


def floor(b: Builder) -> None:
    """Concrete, two yellow lane lines, a crossing for people; short pieces, as the camera drops near ones."""
    for z in range(1, 34):
        for x in range(-10, 10, 2):
            strip(b, x, z, (2, 1), (0.27, 0.275, 0.27), 0)
        for line in (-5.05, 5.35):
            strip(b, line, z, (0.12, 1), YELLOW)
    for n in range(7):
        strip(b, -4.6 + 1.4 * n, 14, (0.7, 1.6), WHITE)


def walls(b: Builder) -> None:
    """Side walls, the back wall with its dado, a roller door and four windows."""
    wall: Colour = (0.52, 0.54, 0.54)
    for z in range(1, 34, 2):
        for side in (-10, 10):
            b.polygon([(side, 0, z), (side, 7, z), (side, 7, z + 2), (side, 0, z + 2)], wall, SHELL)
    b.polygon([(-10, 0, 33), (10, 0, 33), (10, 7, 33), (-10, 7, 33)], wall, SHELL)
    b.polygon(
        [(-10, 0, 32.98), (10, 0, 32.98), (10, 1.2, 32.98), (-10, 1.2, 32.98)], (0.10, 0.20, 0.26), SHELL
    )
    for n in range(16):
        y, shade = 0.27 * n, 0.30 if n % 2 else 0.36
        b.box((-2.2, y, 32.86), (2.0, y + 0.25, 32.95), (shade, shade, shade * 1.02), SHELL)
    for x in (-8.6, -5.6, 3.4, 6.4):
        pane = [(x, 4.2, 32.9), (x + 2.2, 4.2, 32.9), (x + 2.2, 5.9, 32.9), (x, 5.9, 32.9)]
        b.polygon(pane, (1.5, 1.6, 1.7), GLOW)
        b.box((x + 1.06, 4.2, 32.8), (x + 1.14, 5.9, 32.88), STEEL, SHELL)
        b.box((x, 5.0, 32.8), (x + 2.2, 5.07, 32.88), STEEL, SHELL)


def roof(b: Builder) -> None:
    """Roof, steel frames every 5 m, and rows of lamps between them."""
    steel: Colour = (0.24, 0.26, 0.28)
    for z in range(1, 34, 2):
        b.polygon([(-10, 7, z), (10, 7, z), (10, 7, z + 2), (-10, 7, z + 2)], (0.40, 0.42, 0.43), SHELL)
    for z in range(6, 34, 5):
        b.box((-10, 6.25, z), (10, 6.6, z + 0.2), steel, SHELL)
        for column in (-9.9, 9.5):
            b.box((column, 0, z), (column + 0.4, 6.4, z + 0.3), steel, SHELL)
        for lamp in (-6.0, -1.0, 4.0):
            b.box((lamp, 6.0, z + 2.2), (lamp + 1.6, 6.08, z + 2.5), (2.6, 2.6, 2.5), GLOW)


def rack(b: Builder, rng: np.random.Generator) -> None:
    """One bay of a pallet rack, 1.4 m deep and 2.7 m long, loaded on three levels."""
    for x in (0.0, 1.4):
        for z in (0, 2.7):
            b.box((x - 0.05, 0, z - 0.05), (x + 0.05, 4.6, z + 0.05), BLUE)
    for level in (0.12, 1.75, 3.35):
        if level > 1:
            for x in (0.0, 1.4):
                b.box((x - 0.03, level - 0.12, 0), (x + 0.03, level, 2.7), ORANGE)
        for z in (0.1, 1.4):
            if rng.random() < 0.82:
                tall, tint = rng.uniform(0.7, 1.25), rng.uniform(0.75, 1.15)
                b.box((0.05, level, z), (1.35, level + 0.13, z + 1.2), WOOD)
                hue = CARTON if rng.random() < 0.7 else (0.42, 0.44, 0.46)
                colour = (hue[0] * tint, hue[1] * tint, hue[2] * tint)
                b.box((0.12, level + 0.13, z + 0.05), (1.28, level + 0.13 + tall, z + 1.12), colour)


def pallet(b: Builder) -> None:
    """A wooden pallet 1.2 x 1.0 m, 0.144 m high: deck boards on blocks on skids."""
    for z in (-0.5, -0.07, 0.36):
        b.box((-0.6, 0, z), (0.6, 0.022, z + 0.14), WOOD)
        for x in (-0.6, -0.07, 0.46):
            b.box((x, 0.022, z), (x + 0.14, 0.1, z + 0.14), (0.40, 0.26, 0.13))
    for n in range(7):
        x, tint = -0.6 + 0.18 * n, 1 + 0.12 * ((n * 5) % 3 - 1)
        b.box((x, 0.1, -0.5), (x + 0.12, 0.144, 0.5), (WOOD[0] * tint, WOOD[1] * tint, WOOD[2] * tint))


def cartons(b: Builder, rng: np.random.Generator, layers: int) -> None:
    """Taped cartons, 3 x 2 a layer, on the pallet that stands at `b.at`."""
    for layer in range(layers):
        y = 0.146 + 0.36 * layer
        for i in range(3):
            for j in range(2):
                x, z = -0.58 + 0.39 * i + rng.uniform(-0.008, 0.008), -0.49 + 0.495 * j
                tint = rng.uniform(0.85, 1.15)
                b.box((x, y, z), (x + 0.375, y + 0.35, z + 0.48), (0.46 * tint, 0.30 * tint, 0.16 * tint))
                b.box((x + 0.16, y + 0.1, z - 0.003), (x + 0.215, y + 0.352, z + 0.483), (0.60, 0.47, 0.30))
                if (i + j + layer) % 2:
                    b.box((x + 0.23, y + 0.05, z - 0.004), (x + 0.34, y + 0.13, z), WHITE)
