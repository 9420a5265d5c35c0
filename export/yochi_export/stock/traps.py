"""What upstream's converter, or the llama.cpp that is installed, cannot do with a checkpoint: by config.json.

Each was met with llama-cpp-python 0.3.36. Released models of these families have none of them, cut-down ones
do.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

Config = Mapping[str, Any]
Trap = Callable[[Config, Config], str | None]  # text and vision part of config.json -> why not
_WINDOW = 112  # pixels; a constant in llama.cpp's clip.cpp
_LEAST_LAYERS = 4


def _smolvlm(text: Config, _: Config) -> str | None:
    kind = text.get("model_type")
    return None if kind == "llama" else f"its language half is {kind}, upstream converts llama's alone"


def _qwen2_5(_: Config, vision: Config) -> str | None:
    depth, window = vision.get("depth", 32), vision.get("window_size", _WINDOW)
    whole: list[int] = list(vision.get("fullatt_block_indexes", (7, 15, 23, 31)))
    if depth < _LEAST_LAYERS:
        return f"{depth} vision layers: below {_LEAST_LAYERS} upstream has no name for the merger's weights"
    if window != _WINDOW:
        return f"vision windows of {window} pixels: llama.cpp knows those of {_WINDOW} alone"
    if not whole or any(b - a != whole[0] + 1 for a, b in pairwise(whole)):
        return f"vision layers of full attention at {whole}: llama.cpp wants them evenly spaced"
    return None


def _qwen3(text: Config, _: Config) -> str | None:
    layers = text.get("num_hidden_layers", 32)
    return (
        None
        if layers >= _LEAST_LAYERS
        else f"{layers} language layers: below {_LEAST_LAYERS} llama.cpp aborts"
    )


_TRAPS: dict[str, Trap] = {
    "smolvlm": _smolvlm,
    "idefics3": _smolvlm,
    "qwen2_5_vl": _qwen2_5,
    "qwen3_vl": _qwen3,
}
_EYES = {
    "llava": "upstream's converter refuses CLIP's vision half (Unsupported model type: clip_vision_model)"
}


def trap(config: Config) -> str | None:
    """Why no GGUF can be made; None where nothing is known against it."""
    found = _TRAPS.get(str(config.get("model_type")))
    return found and found(config.get("text_config") or {}, config.get("vision_config") or {})


def blind(config: Config) -> str | None:
    """Why there is no mmproj, where the text half alone is made."""
    return _EYES.get(str(config.get("model_type")))
