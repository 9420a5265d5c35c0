"""The picture half of Qwen2.5-VL (arXiv 2502.13923): any number of patches, most layers see a window alone.

transformers sorts the patches by window and cuts them there, in Python: a graph would hold the windows of one
size of picture. Here they stay in their order and a mask says who sees whom: the same sums, any size.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

from .graph import Traced


class QwenVision(nn.Module):
    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        config = tower.config
        self.merge = int(config.spatial_merge_size)
        self.window = int(config.window_size // config.spatial_merge_size // config.patch_size)

    def forward(self, pixel_values: Tensor, image_grid_thw: Tensor) -> Tensor:
        """(patches, numbers of one) float32, (N, 3) int64 time, height, width in patches -> (tokens, H)."""
        position, whole, window = self._places(pixel_values.shape[0], image_grid_thw)
        hidden = self.tower.patch_embed(pixel_values)
        turned = self.tower.rotary_pos_emb(hidden, position)
        for number, block in enumerate(self.tower.blocks):
            seen = whole if number in self.tower.fullatt_block_indexes else window
            hidden = hidden + _attend(block.attn, block.norm1(hidden), turned, seen)
            hidden = hidden + block.mlp(block.norm2(hidden))
        features: Tensor = self.tower.merger(hidden)
        return features

    def _places(self, patches: int, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row and column (P, 2) of every patch; who sees whom in a picture, and in a window of it, (P, P).

        Patches come block by block, a block being what is merged to one token.
        """
        ends = grid.prod(dim=-1).cumsum(dim=0)
        number = torch.arange(patches, device=grid.device)
        picture = (number[:, None] >= ends[None, :]).sum(dim=1)
        height, width = grid[picture, 1], grid[picture, 2]
        within = number - (ends[picture] - grid.prod(dim=-1)[picture])
        moment, within = within // (height * width), within % (height * width)
        block, inside = within // self.merge**2, within % self.merge**2
        row, column = block // (width // self.merge), block % (width // self.merge)
        position = torch.stack(
            [row * self.merge + inside // self.merge, column * self.merge + inside % self.merge], dim=-1
        )
        whole = _alike(picture) & _alike(moment)
        return position, whole, whole & _alike(row // self.window) & _alike(column // self.window)


def _alike(of: Tensor) -> Tensor:
    return of[:, None] == of[None, :]


def _attend(attention: Any, hidden: Tensor, turned: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
    """As its own `forward`, with a mask (P, P) in place of cuts."""
    length = hidden.shape[0]
    query, key, value = attention.qkv(hidden).reshape(length, 3, attention.num_heads, -1).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *turned)
    query, key, value = (part.transpose(0, 1)[None] for part in (query, key, value))  # (1, heads, P, D)
    mixed = scaled_dot_product_attention(
        query, key, value, attn_mask=seen[None, None], scale=attention.scaling
    )
    out: Tensor = attention.proj(mixed[0].transpose(0, 1).reshape(length, -1))
    return out


def qwen_graph(vlm: Any) -> Traced:
    config = vlm.config.vision_config
    side = 2 * config.spatial_merge_size
    grid = torch.tensor([[1, side, side], [1, side, 2 * side]])
    numbers = config.in_channels * config.temporal_patch_size * config.patch_size**2
    pixels = torch.rand(int(grid.prod(dim=-1).sum()), numbers)
    inputs = {"pixel_values": ("num_patches", None), "image_grid_thw": ("num_images", None)}
    return Traced(
        QwenVision(vlm.model.visual), (pixels, grid), inputs, {"image_features": ("num_image_tokens", None)}
    )
