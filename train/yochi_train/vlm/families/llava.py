"""LLaVA (arXiv 2304.08485, 2310.03744): CLIP's patches through an MLP."""

from typing import Any

from ..family import Family, Inputs


def _options(config: Any) -> dict[str, object]:
    """The whole picture, squeezed into CLIP's square: its own default cuts the sides off."""
    side = config.vision_config.image_size
    return {"size": {"height": side, "width": side}, "do_center_crop": False}


def _picture(config: Any, _: Inputs, image: str) -> list[str]:
    """A token a patch; with "full" the one of the class too."""
    vision = config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2
    return [image] * (patches + (config.vision_feature_select_strategy == "full"))


LLAVA = Family("llava", "model.language_model.layers.{}", _options, _picture)
