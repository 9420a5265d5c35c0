"""Coloured triangles of the sample frame: the mesh, and a builder of boxes, bars, balls and prisms."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Point = tuple[float, float, float]
Colour = tuple[float, float, float]  # linear 0..1; above 1 for lamps

THING, SHELL, FLOOR, GLOW = range(4)
STEEL, DARK, RUBBER, CHROME = (
    (0.30, 0.31, 0.32),
    (0.045, 0.047, 0.05),
    (0.022, 0.022, 0.024),
    (0.55, 0.56, 0.57),
)
ORANGE, YELLOW, BLUE, WOOD = (0.80, 0.24, 0.02), (0.83, 0.52, 0.03), (0.03, 0.10, 0.34), (0.50, 0.33, 0.17)
CARTON, WHITE, SKIN, VEST = (0.46, 0.30, 0.16), (0.80, 0.80, 0.78), (0.55, 0.33, 0.23), (0.85, 0.30, 0.02)


@dataclass(frozen=True)
class Mesh:
    """Corners (T,3,3) in metres, unit normals (T,3), linear colours (T,3), kinds (T,)."""

    corners: Floats
    normal: Floats
    colour: Floats
    kind: npt.NDArray[np.int32]

    def mirrored(self) -> "Mesh":
        """The scene below the floor, as the floor reflects it; without the floor itself."""
        keep, down = self.kind != FLOOR, np.array([1, -1, 1], np.float32)
        return Mesh(self.corners[keep] * down, self.normal[keep] * down, self.colour[keep], self.kind[keep])


class Builder:
    """Collects triangles; `at` and `yaw` place everything that is added next."""

    def __init__(self) -> None:
        self._parts: list[tuple[Floats, Colour, int]] = []
        self.at: Point = (0, 0, 0)
        self.yaw = 0.0  # radians about y, from +x towards -z

    def polygon(self, points: Sequence[Point], colour: Colour, kind: int = THING) -> None:
        """A flat convex polygon."""
        p = np.array(points, np.float32)
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        p = p @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32) + np.array(self.at, np.float32)
        fans = [p[[0, i, i + 1]] for i in range(1, len(p) - 1)]
        self._parts += [(fan.astype(np.float32), colour, kind) for fan in fans]

    def prism(self, profile: Sequence[tuple[float, float]], z0: float, z1: float, colour: Colour) -> None:
        """A convex outline in x and y, drawn out from z0 to z1."""
        for z in (z0, z1):
            self.polygon([(x, y, z) for x, y in profile], colour)
        for (xa, ya), (xb, yb) in zip(profile, (*profile[1:], profile[0]), strict=True):
            self.polygon([(xa, ya, z0), (xb, yb, z0), (xb, yb, z1), (xa, ya, z1)], colour)

    def box(self, low: Point, high: Point, colour: Colour, kind: int = THING) -> None:
        """A box between two corners."""
        (a, b, c), (x, y, z) = low, high
        self.polygon([(a, b, c), (x, b, c), (x, y, c), (a, y, c)], colour, kind)
        self.polygon([(a, b, z), (x, b, z), (x, y, z), (a, y, z)], colour, kind)
        self.polygon([(a, b, c), (a, y, c), (a, y, z), (a, b, z)], colour, kind)
        self.polygon([(x, b, c), (x, y, c), (x, y, z), (x, b, z)], colour, kind)
        self.polygon([(a, y, c), (x, y, c), (x, y, z), (a, y, z)], colour, kind)
        self.polygon([(a, b, c), (x, b, c), (x, b, z), (a, b, z)], colour, kind)

    def rod(self, start: Point, end: Point, radius: float, colour: Colour, tip: float | None = None) -> None:
        """A round bar; `tip` is its radius at the end."""
        a, b = np.array(start, float), np.array(end, float)
        along = (b - a) / np.linalg.norm(b - a)
        side = np.cross(along, [0, 1, 0] if abs(along[1]) < 0.9 else [1, 0, 0])
        side /= np.linalg.norm(side)
        up, n = np.cross(along, side), 18
        ring = [np.cos(t) * side + np.sin(t) * up for t in np.linspace(0, 2 * np.pi, n + 1)]
        low, high = [a + radius * r for r in ring], [b + (radius if tip is None else tip) * r for r in ring]
        for i in range(n):
            self.polygon([tuple(v) for v in (low[i], low[i + 1], high[i + 1], high[i])], colour)
        self.polygon([tuple(v) for v in low[:-1]], colour)
        self.polygon([tuple(v) for v in high[:-1]], colour)

    def ball(self, centre: Point, radius: float, colour: Colour, lowest: float = -1.0) -> None:
        """A ball, or its part above `lowest` (in radii)."""
        n = 14
        levels = np.linspace(np.arcsin(lowest), np.pi / 2, n // 2 + 1)
        turns = np.linspace(0, 2 * np.pi, n + 1)

        def spot(t: float, p: float) -> Point:
            r = radius * np.cos(p)
            return centre[0] + r * np.cos(t), centre[1] + radius * np.sin(p), centre[2] + r * np.sin(t)

        for p, q in pairwise(levels):
            for t, u in pairwise(turns):
                self.polygon([spot(t, p), spot(u, p), spot(u, q), spot(t, q)], colour)

    def mesh(self) -> Mesh:
        """All triangles; those without an area are left out."""
        corners = np.stack([part for part, _, _ in self._parts])
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        keep = length[:, 0] > 1e-9
        colour, kind = (
            np.array([c for _, c, _ in self._parts], np.float32),
            np.array([k for *_, k in self._parts]),
        )
        return Mesh(
            corners[keep],
            (normal / np.maximum(length, 1e-9))[keep],
            colour[keep],
            kind[keep].astype(np.int32),
        )
