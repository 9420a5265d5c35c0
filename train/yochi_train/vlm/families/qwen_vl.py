"""Qwen2.5-VL and Qwen3-VL (arXiv 2502.13923, 2511.21631): any aspect ratio, positions on three axes."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..family import Family, Inputs

PIXELS = 448 * 448  # at most, 256 tokens of 28 x 28; the default allows 16,384


def _options(config: Any) -> dict[str, object]:
    """The aspect ratio stays; a picture is made smaller where it has more pixels."""
    vision = config.vision_config
    token = (vision.patch_size * vision.spatial_merge_size) ** 2
    return {"size": {"shortest_edge": 4 * token, "longest_edge": PIXELS}}


def _picture(config: Any, inputs: Inputs, image: str) -> list[str]:
    patches = int(inputs["image_grid_thw"].prod())
    return [image] * (patches // config.vision_config.spatial_merge_size**2)


def _positions(body: nn.Module, ids: Tensor, inputs: Inputs) -> Tensor:
    """(3, 1, T) time, height, width; the model's own rule."""
    kinds = (ids == body.config.image_token_id).int()  # type: ignore[union-attr]
    found: Tensor = body.get_rope_index(  # type: ignore[operator]
        ids, mm_token_type_ids=kinds, image_grid_thw=inputs["image_grid_thw"]
    )[0]
    return found


QWEN2_5_VL = Family("qwen2_5_vl", "model.language_model.layers.{}", _options, _picture, _positions)
QWEN3_VL = replace(QWEN2_5_VL, model_type="qwen3_vl")
