"""The forklift of the sample frame, with its driver."""

from mesh import CHROME, DARK, ORANGE, RUBBER, SKIN, STEEL, VEST, WHITE, YELLOW, Builder, Point


def forklift(b: Builder, at: Point, yaw: float) -> None:
    """A 2.5 t counterbalance truck; +x is its front. 1.1 m wide, mast 2.15 m, forks at 0.2 m."""
    b.at, b.yaw = at, yaw
    weight = [(-1.42, 0.42), (-1.36, 0.28), (-0.55, 0.28), (-0.55, 1.02), (-1.22, 1.02), (-1.42, 0.85)]
    b.prism(weight, -0.52, 0.52, DARK)
    b.prism([(-0.62, 0.24), (0.52, 0.24), (0.52, 0.62), (0.36, 0.80), (-0.62, 0.80)], -0.53, 0.53, ORANGE)
    b.box((-1.20, 1.02, -0.46), (-0.15, 1.10, 0.46), ORANGE)
    b.box((-0.62, 0.80, -0.46), (-0.15, 1.02, 0.46), ORANGE)
    b.prism([(0.22, 0.78), (0.50, 0.62), (0.50, 1.12), (0.34, 1.22)], -0.46, 0.46, DARK)
    b.box((-0.62, 0.42, -0.545), (0.2, 0.50, 0.545), DARK)
    for z in (-0.54, 0.54):
        for n in range(5):
            x = -1.3 + 0.15 * n
            b.polygon([(x, 0.45, z), (x + 0.07, 0.45, z), (x + 0.15, 0.58, z), (x + 0.08, 0.58, z)], YELLOW)
        for x, top in ((0.50, 0.28), (-1.16, -0.72)):
            b.rod((x, 1.0, z * 0.9), (top, 2.12, z * 0.9), 0.035, DARK)
        b.rod((0.30, 2.13, z * 0.9), (-0.76, 2.13, z * 0.9), 0.04, DARK)
        b.rod((0.34, 1.98, z * 0.94), (0.40, 1.98, z * 0.94), 0.07, (1.4, 1.35, 1.2))
    for n in range(8):
        x = -0.74 + 0.148 * n
        b.box((x - 0.015, 2.12, -0.5), (x + 0.015, 2.16, 0.5), DARK)
    b.rod((-0.68, 2.15, 0.3), (-0.68, 2.31, 0.3), 0.06, (0.9, 0.35, 0.02))
    wheels(b)
    mast(b)
    driver(b)


def wheels(b: Builder) -> None:
    """Driven front pair and smaller steered rear pair."""
    for x, radius in ((0.42, 0.34), (-0.98, 0.28)):
        for side in (-1, 1):
            inner, outer = 0.36 * side, 0.57 * side
            b.rod((x, radius, inner), (x, radius, outer), radius, RUBBER)
            b.rod((x, radius, outer), (x, radius, outer + 0.012 * side), radius * 0.58, WHITE)
            b.rod((x, radius, outer), (x, radius, outer + 0.03 * side), radius * 0.24, STEEL)


def mast(b: Builder) -> None:
    """Two channels with their rams and chains, the carriage, its backrest, and the forks."""
    for side in (-1, 1):
        z = 0.36 * side
        b.box((0.62, 0.08, z - 0.045), (0.78, 2.15, z + 0.045), DARK)
        b.box((0.78, 0.12, z * 0.82 - 0.03), (0.86, 2.08, z * 0.82 + 0.03), STEEL)
        b.rod((0.70, 0.15, z * 0.55), (0.70, 1.75, z * 0.55), 0.035, CHROME)
        b.rod((0.80, 0.4, z * 0.25), (0.80, 2.0, z * 0.25), 0.015, STEEL)
        fork = 0.27 * side
        b.box((0.93, 0.22, fork - 0.06), (0.985, 0.86, fork + 0.06), DARK)
        b.prism([(0.93, 0.20), (2.05, 0.20), (2.05, 0.215), (0.985, 0.25)], fork - 0.06, fork + 0.06, DARK)
    for y in (0.12, 1.15, 2.08):
        b.box((0.64, y, -0.38), (0.76, y + 0.09, 0.38), DARK)
    for y in (0.42, 0.78):
        b.box((0.87, y, -0.50), (0.93, y + 0.11, 0.50), STEEL)
    for n in range(7):
        z = -0.48 + 0.16 * n
        b.box((0.885, 0.85, z - 0.012), (0.91, 1.42, z + 0.012), DARK)
    b.box((0.88, 1.40, -0.5), (0.915, 1.44, 0.5), DARK)


def driver(b: Builder) -> None:
    """Seat and a driver in an orange vest and a white hard hat, hands on the wheel."""
    b.box((-0.70, 1.10, -0.25), (-0.18, 1.20, 0.25), DARK)
    b.prism([(-0.72, 1.15), (-0.62, 1.15), (-0.72, 1.62), (-0.82, 1.62)], -0.24, 0.24, DARK)
    b.prism([(-0.62, 1.18), (-0.34, 1.18), (-0.42, 1.66), (-0.48, 1.72), (-0.62, 1.70)], -0.19, 0.19, VEST)
    b.prism([(-0.625, 1.38), (-0.36, 1.38), (-0.37, 1.43), (-0.627, 1.43)], -0.195, 0.195, (0.75, 0.76, 0.70))
    b.rod((-0.52, 1.70, 0), (-0.50, 1.80, 0), 0.06, SKIN)
    b.ball((-0.49, 1.86, 0), 0.108, SKIN)
    b.ball((-0.495, 1.88, 0), 0.135, WHITE, 0.05)
    b.rod((-0.47, 1.885, 0), (-0.47, 1.897, 0), 0.165, WHITE)
    for side in (-1, 1):
        b.rod((-0.50, 1.62, 0.22 * side), (-0.28, 1.38, 0.26 * side), 0.055, (0.06, 0.08, 0.16), 0.048)
        b.rod((-0.28, 1.38, 0.26 * side), (0.06, 1.40, 0.13 * side), 0.048, (0.06, 0.08, 0.16), 0.04)
        b.ball((0.08, 1.40, 0.13 * side), 0.05, SKIN)
        b.rod((-0.45, 1.24, 0.12 * side), (0.02, 1.24, 0.15 * side), 0.085, (0.05, 0.06, 0.10), 0.07)
        b.rod((0.02, 1.24, 0.15 * side), (0.16, 0.86, 0.15 * side), 0.065, (0.05, 0.06, 0.10), 0.05)
    b.rod((0.30, 1.15, 0), (0.12, 1.38, 0), 0.03, DARK)
    b.rod((0.12, 1.37, 0), (0.105, 1.39, 0), 0.17, RUBBER)
