"""Procedural factory scenes with known truth, rendered by Blender in an environment of its own."""
