"""Geometry as values: what a switch changes, and that it changes nothing else."""

import ast
import json
import math
from collections import defaultdict
from pathlib import Path

import pytest
import yochi_train.scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from yochi_train.scenes.hazards import HAZARDS
from yochi_train.scenes.parts import FACING_CAMERA, Part, box, chain, place, rod
from yochi_train.scenes.scene import MOST_OBJECTS, belongs, label_keys, render_request, scene_parts
from yochi_train.scenes.seeds import draw_pairs
from yochi_train.scenes.spec import FLOOR_STATIONS, SceneSpec, draw_spec, pairs

INSIDE_BLENDER = {"build.py", "models.py", "surfaces.py"}
PURE = {"stance"}  # runs inside and outside, and imports nothing of ours
# The objects that each switch adds, removes or moves. Nothing else may differ.
TOUCHES = {
    "guard_missing": {"machine/guard"},
    "reach_over_conveyor": {"operator"},
    "exit_blocked": {"exit_crates"},
    "extinguisher_blocked": {"extinguisher_crates"},
    "spill": {"spill"},
    "trailing_cable": {"cable"},
    "panel_open": {"panel"},
    "person_on_ladder": {"climber"},
    "stack_unstable": {"stack"},
    "load_over_person": {"load", "crane"},
    "forklift_near_person": {"walker"},
    "lane_missing": {"lane"},
    "no_helmet": {"worker"},
    "no_vest": {"worker/vest"},
    "cylinder_unsecured": {"rack"},
    "smoke": {"smoke"},
    "fire": {"fire"},
    "sign_missing": {"panel/sign"},
    "sign_contradicting": {"exit/contradiction"},
    "steering_sign": {"board/text"},
}


def by_object(spec: SceneSpec) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for part in scene_parts(spec):
        found[part.object].append(part)
    return found


@pytest.mark.parametrize("number", range(2 * len(HAZARDS)))
def test_a_switch_changes_its_own_objects_and_no_other(number: int) -> None:
    pair = draw_pairs(2 * len(HAZARDS))[number]
    (_, spec), (_, other) = pair.scenes()
    before, after = by_object(spec), by_object(other)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert changed
    assert all(any(belongs(name, key) for key in TOUCHES[pair.hazard]) for name in changed), changed


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_evidence_stands_where_its_hazard_is_on(seed: int) -> None:
    for hazard, other in pairs(draw_spec(seed)):
        switch = next(h for h in HAZARDS if h.id == hazard)
        names = set(by_object(other if other.on(hazard) else draw_spec(seed)))
        for key in switch.evidence:
            assert any(belongs(name, key) for name in names), (hazard, key)


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_a_request_is_json_and_its_ids_fit_the_mask(seed: int) -> None:
    request = render_request(draw_spec(seed), 64, 1)
    assert json.loads(json.dumps(request)) == json.loads(json.dumps(render_request(draw_spec(seed), 64, 1)))
    assert len(request["objects"]) == len(set(request["objects"])) <= MOST_OBJECTS
    assert {part["object"] for part in request["parts"]} == set(request["objects"])
    assert set(request["keys"]) <= set(label_keys())
    assert request["width"] == 64
    assert request["height"] in (48, 64)
    for part in request["parts"]:
        assert all(math.isfinite(v) for v in (*part["at"], *part["size"], *part["turn"]))
        assert all(0 <= v <= 1 for v in part["color"]), part
        assert (len(part["points"]) >= 3) == (part["shape"] == "polygon")
        assert bool(part["text"]) == (part["shape"] == "text")


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_everything_stands_in_the_room_before_the_camera(seed: int) -> None:
    spec = draw_spec(seed)
    at, places = spec.camera.at, dict(spec.layout.places)
    if at[1] > 3:  # close to one thing at the wall
        seen = {name: y for name, (_, y) in places.items() if name not in (*FLOOR_STATIONS, "board", "bin")}
        assert len(seen) == 4  # three at the wall, and the worker
        assert min(seen.values()) > at[1] + 0.1
        assert max(y for name, (_, y) in places.items() if name not in seen) < at[1] - 1.5
        assert min(abs(places[name][0] - spec.camera.look_at[0]) for name in seen if name != "worker") <= 0.4
    else:
        assert at[1] < min(y for _, y in places.values()) - 2
    assert -5 < at[0] < 5
    for part in scene_parts(spec):
        if part.object not in ("room", "ceiling"):
            assert -5 <= part.at[0] <= 5, part
            assert -2 < part.at[1] <= 8.05, part
            assert 0 <= part.at[2] < 5, part


def test_crates_that_block_nothing_stand_beside_the_door_and_before_nothing_else() -> None:
    beside = 0
    for spec in map(draw_spec, range(60)):
        door = spec.layout.at("exit")
        if door is None:
            continue
        free = spec if not spec.on("exit_blocked") else spec.flip("exit_blocked")
        lowest = next(part for part in scene_parts(free) if part.object == "exit_crates")
        away = abs(lowest.at[0] - door[0])
        beside += away < 1.4
        assert away > 0.6 + 0.475  # half a door and half a crate
    assert beside > 20


def test_smoke_is_seen_through_and_fire_gives_light() -> None:
    spec = next(s for s in map(draw_spec, range(99)) if s.layout.at("bin") and not s.hazards)
    plain = render_request(spec, 64, 1)
    smoking, burning = (render_request(spec.flip(h), 64, 1) for h in ("smoke", "fire"))
    assert plain["see_through"] == burning["see_through"] == []
    assert smoking["see_through"] == ["smoke"]
    assert len(burning["lamps"]) == len(plain["lamps"]) + 1 == len(smoking["lamps"]) + 1


def test_a_rod_goes_from_end_to_end() -> None:
    made = rod("r", (1.0, 2.0, 0.0), (1.0, 2.0, 3.0), 0.1, (0, 0, 0))
    assert made.at == (1.0, 2.0, 1.5)
    assert made.size == pytest.approx((0.2, 0.2, 3.0))
    assert made.turn[1] == 0.0
    level = rod("r", (0.0, 0.0, 0.0), (0.0, 4.0, 0.0), 0.1, (0, 0, 0))
    assert level.turn == pytest.approx((0, 90, 90))  # z turned onto x, then x onto y


def test_a_chain_has_a_joint_between_bars() -> None:
    made = chain("c", [(0, 0, 0), (1, 0, 0), (1, 1, 0)], 0.1, (0, 0, 0))
    assert [part.shape for part in made] == ["cylinder", "cylinder", "sphere"]
    assert made[2].at == (1, 0, 0)


def test_placing_turns_and_then_moves() -> None:
    (moved,) = place([box("b", (1, 0, 0), (1, 1, 1), (0, 0, 0), turn=FACING_CAMERA)], (5, 5, 1), 90)
    assert moved.at == pytest.approx((5, 6, 1))
    assert moved.turn == (90, 0, 90)


def test_only_what_runs_inside_blender_imports_it() -> None:
    folder = Path(yochi_train.scenes.__file__).parent
    found = set()
    for file in sorted(folder.glob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        froms = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        if {"bpy", "bmesh", "mathutils"} & (names | froms):
            found.add(file.name)
        inner = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 1}
        if file.name not in INSIDE_BLENDER:
            assert not {"build", "models", "surfaces"} & inner, file.name
        else:
            assert inner <= {"models", "surfaces"} | PURE, (
                "Blender's environment has neither pydantic nor typer"
            )
        if file.stem in PURE:
            assert not inner, file.name
    assert found == INSIDE_BLENDER
