"""Draw the sample frame: a forklift coming up to a loaded pallet in a hall. Our own picture, no photo.

    python docs/sample/make_frame.py [OUT.jpg]

A small z-buffer renderer, so that perspective, occlusion and shadows are true: triangles go into a buffer of
1/depth, then every pixel is lit once (three lamps with shadow maps, sky light, ambient occlusion, a faint
mirror on the floor). Metres; x to the right, y up, z away from the camera. Deterministic: seeded noise only.
What stands in the hall is in `hall.py` and `forklift.py` beside this file.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from hall import hall
from mesh import FLOOR, GLOW, SHELL, Mesh
from PIL import Image, ImageFilter

Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT, OVERSAMPLE = 960, 720, 2
EYE = np.array([0.25, 1.78, 0.0], np.float32)
PITCH = np.radians(4.0)  # downwards
FOCAL = 0.80  # image widths: 64 degrees across
NEAR = 0.3
LAMPS = (
    ((0.45, 1.0, -0.55), 0.50),
    ((-0.60, 1.0, -0.15), 0.34),
    ((0.15, 1.0, 0.60), 0.26),
)  # direction, power
SHADOW_PIXELS, SHADOW_SPAN, SHADOW_CENTRE = 2048, 26.0, np.array([0, 0, 10], np.float32)
RIGHT = np.array([1, 0, 0], np.float32)
DOWN = np.array([0, -np.cos(PITCH), -np.sin(PITCH)], np.float32)
AHEAD = np.array([0, -np.sin(PITCH), np.cos(PITCH)], np.float32)


def rasterize(xy: Floats, key: Floats, width: int, height: int) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Key (higher is nearer, linear on screen) and triangle index per pixel; xy (T,3,2) pixels, key (T,3)."""
    best, index = np.full((height, width), -np.inf, np.float32), np.full((height, width), -1, np.int32)
    lower = np.maximum(np.floor(xy.min(1)), 0).astype(int)
    upper = np.minimum(np.ceil(xy.max(1)) + 1, (width, height)).astype(int)
    (ax, ay), (bx, by), (cx, cy) = (xy[:, i].T for i in range(3))
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    for t in np.flatnonzero((upper > lower).all(1) & (np.abs(area) > 1e-6)):
        (x0, y0), (x1, y1) = lower[t], upper[t]
        x, y = np.arange(x0, x1) + 0.5, (np.arange(y0, y1) + 0.5)[:, None]
        v = ((x - ax[t]) * (cy[t] - ay[t]) - (cx[t] - ax[t]) * (y - ay[t])) / area[t]
        w = ((bx[t] - ax[t]) * (y - ay[t]) - (x - ax[t]) * (by[t] - ay[t])) / area[t]
        depth = key[t, 0] + v * (key[t, 1] - key[t, 0]) + w * (key[t, 2] - key[t, 0])
        hit = (v >= 0) & (w >= 0) & (v + w <= 1) & (depth > best[y0:y1, x0:x1])
        best[y0:y1, x0:x1][hit] = depth[hit]
        index[y0:y1, x0:x1][hit] = t
    return best, index


def seen(mesh: Mesh, width: int, height: int) -> tuple[Floats, npt.NDArray[np.int32], Floats]:
    """Camera view: depth in metres, triangle index, world position (H,W,3)."""
    local = mesh.corners - EYE
    x, y, z = local @ RIGHT, local @ DOWN, local @ AHEAD
    scale = np.float32(FOCAL * width)
    ok = np.flatnonzero((z > NEAR).all(1))
    zs = z[ok].astype(np.float32)
    xy = np.stack([x[ok] / zs * scale + width / 2, y[ok] / zs * scale + height / 2], 2).astype(np.float32)
    key, index = rasterize(xy, np.reciprocal(zs), width, height)
    found = index >= 0
    index[found] = ok[index[found]]
    depth = np.where(found, 1 / np.maximum(key, 1e-3), 100).astype(np.float32)
    u = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / scale
    v = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2) / scale
    ray = u[None, :, None] * RIGHT + v[:, :, None] * DOWN + AHEAD
    return depth, index, (EYE + ray * depth[..., None]).astype(np.float32)


def lamp_light(mesh: Mesh, at: Floats, direction: tuple[float, float, float]) -> Floats:
    """Share 0..1 of one far lamp's light that reaches `at` (H,W,3), soft at the edges."""
    to = np.array(direction, np.float32)
    to /= np.linalg.norm(to)
    side = np.cross(to, [0, 0, 1]).astype(np.float32)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(to, side), to], 1)
    scale = SHADOW_PIXELS / SHADOW_SPAN
    casters = mesh.corners[(mesh.kind != SHELL) & (mesh.kind != FLOOR)]
    turned = (casters - SHADOW_CENTRE) @ axes
    near, _ = rasterize(
        turned[..., :2] * scale + SHADOW_PIXELS / 2, turned[..., 2], SHADOW_PIXELS, SHADOW_PIXELS
    )
    here = (at - SHADOW_CENTRE) @ axes
    column, row = (np.clip(here[..., i] * scale + SHADOW_PIXELS / 2, 3, SHADOW_PIXELS - 4) for i in range(2))
    lit = np.zeros(at.shape[:2], np.float32)
    taps = [(dx, dy) for dx in (-2.4, -0.8, 0.8, 2.4) for dy in (-2.4, -0.8, 0.8, 2.4)]
    for dx, dy in taps:
        lit += near[(row + dy).astype(int), (column + dx).astype(int)] < here[..., 2] + 0.06
    return (lit / len(taps)).astype(np.float32)


