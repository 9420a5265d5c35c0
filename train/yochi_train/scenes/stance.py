"""How a 3D file is put into a place: which way it stands, and how large. Pure Python; nothing knows Blender.

Files come in every unit, and many do not keep to glTF's rule that y (in Blender z) is up. A thing that
stands was modelled on its origin, so the axis along which its box lies to one side of it is up.
"""

from collections.abc import Sequence

ASIDE = (
    0.4  # how far off the origin the middle of a standing thing's box is, against its height; 0.5: its foot
)
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
# Turns that bring (axis, direction) to z.
TURNS: dict[tuple[int, int], Matrix] = {
    (0, 1): ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    (0, -1): ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    (1, 1): ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    (1, -1): ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    (2, 1): ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}
QUARTER: Matrix = ((0, -1, 0), (1, 0, 0), (0, 0, 1))


def upright(low: Sequence[float], high: Sequence[float]) -> Matrix:
    """The turn that lets the thing in the box `low`..`high` stand along z.

    Where the box tells nothing, z is up, as glTF says. ValueError where two other axes may be, or it is flat.
    """
    if min(h - a for a, h in zip(low, high, strict=True)) < 0 or max(high[0] - low[0], high[1] - low[1]) <= 0:
        raise ValueError(f"expected a model with an extent, got the box {list(low)} to {list(high)}")
    aside = [(a + h) / 2 / max(h - a, 1e-9) for a, h in zip(low, high, strict=True)]
    standing = [axis for axis in range(3) if abs(aside[axis]) >= ASIDE]
    if 2 in standing or not standing:
        return TURNS[2, 1]
    if len(standing) > 1:
        raise ValueError(
            f"expected a model that stands on its origin, got the box {list(low)} to {list(high)}; "
            "move the origin to the middle of its foot"
        )
    return TURNS[standing[0], 1 if aside[standing[0]] > 0 else -1]


def placement(low: Sequence[float], high: Sequence[float], size: Sequence[float]) -> tuple[Matrix, Row]:
    """(M, t): M p + t stands, as large as it can, on the floor of the box `size` around the origin.

    Its sides keep their proportions, and its longer side lies along the longer side of the box.
    """
    turn = upright(low, high)
    low, high = _turned(turn, low, high)
    if (high[0] - low[0] > high[1] - low[1]) != (size[0] > size[1]):
        turn = _product(QUARTER, turn)
        low, high = _turned(QUARTER, low, high)
    scale = min(s / (h - a) for s, a, h in zip(size, low, high, strict=True) if h > a)
    shift = (
        -scale * (low[0] + high[0]) / 2,
        -scale * (low[1] + high[1]) / 2,
        -size[2] / 2 - scale * low[2],
    )
    rows = [(scale * x, scale * y, scale * z) for x, y, z in turn]
    return (rows[0], rows[1], rows[2]), shift


def _turned(turn: Matrix, low: Sequence[float], high: Sequence[float]) -> tuple[Row, Row]:
    """The box around a turned box; exact, as every turn is a quarter."""
    ends = [[sum(r * v for r, v in zip(row, corner, strict=True)) for row in turn] for corner in (low, high)]
    pairs = [sorted(pair) for pair in zip(*ends, strict=True)]
    return (pairs[0][0], pairs[1][0], pairs[2][0]), (pairs[0][1], pairs[1][1], pairs[2][1])


def _product(first: Matrix, second: Matrix) -> Matrix:
    x, y, z = zip(*second, strict=True)
    rows: list[Row] = [(_dot(row, x), _dot(row, y), _dot(row, z)) for row in first]
    return rows[0], rows[1], rows[2]


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))
