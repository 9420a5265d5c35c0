"""Runs inside Blender's own environment: requests in on stdin, one JSON object a line, pictures into folders.

The trainer starts `main` in a process and never imports this: `bpy` wants its own Python and an old numpy.
For each request (`scene.render_request`, with `name`, `folder` and `threads`) it writes into `folder`

  image.png     the picture
  mask.png      the id of the nearest object at every pixel's middle, in the red channel; no anti-aliasing
  clear.png     the same without what can be seen through, where there is such a thing
  alone-K.png   the same with the objects of the K-th key alone, for keys that are seen in either mask

and answers {"name", "blender"}, or {"name", "error"}. What Blender prints goes to stderr.
"""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import bpy

# bpy brings bmesh and mathutils with it and must be imported before them.
# isort: split
import bmesh
import numpy as np
from mathutils import Vector

from .models import load_model
from .surfaces import surface

TRANSPARENT_BOUNCES = 24  # one for every puff of smoke on a ray, and some
BOUNCES = 3
CAP_HEIGHT = 0.7  # of a capital letter, against the font size


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints to stdout
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"name": request["name"], "blender": bpy.app.version_string}
        try:
            render(request)
        except Exception as e:  # noqa: BLE001  whatever it is, the trainer decides what becomes of the scene
            answer["error"] = f"{type(e).__name__}: {e}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def render(request: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, folder = bpy.context.scene, Path(request["folder"])
    objects = _objects(request)
    _camera(request)
    _lights(request)
    _settings(request)
    _write(folder / "image.png")
    _as_mask(scene)
    names = request["objects"]
    masks = [_ids(folder / "mask.png")]
    if request["see_through"]:
        _show(objects, [name for name in names if name not in request["see_through"]])
        masks.append(_ids(folder / "clear.png"))
    seen = {names[int(i) - 1] for mask in masks for i in np.unique(mask) if i > 0}
    for number, key in enumerate(request["keys"]):
        of_key = [name for name in names if name == key or name.startswith(f"{key}/")]
        if seen.intersection(of_key):
            _show(objects, of_key)
            _write(folder / f"alone-{number}.png")


def _objects(request: dict[str, Any]) -> dict[str, list[Any]]:
    """Blender's objects by the scene object they belong to: one a part, or one a mesh of its model."""
    meshes = {shape: _unit_mesh(shape) for shape in ("box", "cylinder", "cone", "sphere")}
    made: dict[str, list[Any]] = {name: [] for name in request["objects"]}
    materials: dict[tuple[Any, ...], Any] = {}
    for part in request["parts"]:
        look = (*part["color"], part["finish"])
        if look not in materials:
            materials[look] = surface(part["color"], part["finish"])
        if part["shape"] == "model":
            items = [_item(request, part, mesh) for mesh in load_model(Path(request["assets"]), part)]
        else:
            data = meshes.get(part["shape"]) or (_text if part["shape"] == "text" else _plate)(part)
            items = [_item(request, part, data)]
        for item in items:
            if part["shape"] in meshes:
                item.scale = part["size"]
            if not item.data.materials:
                item.data.materials.append(None)
            if item.data.materials[0] is None:
                item.material_slots[0].link = "OBJECT"  # the mesh is shared, its colour is not
                item.material_slots[0].material = materials[look]
        made[part["object"]] += items
    return made


def _item(request: dict[str, Any], part: dict[str, Any], data: Any) -> Any:
    """An object of the scene, in its place, with the id of what it belongs to."""
    item = bpy.data.objects.new(part["object"], data)
    bpy.context.scene.collection.objects.link(item)
    item.location = part["at"]
    item.rotation_euler = [math.radians(a) for a in part["turn"]]
    item.pass_index = request["objects"].index(part["object"]) + 1
    if part["object"] in request["camera_only"]:
        item.visible_diffuse = item.visible_glossy = item.visible_shadow = False
    return item


