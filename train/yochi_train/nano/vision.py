"""The vision half: encoder, cue heads, projector. This is what is exported to ONNX.

The projector is LLaVA-1.5's two-layer MLP (Liu et al. 2023) with one addition: each cell's cue scores, and
the whole picture's, are added as learned word-like vectors. The language model then reads "fork" off a cell
instead of having to discover what a forklift looks like from a few thousand pictures.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from yochi_runtime.image import GRID

from ..lite0 import CHANNELS, Lite0, encoder_of, fold
from ..model_folder import PROJECTOR

FOLDED, POOLED = 4 * CHANNELS, 2 * CHANNELS


class CueProjector(nn.Module):
    """Features -> image embeddings and cue scores; C cues, embeddings of size H."""

    pooled_mean: Tensor
    pooled_std: Tensor

    def __init__(self, cues: int, hidden: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FOLDED)
        self.cell_head = nn.Linear(FOLDED, cues)
        self.picture_head = nn.Linear(POOLED, cues)
        self.register_buffer("pooled_mean", torch.zeros(POOLED))
        self.register_buffer("pooled_std", torch.ones(POOLED))
        self.fc1 = nn.Linear(FOLDED, hidden)
        self.fc2 = nn.Linear(hidden, size)
        self.cell_words = nn.Parameter(torch.zeros(cues, size))
        self.picture_words = nn.Parameter(torch.zeros(cues, size))

    def heads(self, tokens: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """tokens (B, 49, 5120), pooled (B, 2560) -> normed tokens, cell (B, 49, C), picture logits (B, C)."""
        x = self.norm(tokens)
        picture = self.picture_head((pooled - self.pooled_mean) / self.pooled_std)
        return x, self.cell_head(x), picture

    def forward(self, tokens: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """-> image embeddings (B, 49, H), cell scores (B, 49, C) in 0..1."""
        x, cell_logits, picture_logits = self.heads(tokens, pooled)
        cells = torch.sigmoid(cell_logits)
        words = cells @ self.cell_words + (torch.sigmoid(picture_logits) @ self.picture_words)[:, None]
        return self.fc2(functional.gelu(self.fc1(x))) + words, cells


class VisionTower(nn.Module):
    """pixels (B, 3, 448, 448) float, about -1..1 -> image embeddings (B, 49, H), cell scores (B, 49, C)."""

    def __init__(self, cues: int, hidden: int, size: int) -> None:
        super().__init__()
        self.encoder = Lite0()
        self.projector = CueProjector(cues, hidden, size)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.encoder(pixels)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        out: tuple[Tensor, Tensor] = self.projector(fold(maps), pooled)
        return out

    def train(self, mode: bool = True) -> "VisionTower":
        """The encoder's batch-norm statistics stay frozen in every mode."""
        super().train(mode)
        self.encoder.eval()
        return self


def read_tower(model: Path) -> VisionTower:
    """The vision half of the finished model in this folder, in evaluation mode."""
    state = load_file(model / PROJECTOR)
    size, hidden = state["fc2.weight"].shape
    tower = VisionTower(len(state["cell_words"]), hidden, size)
    tower.encoder = encoder_of(model)
    tower.projector.load_state_dict(state)
    return tower.eval()


assert GRID * GRID == 49
