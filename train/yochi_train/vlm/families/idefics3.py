"""Idefics3 and SmolVLM (arXiv 2408.12637, 2504.05299): tiles of a picture, and the whole of it."""

from dataclasses import replace
from typing import Any

from ..family import Family, Inputs


def _options(config: Any) -> dict[str, object]:
    """One tile: the default makes up to 17 of a photo, each with as many tokens as this."""
    side = {"longest_edge": config.vision_config.image_size}
    return {"do_image_splitting": False, "size": side, "max_image_size": side}


def _picture(config: Any, _: Inputs, image: str) -> list[str]:
    """As their processors write an unsplit picture."""
    vision = config.vision_config
    count = (vision.image_size // vision.patch_size // config.scale_factor) ** 2
    around = "<fake_token_around_image>"
    return [around, "<global-img>", *[image] * count, around]


IDEFICS3 = Family("idefics3", "model.text_model.layers.{}", _options, _picture)
SMOLVLM = replace(IDEFICS3, model_type="smolvlm")