def _unit_mesh(shape: str) -> Any:
    """A mesh of extent 1 along every axis."""
    grid = bmesh.new()
    if shape == "box":
        bmesh.ops.create_cube(grid, size=1)
    elif shape == "sphere":
        bmesh.ops.create_uvsphere(grid, u_segments=20, v_segments=12, radius=0.5)
    else:
        tip = 0.5 if shape == "cylinder" else 0.02
        bmesh.ops.create_cone(grid, cap_ends=True, segments=24, radius1=0.5, radius2=tip, depth=1)
    for face in grid.faces:
        face.smooth = shape == "sphere" or (shape != "box" and abs(face.normal.z) < 0.99)
    for edge in grid.edges:
        edge.smooth = all(face.smooth for face in edge.link_faces)
    mesh = bpy.data.meshes.new(shape)
    grid.to_mesh(mesh)
    grid.free()
    mesh.materials.append(None)
    return mesh


def _plate(part: dict[str, Any]) -> Any:
    """A polygon lying in x, y, extruded along z."""
    half = part["size"][2] / 2
    count = len(part["points"])
    corners = [(x, y, z) for z in (-half, half) for x, y in part["points"]]
    sides = [(i, (i + 1) % count, count + (i + 1) % count, count + i) for i in range(count)]
    mesh = bpy.data.meshes.new("plate")
    mesh.from_pydata(corners, [], [tuple(reversed(range(count))), tuple(range(count, 2 * count)), *sides])
    mesh.materials.append(None)
    return mesh


def _text(part: dict[str, Any]) -> Any:
    curve = bpy.data.curves.new("text", type="FONT")
    curve.body = part["text"]
    curve.size = part["size"][1] / CAP_HEIGHT
    curve.extrude = part["size"][2] / 2
    curve.align_x, curve.align_y = "CENTER", "CENTER"
    curve.materials.append(None)
    return curve


def _camera(request: dict[str, Any]) -> None:
    asked = request["camera"]
    camera = bpy.data.cameras.new("camera")
    camera.lens, camera.sensor_width, camera.sensor_fit = asked["focal"], 36, "HORIZONTAL"
    item = bpy.data.objects.new("camera", camera)
    item.location = asked["at"]
    item.rotation_euler = (Vector(asked["look_at"]) - item.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(item)
    bpy.context.scene.camera = item


def _lights(request: dict[str, Any]) -> None:
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.9, 0.95, 1.0, 1)
    background.inputs["Strength"].default_value = request["ambient"]
    for lamp in request["lamps"]:
        light = bpy.data.lights.new("lamp", type="AREA")
        light.energy, light.color, light.size = lamp["watts"], lamp["color"], 1.6
        item = bpy.data.objects.new("lamp", light)
        item.location = lamp["at"]
        item.visible_camera = False
        bpy.context.scene.collection.objects.link(item)


def _settings(request: dict[str, Any]) -> None:
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = request["width"], request["height"]
    render.resolution_percentage = 100
    render.threads_mode, render.threads = "FIXED", request["threads"]
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
    render.use_persistent_data = True  # the mask passes reuse the geometry
    cycles.samples, cycles.seed = request["samples"], request["seed"] % 2**31
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.transparent_max_bounces = BOUNCES, TRANSPARENT_BOUNCES
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.view_settings.view_transform = "Standard"  # "AgX" would wash out the colours of signs and vests


def _as_mask(scene: Any) -> None:
    """From now on the picture is every object's id over 255, one sample at the middle of each pixel."""
    material = bpy.data.materials.new("id")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    index, share = tree.nodes.new("ShaderNodeObjectInfo"), tree.nodes.new("ShaderNodeMath")
    share.operation = "DIVIDE"
    share.inputs[1].default_value = 255
    glow, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(index.outputs["Object Index"], share.inputs[0])
    tree.links.new(share.outputs[0], glow.inputs["Strength"])
    tree.links.new(glow.outputs[0], out.inputs["Surface"])
    glow.inputs["Color"].default_value = (1, 1, 1, 1)
    scene.view_layers[0].material_override = material
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0
    scene.cycles.samples, scene.cycles.max_bounces = 1, 0
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.view_settings.view_transform = "Raw"
    scene.render.dither_intensity = 0


def _show(objects: dict[str, list[Any]], names: list[str]) -> None:
    for name, items in objects.items():
        for item in items:
            item.hide_render = name not in names


def _write(file: Path) -> None:
    bpy.context.scene.render.filepath = str(file)
    bpy.ops.render.render(write_still=True)


def _ids(file: Path) -> Any:
    """Render the mask into `file`; its ids, flat."""
    _write(file)
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return np.rint(pixels.reshape(-1, 4)[:, 0] * 255).astype(np.uint8)
