"""Blender meshes out of 3D files. Runs inside Blender's environment."""

from pathlib import Path
from typing import Any

import bpy

# bpy brings mathutils with it and must be imported before it.
# isort: split
import numpy as np
from mathutils import Matrix

from .stance import placement

ROUGHNESS = 0.85  # of a surface that has a picture and says no more


def load_model(folder: Path, part: dict[str, Any]) -> list[Any]:
    """The meshes of part["model"], standing in the box part["size"] around the origin.

    The k-th of its meshes wears the k-th of part["textures"], those beyond the last texture the last. A file
    without any keeps its own materials. ValueError where it holds no mesh.
    """
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(folder / part["model"]))
    bpy.context.view_layer.update()  # or matrix_world is that of an object without parents
    new = [item for item in bpy.data.objects if item not in before]
    meshes = []
    for item in new:
        if item.type == "MESH" and len(item.data.vertices):
            mesh = item.data.copy()
            mesh.transform(item.matrix_world)
            meshes.append(mesh)
    for item in new:
        bpy.data.objects.remove(item)
    if not meshes:
        raise ValueError(f"expected a mesh in {part['model']}, got none")
    points = np.concatenate([_points(mesh) for mesh in meshes])
    matrix, shift = placement(points.min(0).tolist(), points.max(0).tolist(), part["size"])
    whole = Matrix([(*row, move) for row, move in zip(matrix, shift, strict=True)]).to_4x4()
    worn = [_pictured(folder / file) for file in part["textures"]]
    for number, mesh in enumerate(meshes):
        mesh.transform(whole)
        if worn:
            mesh.materials.clear()
            mesh.materials.append(worn[min(number, len(worn) - 1)])
    return meshes


def _points(mesh: Any) -> Any:
    """(N, 3) of the mesh's corners."""
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _pictured(file: Path) -> Any:
    material = bpy.data.materials.new(file.stem)
    material.use_nodes = True
    tree = material.node_tree
    shader, picture = tree.nodes["Principled BSDF"], tree.nodes.new("ShaderNodeTexImage")
    picture.image = bpy.data.images.load(str(file))
    shader.inputs["Roughness"].default_value = ROUGHNESS
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    return material