def open_sky(depth: Floats, rng: np.random.Generator) -> Floats:
    """Ambient occlusion 0..1 on the screen: how few of the neighbours within 0.5 m stand in front."""
    height, width = depth.shape
    rows, columns = np.indices(depth.shape)
    hidden = np.zeros_like(depth)
    turn = rng.random(depth.shape, dtype=np.float32) * 2 * np.pi
    for i in range(14):
        reach = 0.5 * FOCAL * width / depth * ((i + 1) / 14)
        angle = turn + i * 2.4
        r = np.clip(rows + reach * np.sin(angle), 0, height - 1).astype(int)
        c = np.clip(columns + reach * np.cos(angle), 0, width - 1).astype(int)
        ahead = depth - depth[r, c]
        hidden += np.clip(ahead / 0.12, 0, 1) * np.clip(1.3 - ahead, 0, 1)
    return (1 - 0.8 * hidden / 14).astype(np.float32)


def clouds(rng: np.random.Generator, at: Floats, sizes: tuple[float, ...]) -> Floats:
    """Smooth noise -1..1 over the world, as dirt and wear; `sizes` of its patches in metres."""
    total = np.zeros(at.shape[:2], np.float32)
    for n, size in enumerate(sizes):
        grid = rng.uniform(-1, 1, (64, 64)).astype(np.float32)
        u, v = (at[..., 0] + 0.6 * at[..., 1]) / size, (at[..., 2] - 0.8 * at[..., 1]) / size
        i, j = np.floor(u).astype(int), np.floor(v).astype(int)
        a, b = (smooth * smooth * (3 - 2 * smooth) for smooth in (u - i, v - j))
        corner = [[grid[(j + y) % 64, (i + x) % 64] for x in (0, 1)] for y in (0, 1)]
        top, bottom = (pair[0] * (1 - a) + pair[1] * a for pair in corner)
        total += (top * (1 - b) + bottom * b) / (n + 1)
    return total / sum(1 / (n + 1) for n in range(len(sizes)))


def light(mesh: Mesh, width: int, height: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Linear colour (H,W,3), floor mask and depth of the scene as the camera sees it."""
    depth, index, at = seen(mesh, width, height)
    normal, colour, kind = mesh.normal[index], mesh.colour[index].copy(), mesh.kind[index]
    facing = np.sign(np.sum((EYE - at) * normal, -1, keepdims=True))
    normal = normal * np.where(facing == 0, 1, facing)
    floor = (kind == FLOOR).astype(np.float32)
    colour *= 1 + (0.07 + 0.10 * floor[..., None]) * clouds(rng, at, (2.3, 0.6, 0.12, 0.04))[..., None]
    joints = (np.abs((at[..., 0] + 1.7) % 4) < 0.012) | (np.abs((at[..., 2] + 0.9) % 4) < 0.02)
    colour *= 1 - 0.35 * (floor * joints)[..., None]
    sky = open_sky(depth, rng)
    total = (0.19 + 0.11 * normal[..., 1]) * sky
    for direction, power in LAMPS:
        to = np.array(direction, np.float32) / np.float32(np.linalg.norm(direction))
        total += power * np.clip(normal @ to, 0, 1) * lamp_light(mesh, at, direction) * (0.5 + 0.5 * sky)
    total *= np.exp(-np.maximum(depth - 6, 0) / 60)
    linear = colour * total[..., None] * np.array([1.0, 0.985, 0.95], np.float32)
    glow = kind == GLOW
    linear[glow] = mesh.colour[index][glow]
    haze = (1 - np.exp(-depth / 160))[..., None]
    return linear * (1 - haze) + 0.4 * haze, floor, depth


def blurred(linear: Floats, radius: float) -> Floats:
    """Gaussian blur of each channel."""
    planes = [Image.fromarray(np.ascontiguousarray(linear[..., i])) for i in range(3)]
    return np.stack([np.asarray(_blur(p, radius)) for p in planes], -1)


def _blur(plane: Image.Image, radius: float) -> Image.Image:
    """Pillow blurs no floats: shrink and enlarge instead, smooth enough for a reflection or a glow."""
    small = plane.resize(
        (max(1, int(plane.width / radius)), max(1, int(plane.height / radius))), Image.Resampling.BOX
    )
    return small.resize(plane.size, Image.Resampling.BICUBIC)


def render() -> Image.Image:
    """The finished picture, as a cheap camera would take it."""
    rng = np.random.default_rng(20261123)
    width, height = WIDTH * OVERSAMPLE, HEIGHT * OVERSAMPLE
    mesh = hall()
    linear, floor, depth = light(mesh, width, height, rng)
    mirrored = light(mesh.mirrored(), width, height, rng)[0]
    share = (floor * np.clip(0.05 + 0.012 * depth, 0, 0.24))[..., None]
    linear = linear * (1 - share) + blurred(mirrored, 10) * share
    linear += 0.05 * blurred(np.clip(linear - 0.8, 0, 2), 40)  # the lamps bleed
    x, y = np.linspace(-1, 1, width), np.linspace(-0.75, 0.75, height)[:, None]
    linear *= (1 - 0.22 * (x**2 + y**2))[..., None]
    shown = 255 * np.clip(1.62 * linear / (1 + 0.5 * linear), 0, 1) ** (1 / 1.9)
    picture = Image.fromarray(shown.astype(np.uint8)).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    grain = rng.normal(0, 2.6, (HEIGHT, WIDTH, 1)) + rng.normal(0, 1.2, (HEIGHT, WIDTH, 3))
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("frame.jpg")
    render().save(target, quality=84)
    print(f"{target}: {target.stat().st_size} bytes")
