"""A scene as a value: everything that is drawn, from one seed, and the hazards that are switched on.

Nothing but the switches differs between the two scenes of a minimal pair: every place, colour and light is
drawn from the seed alone, before and apart from the switches.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from yochi_runtime.errors import UsageError

from .hazards import HAZARDS

VERSION = 2  # of drawing and geometry: scenes of another version are other scenes
FLOOR_STATIONS = ("machine", "conveyor", "stack", "ladder", "crane", "forklift")
WALL_STATIONS = ("exit", "extinguisher", "panel", "cylinder")
WALL_X = (-3.7, -2.2, -0.7, 0.8, 2.3, 3.7)  # metres along the back wall
ASPECTS = (1.0, 0.75)  # height over width
QUIET = 0.4  # share of scenes drawn with every switch off
SWITCHED = 0.15  # chance of each switch in the others
CLOSE = 0.5  # share of scenes in which the camera stands before one thing at the wall
Rgb = tuple[float, float, float]  # linear, 0..1
Xy = tuple[float, float]  # metres on the floor


@dataclass(frozen=True)
class Layout:
    """Where everything stands. `places`: station -> (x, y) in metres; the room is x -5..5, y -2..8."""

    places: tuple[tuple[str, Xy], ...]
    mirrored: bool  # which side of a station its person and things take
    facing: float  # degrees the people are turned away from the camera
    spill_at: Xy
    cable_y: float  # metres
    capped: bool  # a worker without a helmet wears a cap, else nothing
    wording: int  # which text stands on the board

    def at(self, station: str) -> Xy | None:
        return dict(self.places).get(station)


@dataclass(frozen=True)
class Camera:
    at: tuple[float, float, float]  # metres
    look_at: tuple[float, float, float]  # metres
    focal: float  # mm on a 36 mm wide sensor
    aspect: float  # height over width


@dataclass(frozen=True)
class Light:
    ambient: float  # strength of the world's even light
    lamp: float  # watts of each ceiling lamp
    warmth: float  # 0 cool .. 1 warm
    lamp_x: float  # metres off the middle


@dataclass(frozen=True)
class Look:
    floor: Rgb
    wall: Rgb
    machine: Rgb
    crate: Rgb
    clothes: Rgb
    vest: Rgb
    helmet: Rgb
    skin: Rgb


@dataclass(frozen=True)
class Spoil:
    """What lens, sensor and encoder do to the picture."""

    dirt: float  # 0 clean .. 1 heavily smeared
    blur: float  # standard deviation, thousandths of the picture's width
    noise: float  # standard deviation, 8-bit levels
    jpeg: int  # quality, 1..95


@dataclass(frozen=True)
class SceneSpec:
    seed: int
    layout: Layout
    camera: Camera
    light: Light
    look: Look
    spoil: Spoil
    hazards: tuple[str, ...]  # ids that are switched on, sorted

    def on(self, hazard: str) -> bool:
        return hazard in self.hazards

    def flip(self, hazard: str) -> "SceneSpec":
        """The same scene with one switch the other way. UsageError where nothing in the scene carries it."""
        if hazard not in self.applicable():
            raise UsageError(
                f"expected a hazard of scene {self.seed}: {', '.join(self.applicable())}; got {hazard!r}"
            )
        return replace(self, hazards=tuple(sorted({*self.hazards} ^ {hazard})))

    def applicable(self) -> tuple[str, ...]:
        """Ids of the hazards whose station is in the scene."""
        return tuple(h.id for h in HAZARDS if not h.station or self.layout.at(h.station))


def draw_spec(seed: int) -> SceneSpec:
    """The scene of `seed`; the same on every machine."""
    layout, camera = _layout(_rng(seed, "layout")), _camera(_rng(seed, "camera"))
    rng = _rng(seed, "close")
    if rng.random() < CLOSE:
        layout, camera = _close_up(layout, camera, rng)
    spec = SceneSpec(
        seed=seed,
        layout=layout,
        camera=camera,
        light=_light(_rng(seed, "light")),
        look=_look(_rng(seed, "look")),
        spoil=_spoil(_rng(seed, "spoil")),
        hazards=(),
    )
    rng = _rng(seed, "hazards")
    quiet = rng.random() < QUIET
    draws = {h.id: rng.random() for h in HAZARDS}  # one for each, wanted or not: stations do not shift them
    on = () if quiet else tuple(sorted(h for h in spec.applicable() if draws[h] < SWITCHED))
    return replace(spec, hazards=on)


def pairs(spec: SceneSpec) -> Iterator[tuple[str, SceneSpec]]:
    """Every minimal pair of `spec`: the switch, and the scene with it flipped."""
    for hazard in spec.applicable():
        yield hazard, spec.flip(hazard)


def _rng(seed: int, what: str) -> random.Random:
    return random.Random(f"yochi-scene-{VERSION}-{seed}-{what}")


def _layout(rng: random.Random) -> Layout:
    floor = rng.sample(FLOOR_STATIONS, 2)
    wall = rng.sample(WALL_STATIONS, 3)
    walls = sorted(rng.sample(WALL_X, 3))
    rng.shuffle(walls)
    places: dict[str, Xy] = {}
    for station, x in zip(floor, (-2.3, 2.3), strict=True):
        places[station] = (x + rng.uniform(-0.25, 0.25), rng.uniform(4.6, 5.4))
    for station, x in zip(wall, walls, strict=True):
        places[station] = (x + rng.uniform(-0.15, 0.15), 8.0)
    places["worker"] = (rng.uniform(-0.6, 0.6), rng.uniform(3.5, 4.6))
    side = rng.choice((-1, 1))
    if rng.random() < 0.45:
        places["board"] = (side * rng.uniform(1.1, 1.4), rng.uniform(2.7, 3.1))
    if rng.random() < 0.45:
        places["bin"] = (-side * rng.uniform(1.1, 1.5), rng.uniform(2.9, 3.4))
    return Layout(
        places=tuple(sorted(places.items())),
        mirrored=rng.random() < 0.5,
        facing=rng.uniform(-70, 70),
        spill_at=(rng.uniform(-0.8, 0.8), rng.uniform(2.8, 3.3)),
        cable_y=rng.uniform(3.0, 3.8),
        capped=rng.random() < 0.5,
        wording=rng.randrange(1000),
    )


def _camera(rng: random.Random) -> Camera:
    angle = math.radians(rng.uniform(-22, 22))
    distance = rng.uniform(3.9, 4.7)
    return Camera(
        at=(distance * math.sin(angle), 4.0 - distance * math.cos(angle), rng.uniform(1.6, 2.7)),
        look_at=(rng.uniform(-0.4, 0.4), 4.6, rng.uniform(0.9, 1.3)),
        focal=rng.uniform(23, 29),
        aspect=rng.choice(ASPECTS),
    )


def _close_up(layout: Layout, camera: Camera, rng: random.Random) -> tuple[Layout, Camera]:
    """The camera 2.3 to 3.2 m before a wall station, the worker beside that, all else behind the camera.

    From across the room a door is a tenth of the picture, crates before it or beside it two cells apart.
    """
    subject = rng.choice([station for station in WALL_STATIONS if layout.at(station)])
    places = {name: (x, y - 4.2) if name in FLOOR_STATIONS else (x, y) for name, (x, y) in layout.places}
    x, wall = places[subject]
    inward = -1 if x > 0 else 1  # the corners have crates
    places["worker"] = (x + inward * rng.uniform(0.85, 1.3), rng.uniform(6.0, 6.6))
    angle, distance = math.radians(rng.uniform(-22, 22)), rng.uniform(2.3, 3.2)
    at = (x + distance * math.sin(angle), wall - distance * math.cos(angle), rng.uniform(1.4, 2.2))
    return replace(layout, places=tuple(sorted(places.items()))), replace(
        camera,
        at=(max(-4.6, min(4.6, at[0])), at[1], at[2]),
        look_at=(x + inward * rng.uniform(0, 0.4), wall, rng.uniform(0.95, 1.3)),
        focal=rng.uniform(19, 24),
    )


def _light(rng: random.Random) -> Light:
    return Light(rng.uniform(0.08, 0.4), rng.uniform(50, 200), rng.random(), rng.uniform(-2, 2))


def _look(rng: random.Random) -> Look:
    gray, wall = rng.uniform(0.12, 0.4), rng.uniform(0.3, 0.75)
    skin = rng.choice(((0.62, 0.38, 0.26), (0.45, 0.25, 0.15), (0.2, 0.1, 0.06), (0.75, 0.5, 0.37)))
    return Look(
        floor=(gray, gray * rng.uniform(0.9, 1.05), gray * rng.uniform(0.8, 1.1)),
        wall=(wall, wall * rng.uniform(0.92, 1.0), wall * rng.uniform(0.8, 1.0)),
        machine=rng.choice(((0.06, 0.22, 0.2), (0.1, 0.16, 0.4), (0.4, 0.4, 0.38), (0.08, 0.25, 0.09))),
        crate=rng.choice(((0.45, 0.28, 0.13), (0.1, 0.2, 0.45), (0.35, 0.35, 0.33), (0.5, 0.36, 0.2))),
        clothes=rng.choice(((0.03, 0.05, 0.14), (0.2, 0.2, 0.19), (0.1, 0.13, 0.07), (0.28, 0.25, 0.2))),
        vest=rng.choice(((0.9, 0.25, 0.02), (0.6, 0.85, 0.03))),
        helmet=rng.choice(((0.85, 0.85, 0.82), (0.9, 0.65, 0.02), (0.03, 0.15, 0.6), (0.75, 0.08, 0.03))),
        skin=skin,
    )


def _spoil(rng: random.Random) -> Spoil:
    dirt = rng.uniform(0.2, 0.8) if rng.random() < 0.3 else 0.0
    blur = rng.uniform(0.5, 3.5) if rng.random() < 0.4 else 0.0
    return Spoil(dirt, blur, rng.uniform(0, 6), rng.randint(45, 92))
