"""The picture's engine: one ONNX Runtime session of a bundle's `vision.onnx`.

Encoder, projector and cue head in one graph: pixels in, 49 embeddings for the language model and a score for
every cue in each of the 7 x 7 cells out.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import onnxruntime

from .engines import CELLS as CELLS
from .engines import EMBEDS as EMBEDS
from .engines import SIDE, Pixels, Sight, check_sight
from .errors import EngineError, Reason, one_line

VERSION: str = onnxruntime.__version__
PIXELS = "pixels"
_ONLY_FATAL = 4  # ONNX Runtime's log severity; failures reach us as exceptions


class Vision:
    """`width` is the language model's embedding width, `cues` the number of the pack's cues.

    EngineError where the file cannot be run or its inputs and outputs are others.
    """

    def __init__(self, path: Path, width: int, cues: int, threads: int) -> None:
        self._sizes = width, cues
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), session_options(threads), providers=["CPUExecutionProvider"]
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
        if inputs != {PIXELS: (1, 3, SIDE, SIDE)} or not outputs.issuperset({EMBEDS, CELLS}):
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected {name} to map {PIXELS} (1, 3, {SIDE}, {SIDE}) to {EMBEDS} and {CELLS}, "
                f"got {inputs} to {sorted(outputs)}; export it again",
            )

    def see(self, pixels: Pixels) -> Sight:
        """`pixels` (1, 3, 448, 448) float32 from `image.prepare`. EngineError unless all is sound."""
        try:
            found = self._session.run([EMBEDS, CELLS], {PIXELS: pixels})
        except Exception as e:
            raise EngineError(
                Reason.ENGINE_FAILED, f"expected the vision model to run, got: {one_line(e)}; restart Yochi"
            ) from e
        embeds, cells = (value[0] if value.shape[:1] == (1,) else value for value in found)
        return check_sight(Sight(embeds=embeds, cells=cells), *self._sizes)

    def close(self) -> None:
        """Frees the session; the object cannot be used afterwards."""
        self._session = None

    def __enter__(self) -> "Vision":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()


def session_options(threads: int) -> Any:
    """How a picture model is run: onnxruntime.SessionOptions."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool steals the cores from the language model that runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ONLY_FATAL
    return options
