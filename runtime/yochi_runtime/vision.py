"""The picture's engine: one ONNX Runtime session of a bundle's `vision.onnx`.

Encoder, projector and cue head in one graph: pixels in, 49 embeddings for the language model and a score for
every cue in each of the 7 x 7 cells out.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .errors import EngineError, Reason
from .image import GRID, SIDE, Pixels
from .prompt import IMAGE_TOKENS

VERSION: str = onnxruntime.__version__
PIXELS, EMBEDS, CELLS = "pixels", "image_embeds", "cue_cells"
_ONLY_FATAL = 4  # ONNX Runtime's log severity; failures reach us as exceptions


@dataclass(frozen=True, eq=False)
class Sight:
    """What was seen, row by row: `embeds` (49, width) float32, `cells` (49, cues) float32 in 0..1."""

    embeds: NDArray[np.float32]
    cells: NDArray[np.float32]


class Vision:
    """`width` is the language model's embedding width, `cues` the number of the pack's cues.

    EngineError where the file cannot be run or its inputs and outputs are others.
    """

    def __init__(self, path: Path, width: int, cues: int, threads: int) -> None:
        self._shapes = {EMBEDS: (1, IMAGE_TOKENS, width), CELLS: (1, GRID * GRID, cues)}
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as e:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected to load {path.name}, got: {one_line(e)}; get the bundle again",
            ) from e
        self._check_graph(path.name)

    def _check_graph(self, name: str) -> None:
        inputs = {i.name: tuple(i.shape) for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        if inputs != {PIXELS: (1, 3, SIDE, SIDE)} or not outputs.issuperset(self._shapes):
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected {name} to map {PIXELS} (1, 3, {SIDE}, {SIDE}) to {EMBEDS} and {CELLS}, "
                f"got {inputs} to {sorted(outputs)}; export it again",
            )

    def see(self, pixels: Pixels) -> Sight:
        """`pixels` (1, 3, 448, 448) float32 from `image.prepare`. EngineError unless all is sound."""
        try:
            found = dict(
                zip(self._shapes, self._session.run(list(self._shapes), {PIXELS: pixels}), strict=True)
            )
        except Exception as e:
            raise EngineError(
                Reason.ENGINE_FAILED, f"expected the vision model to run, got: {one_line(e)}; restart Yochi"
            ) from e
        for name, shape in self._shapes.items():
            self._check_output(name, found[name], shape)
        cells = found[CELLS][0]
        if cells.min() < 0.0 or cells.max() > 1.0:
            raise EngineError(
                Reason.ENGINE_OUTPUT,
                f"expected {CELLS} in 0..1, got {cells.min():.3g}..{cells.max():.3g}; export it again",
            )
        return Sight(embeds=found[EMBEDS][0], cells=cells)

    def _check_output(self, name: str, value: NDArray[np.float32], shape: tuple[int, ...]) -> None:
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

    def close(self) -> None:
        """Frees the session; the object cannot be used afterwards."""
        self._session = None

    def __enter__(self) -> "Vision":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool steals the cores from the language model that runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ONLY_FATAL
    return options


def one_line(error: BaseException) -> str:
    """The first line of an engine's message, at most 200 characters."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
