"""Blender materials: what the finishes of `parts.Part` look like. Runs inside Blender's environment."""

from typing import Any

import bpy

MOTTLE = {"matte": 0.12, "glossy": 0.05, "metal": 0.15, "concrete": 0.3}  # how uneven a surface's colour is
ROUGHNESS = {"glossy": 0.25, "metal": 0.38, "wet": 0.04, "concrete": 0.7}
GLOW = {"glow": 1.3, "flame": 2.6}  # strength of what shines by itself
DENSITY = {"flame": 0.85, "smoke": 0.42}  # opacity of a puff's middle; its rim fades out


def surface(color: list[float], finish: str) -> Any:
    material = bpy.data.materials.new(finish)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    if finish in DENSITY:
        tree.links.new(_puff(tree, color, finish), out.inputs["Surface"])
        return material
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.inputs["Base Color"].default_value = (*color, 1)
    shader.inputs["Roughness"].default_value = ROUGHNESS.get(finish, 0.85)
    shader.inputs["Metallic"].default_value = float(finish == "metal")
    if finish in GLOW:
        shader.inputs["Emission Color"].default_value = (*color, 1)
        shader.inputs["Emission Strength"].default_value = GLOW[finish]
    if finish in MOTTLE:
        _mottle(tree, color, MOTTLE[finish], shader.inputs["Base Color"])
    tree.links.new(shader.outputs["BSDF"], out.inputs["Surface"])
    return material


def _mottle(tree: Any, color: list[float], amount: float, target: Any) -> None:
    """Colour times a slowly varying brightness of the place in the room."""
    place, noise = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 2.5, 6
    spread, scaled = tree.nodes.new("ShaderNodeMapRange"), tree.nodes.new("ShaderNodeVectorMath")
    spread.inputs["From Min"].default_value, spread.inputs["From Max"].default_value = 0.3, 0.7
    spread.inputs["To Min"].default_value, spread.inputs["To Max"].default_value = 1 - amount, 1 + amount
    scaled.operation = "SCALE"
    scaled.inputs[0].default_value = color
    tree.links.new(place.outputs["Position"], noise.inputs["Vector"])
    tree.links.new(noise.outputs[0], spread.inputs["Value"])
    tree.links.new(spread.outputs["Result"], scaled.inputs["Scale"])
    tree.links.new(scaled.outputs["Vector"], target)


def _puff(tree: Any, color: list[float], finish: str) -> Any:
    """A shader that is thickest in the middle of what it is on and gone at its rim."""
    rim, alpha = tree.nodes.new("ShaderNodeLayerWeight"), tree.nodes.new("ShaderNodeMapRange")
    rim.inputs["Blend"].default_value = 0.5
    alpha.inputs["To Min"].default_value, alpha.inputs["To Max"].default_value = DENSITY[finish], 0.0
    tree.links.new(rim.outputs["Facing"], alpha.inputs["Value"])
    inner = tree.nodes.new("ShaderNodeEmission" if finish in GLOW else "ShaderNodeBsdfDiffuse")
    inner.inputs["Color"].default_value = (*color, 1)
    if finish in GLOW:
        inner.inputs["Strength"].default_value = GLOW[finish]
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(alpha.outputs["Result"], mix.inputs[0])
    tree.links.new(tree.nodes.new("ShaderNodeBsdfTransparent").outputs[0], mix.inputs[1])
    tree.links.new(inner.outputs[0], mix.inputs[2])
    return mix.outputs[0]
