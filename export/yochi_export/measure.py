"""What a vision graph costs and how far it is from the float one: bytes, ms, error of its outputs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from yochi_runtime.engines import Sight
from yochi_runtime.vision import Vision

THREADS = 2
WARM_UP = 2


@dataclass(frozen=True)
class Cost:
    """`ms` is the median at THREADS threads; errors are against the first graph measured.

    `embeds_error`: root of the mean squared difference over that of the embeddings' own spread. `cells_error`
    and `cells_max`: mean and largest difference of a cue score, 0..1.
    """

    bytes: int
    ms: float
    embeds_error: float
    cells_error: float
    cells_max: float

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


def measure(
    graphs: Mapping[str, Path], frames: Sequence[NDArray[np.float32]], width: int, cues: int, rounds: int = 1
) -> dict[str, Cost]:
    """Every graph on every frame, interleaved so that a busy machine slows all of them alike."""
    engines = {name: Vision(path, width, cues, THREADS) for name, path in graphs.items()}
    for engine in engines.values():
        for _ in range(WARM_UP):
            engine.see(frames[0])
    seen: dict[str, list[Sight]] = {name: [] for name in graphs}
    taken: dict[str, list[float]] = {name: [] for name in graphs}
    for turn in range(rounds):
        for frame in frames:
            for name, engine in engines.items():
                start = time.perf_counter()
                sight = engine.see(frame)
                taken[name].append((time.perf_counter() - start) * 1e3)
                if turn == 0:
                    seen[name].append(sight)
    for engine in engines.values():
        engine.close()
    reference = next(iter(graphs))
    return {
        name: _cost(path.stat().st_size, taken[name], seen[name], seen[reference])
        for name, path in graphs.items()
    }


def _cost(size: int, taken: Sequence[float], seen: Sequence[Sight], reference: Sequence[Sight]) -> Cost:
    ours, theirs = np.stack([s.embeds for s in seen]), np.stack([s.embeds for s in reference])
    cells = np.abs(np.stack([s.cells for s in seen]) - np.stack([s.cells for s in reference]))
    return Cost(
        size,
        float(np.median(taken)),
        relative_error(ours, theirs),
        float(cells.mean()),
        float(cells.max()),
    )


def relative_error(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Root of the mean squared difference over the reference's own standard deviation."""
    return float(np.sqrt(((ours - theirs) ** 2).mean()) / theirs.std())
