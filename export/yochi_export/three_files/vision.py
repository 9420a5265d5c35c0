"""The picture half of each family, in the form that Transformers.js feeds it and reads it.

What comes out stands in the order of the image tokens, and only for pictures that are there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .graph import Traced
from .vision_qwen import qwen_graph

PIXELS, MASK, GRID, FEATURES = "pixel_values", "pixel_attention_mask", "image_grid_thw", "image_features"


class IdeficsVision(nn.Module):
    """Idefics3 and SmolVLM: tiles of pictures, fewer of one than of another filled up with tiles of zeros."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.tower, self.connector = body.vision_model, body.connector
        self.patch = int(body.config.vision_config.patch_size)

    def forward(self, pixel_values: Tensor, pixel_attention_mask: Tensor) -> Tensor:
        """(B, N, 3, S, S) float32, (B, N, S, S) bool -> (tiles that are there, tokens, H)."""
        batch, count, channels, height, width = pixel_values.shape
        pixels = pixel_values.reshape(batch * count, channels, height, width)
        rows, columns = height // self.patch, width // self.patch
        # As transformers' two `unfold`s, which ONNX does not know.
        patches = pixel_attention_mask.reshape(batch * count, rows, self.patch, columns, self.patch)
        seen = patches.any(dim=-1).any(dim=2)
        here = (pixels != 0).any(dim=-1).any(dim=-1).any(dim=-1)
        seen = seen | ~here[:, None, None]  # nothing to attend to would be NaN
        hidden = self.tower.embeddings(pixel_values=pixels, patch_attention_mask=seen)
        # Added, not a mask of bools: with such a one torch's export looks for NaN in every layer's
        # scores, a sixth of the graph's time. Each patch sees some here, so there is none.
        unseen = torch.where(seen.reshape(batch * count, 1, 1, rows * columns), 0.0, float("-inf"))
        hidden = self.tower.encoder(inputs_embeds=hidden, attention_mask=unseen).last_hidden_state
        features: Tensor = self.connector(self.tower.post_layernorm(hidden))
        return features[here]


class LlavaVision(nn.Module):
    """LLaVA: pictures of one size. As transformers' `get_image_features`, which makes a list of them."""

    def __init__(self, config: Any, body: Any) -> None:
        super().__init__()
        self.tower, self.projector = body.vision_tower, body.multi_modal_projector
        layers = config.vision_feature_layer
        self.layers: list[int] = [layers] if isinstance(layers, int) else list(layers)
        self.first = int(config.vision_feature_select_strategy == "default")  # without the token of the class

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(N, 3, S, S) float32 -> (N, tokens, H)."""
        hidden = self.tower(pixel_values, output_hidden_states=True).hidden_states
        chosen = torch.cat([hidden[layer][:, self.first :] for layer in self.layers], dim=-1)
        features: Tensor = self.projector(chosen)
        return features


def idefics_graph(vlm: Any) -> Traced:
    side = vlm.config.vision_config.image_size
    pixels = torch.rand(2, 3, 3, side, side)
    inputs = {
        PIXELS: ("batch_size", "num_images", None, None, None),
        MASK: ("batch_size", "num_images", None, None),
    }
    example = (pixels, torch.ones(2, 3, side, side, dtype=torch.bool))
    return Traced(IdeficsVision(vlm.model), example, inputs, {FEATURES: ("num_total_images", None, None)})


def llava_graph(vlm: Any) -> Traced:
    side = vlm.config.vision_config.image_size
    inputs = {PIXELS: ("num_images", None, None, None)}
    outputs = {FEATURES: ("num_images", None, None)}
    return Traced(LlavaVision(vlm.config, vlm.model), (torch.rand(2, 3, side, side),), inputs, outputs)


VISION_GRAPHS: dict[str, Callable[[Any], Traced]] = {  # by model_type
    "idefics3": idefics_graph,
    "smolvlm": idefics_graph,
    "llava": llava_graph,
    "qwen2_5_vl": qwen_graph,
}
