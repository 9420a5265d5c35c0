"""A scene specification -> its parts, its lamps, and what the renderer is asked to do with them."""

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

from . import floor, machines, premises, signs
from .assets import Assets, richer
from .figures import Wear, person
from .hazards import HAZARDS, NEUTRAL
from .parts import Part, place
from .spec import SceneSpec, Xy

SEE_THROUGH = ("smoke",)  # what stands behind it may still be seen
CAMERA_ONLY = ("ceiling",)  # seen, but casts no shadow and reflects nothing
MOST_OBJECTS = 255  # the mask has 8 bits; 0 is nothing


def scene_parts(spec: SceneSpec, assets: Assets | None = None) -> list[Part]:
    """Every part of the scene, in an order that depends on nothing but the specification and the assets."""
    layout, look = spec.layout, spec.look
    rng = random.Random(f"{spec.seed}-details")
    # Drawn in this order whether shown or not: a switch shifts no other draw.
    spill, cable, burning = (random.Random(rng.random()) for _ in range(3))
    side = 1 if layout.mirrored else -1
    parts = premises.room(look)
    parts += _wall_stations(spec)
    parts += _floor_stations(spec, side)
    if at := layout.at("worker"):
        wear = Wear(not spec.on("no_helmet"), not spec.on("no_vest"), layout.capped)
        parts += place(person("worker", "stand", wear, look), (*at, 0.0), layout.facing)
    if at := layout.at("board"):
        parts += place(signs.board("board", spec.on("steering_sign"), layout.wording), (*at, 0.0))
    if at := layout.at("bin"):
        parts += place(floor.drum(spec.on("fire"), spec.on("smoke"), burning), (*at, 0.0))
    if spec.on("spill"):
        parts += place(floor.spill(spill), (*layout.spill_at, 0.0))
    if spec.on("trailing_cable"):
        parts += floor.cable(cable, layout.cable_y, side)
    return richer(parts, spec, assets) if assets else parts


def _wall_stations(spec: SceneSpec) -> Iterator[Part]:
    layout, look = spec.layout, spec.look
    for station, (x, y) in layout.places:
        if station == "exit":
            blocked, against = spec.on("exit_blocked"), spec.on("sign_contradicting")
            yield from premises.exit_station(look, layout, x, blocked, against)
        elif station == "extinguisher":
            yield from premises.extinguisher_station(look, layout, x, spec.on("extinguisher_blocked"))
        elif station == "panel":
            yield from place(premises.panel(spec.on("panel_open"), not spec.on("sign_missing")), (x, y, 0))
        elif station == "cylinder":
            yield from place(premises.gas_cylinders(not spec.on("cylinder_unsecured")), (x, y, 0))


def _floor_stations(spec: SceneSpec, side: int) -> Iterator[Part]:
    look = spec.look
    for station, at in spec.layout.places:
        if station == "machine":
            parts = machines.machine(look, guarded=not spec.on("guard_missing"))
        elif station == "conveyor":
            parts = machines.conveyor(look, spec.on("reach_over_conveyor"))
        elif station == "stack":
            parts = floor.stack(look, spec.on("stack_unstable"))
        elif station == "ladder":
            parts = floor.ladder(look, side, spec.on("person_on_ladder"))
        elif station == "crane":
            parts = machines.crane(look, side, spec.on("load_over_person"))
        elif station == "forklift":
            parts = machines.forklift()
            yield from _traffic(spec, at)
        else:
            continue
        yield from place(parts, (*at, 0.0))


def _traffic(spec: SceneSpec, forklift: Xy) -> Iterator[Part]:
    """The walker, before the forks or far behind on the walkway; and the walkway's lines."""
    inward = -1.0 if forklift[0] > 0 else 1.0
    near = (forklift[0] + 0.25 * inward, forklift[1] - 2.0)
    far = (forklift[0] + inward * (abs(forklift[0]) - 0.4), 7.0)
    yield from place(
        machines.walker(spec.look), (*(near if spec.on("forklift_near_person") else far), 0.0), 15
    )
    if not spec.on("lane_missing"):
        yield from machines.lane()


def label_keys() -> tuple[str, ...]:
    """Every object key that a label asks about; a key means the object of that name and all below it."""
    asked = [key for hazard in HAZARDS for key in hazard.evidence]
    asked += [key for keys in NEUTRAL.values() for key in keys]
    return tuple(dict.fromkeys(asked))


def belongs(name: str, key: str) -> bool:
    """`worker/head/hair` belongs to `worker/head` and to `worker`."""
    return name == key or name.startswith(f"{key}/")


def render_request(spec: SceneSpec, size: int, samples: int, assets: Assets | None = None) -> dict[str, Any]:
    """What Blender is told, as JSON values. `size`: pixels of the width; ids count from 1 in `objects`."""
    parts = scene_parts(spec, assets)
    objects = list(dict.fromkeys(part.object for part in parts))
    if len(objects) > MOST_OBJECTS:
        raise ValueError(f"expected at most {MOST_OBJECTS} objects, got {len(objects)}")
    light = spec.light
    warm = (1.0, 0.93 - 0.13 * light.warmth, 0.9 - 0.4 * light.warmth)
    lamps = [
        {"at": (light.lamp_x + x, y, 4.8), "watts": light.lamp, "color": warm}
        for x in (-2, 2)
        for y in (1, 6)
    ]
    if spec.on("fire") and (at := spec.layout.at("bin")):
        lamps.append({"at": (at[0], at[1] - 0.4, 1.3), "watts": 40.0, "color": (1.0, 0.4, 0.1)})
    return {
        "width": size,
        "height": round(size * spec.camera.aspect),
        "samples": samples,
        "seed": spec.seed,
        "camera": dataclasses.asdict(spec.camera),
        "ambient": light.ambient,
        "lamps": lamps,
        "objects": objects,
        "keys": [key for key in label_keys() if any(belongs(name, key) for name in objects)],
        "see_through": [name for name in SEE_THROUGH if name in objects],
        "camera_only": list(CAMERA_ONLY),
        "parts": [dataclasses.asdict(part) for part in parts],
        "assets": str(assets.folder) if assets else "",
        "may_show": assets.may_show(objects) if assets else {},
    }
