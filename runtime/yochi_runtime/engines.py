"""What the two engines take and give, whether they run in this process or each in its own.

Light on purpose: an engine's process loads this, its one library and little else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, Reason

SIDE = 448  # pixels; 14 x 14 cells of 32 pixels, folded 2 x 2 to 7 x 7 = 49 tokens
GRID = 7
IMAGE_TOKENS = 49
EMBEDS, CELLS = "image_embeds", "cue_cells"

Pixels = NDArray[np.float32]  # (1, 3, SIDE, SIDE), about -1..1
Rgb = NDArray[np.uint8]  # (height, width, 3)
Logits = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sight:
    """What was seen, row by row: `embeds` (49, width) float32, `cells` (49, cues) float32 in 0..1."""

    embeds: NDArray[np.float32]
    cells: NDArray[np.float32]


class VisionEngine(Protocol):
    """`vision.Vision`, or `engine_clients.VisionClient` in front of one in another process."""

    def see(self, pixels: Pixels) -> Sight: ...


class TokenEngine(Protocol):
    """What reads tokens. `position` may fall by itself: back to 0 where the engine lost what it had read."""

    @property
    def position(self) -> int: ...
    def tokens(
        self,
        ids: Sequence[int],
        asked: Sequence[int] = (),
        answers: Sequence[int] = (),
        *,
        explaining: bool = False,
    ) -> Logits: ...
    def rewind(self, position: int) -> None: ...


class LanguageEngine(TokenEngine, Protocol):
    """`language.Language`, or `engine_clients.LanguageClient` in front of one in another process."""

    def embeddings(self, rows: NDArray[np.float32]) -> None: ...


class MultimodalEngine(TokenEngine, Protocol):
    """`multimodal.Multimodal`, or `engine_clients.MultimodalClient` in front of one in another process."""

    def see(self, rgb: Rgb) -> NDArray[np.float32]: ...
    def show(self, size: tuple[int, int], rows: NDArray[np.float32]) -> None: ...


def check_sight(sight: Sight, width: int, cues: int) -> Sight:
    """`sight` if it is one for this width and number of cues; EngineError (ENGINE_OUTPUT) otherwise."""
    check_numbers(EMBEDS, sight.embeds, (IMAGE_TOKENS, width))
    check_numbers(CELLS, sight.cells, (GRID * GRID, cues))
    least, most = sight.cells.min(), sight.cells.max()
    if least < 0.0 or most > 1.0:
        raise EngineError(
            Reason.ENGINE_OUTPUT,
            f"expected {CELLS} in 0..1, got {least:.3g}..{most:.3g}; export it again",
        )
    return sight


def check_numbers(name: str, value: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    """EngineError (ENGINE_OUTPUT) unless `value` is float32, of this shape and finite."""
    if value.shape != shape or value.dtype != np.float32:
        raise EngineError(
            Reason.ENGINE_OUTPUT,
            f"expected {name} {shape} float32, got {value.shape} {value.dtype}; export the bundle again",
        )
    if not np.isfinite(value).all():
        raise EngineError(
            Reason.ENGINE_OUTPUT,
            f"expected finite numbers in {name}, got NaN or infinity; judge it again",
        )
