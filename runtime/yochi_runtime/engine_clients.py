"""The engines as the judge has them: each in a process of its own, asked through a `Supervised`.

Whatever comes back is checked here once more, because the other side may be out of its mind.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .engine_child import LOGITS, PIXELS, POSITION, ROWS, TEXT
from .engines import CELLS, EMBEDS, Logits, Pixels, Rgb, Sight, check_numbers, check_sight
from .errors import EngineError, Reason
from .supervision import Check, Supervised
from .wire import Arrays, Message

MAX_SIGN = 2_000  # characters that are believed to stand in a picture
T = TypeVar("T")


class VisionClient:
    """`vision.Vision` in another process, with the same errors. `whole` as for `Supervised`."""

    def __init__(self, path: Path, width: int, cues: int, *, threads: int, whole: Check) -> None:
        self._sizes = width, cues
        settings = {"path": str(path), "width": width, "cues": cues, "threads": threads}
        self._engine = Supervised("vision", settings, whole)

    @property
    def version(self) -> str:
        return str(self._engine.facts.get("version"))

    @property
    def starts(self) -> int:
        return self._engine.starts

    @property
    def computed_ms(self) -> float:
        return self._engine.computed_ms

    def see(self, pixels: Pixels) -> Sight:
        """`pixels` (1, 3, 448, 448) float32 from `image.prepare`. EngineError unless all is sound."""

        def read(answer: Message) -> Sight:
            return check_sight(Sight(answer.array(EMBEDS), answer.array(CELLS)), *self._sizes)

        return self._engine.ask({"do": "see"}, {PIXELS: pixels}, read)

    def ping(self) -> None:
        """EngineError unless the process answers."""
        self._engine.ping()

    def close(self) -> None:
        self._engine.close()


class SignClient:
    """`sign_engine.SignEngine` in another process. Its models are in no bundle: nothing is checked."""

    def __init__(self, *, threads: int) -> None:
        self._engine = Supervised("signs", {"threads": threads}, lambda: None)

    @property
    def version(self) -> str:
        return str(self._engine.facts.get("version"))

    @property
    def computed_ms(self) -> float:
        return self._engine.computed_ms

    def read(self, pixels: NDArray[np.float32]) -> str:
        """The words in (H, W, 3) RGB of 0..255, lines apart by SIGN_LINES. EngineError otherwise."""

        def text(answer: Message) -> str:
            said = answer.head.get(TEXT)
            if not isinstance(said, str) or len(said) > MAX_SIGN:
                raise EngineError(
                    Reason.ENGINE_OUTPUT, f"expected at most {MAX_SIGN} characters of signs, got others"
                )
            return said

        return self._engine.ask({"do": "read"}, {PIXELS: pixels}, text)

    def close(self) -> None:
        self._engine.close()


class TokenClient:
    """The engine `kind`, which reads tokens, in another process; settings and `whole` as for `Supervised`.

    `position` counts what its process has read. A new process has read nothing, so any failure sets it to 0.
    `patience`: seconds that a request may take, None for the usual ones.
    """

    patience: float | None = None

    def __init__(self, kind: str, settings: Mapping[str, Any], whole: Check) -> None:
        self.position = 0
        self._engine = Supervised(kind, settings, whole)
        width = self._engine.facts.get("width")
        if not isinstance(width, int):
            self.close()
            raise EngineError(
                Reason.ENGINE_OUTPUT, f"expected the language model's width, got {width}; install Yochi again"
            )
        self.width = width

    @property
    def version(self) -> str:
        return str(self._engine.facts.get("version"))

    @property
    def starts(self) -> int:
        return self._engine.starts

    @property
    def computed_ms(self) -> float:
        return self._engine.computed_ms

    def tokens(
        self,
        ids: Sequence[int],
        asked: Sequence[int] = (),
        answers: Sequence[int] = (),
        *,
        explaining: bool = False,
    ) -> Logits:
        """Read `ids` as one segment; (len(asked), len(answers)) float32 logits, as `Language.tokens`."""

        def read(answer: Message) -> Logits:
            logits = answer.array(LOGITS)
            check_numbers(LOGITS, logits, (len(asked), len(answers)))
            return logits

        head: dict[str, Any] = {"do": "tokens", "ids": list(ids), "asked": list(asked)}
        head |= {"answers": list(answers), "explaining": explaining}
        return self._read(head, len(ids), {}, read)

    def rewind(self, position: int) -> None:
        """Forget everything from `position` on; the process does so when it reads next."""
        if not 0 <= position <= self.position:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected a position up to {self.position}, got {position}; judge it again",
            )
        self.position = position

    def _read(self, head: Mapping[str, Any], count: int, arrays: Arrays, read: Callable[[Message], T]) -> T:
        answer = self._ask(head, arrays, read)
        self.position += count
        return answer

    def _ask(self, head: Mapping[str, Any], arrays: Arrays, read: Callable[[Message], T]) -> T:
        """Whatever is asked: where it fails, the next process has read nothing."""
        at, self.position = self.position, 0
        answer = self._engine.ask({**head, "at": at}, arrays, read, self.patience)
        self.position = at
        return answer

    def close(self) -> None:
        self._engine.close()


class LanguageClient(TokenClient):
    """`language.Language` in another process, with the same errors."""

    def __init__(
        self, base: Path, lora: Path, explain: Path | None = None, *, threads: int, whole: Check
    ) -> None:
        files = {"base": str(base), "lora": str(lora), "explain": explain and str(explain)}
        super().__init__("language", {**files, "threads": threads}, whole)

    def embeddings(self, rows: NDArray[np.float32]) -> None:
        """Read (n, width) float32 embeddings in place of tokens."""
        self._read({"do": "embeddings"}, len(rows), {ROWS: rows}, lambda _: None)


class MultimodalClient(TokenClient):
    """`multimodal.Multimodal` in another process, with the same errors. `width` is that of what it sees.

    `context`: positions that it holds; `tokens`: least and most of a picture whose size is free; `most`: of
    any.
    """

    def __init__(
        self,
        text: Path,
        mmproj: Path,
        *,
        threads: int,
        context: int,
        most: int,
        tokens: tuple[int, int] | None,
        whole: Check,
    ) -> None:
        self._most = most
        files = {"text": str(text), "mmproj": str(mmproj)}
        numbers = {"threads": threads, "context": context, "tokens": tokens}
        super().__init__("multimodal", {**files, **numbers}, whole)

    def see(self, rgb: Rgb) -> NDArray[np.float32]:
        """(tokens, width) float32, finite, of a picture that is as large as it is seen."""

        def read(answer: Message) -> NDArray[np.float32]:
            rows = answer.array(ROWS)
            count = len(rows) if rows.ndim else 0
            check_numbers(ROWS, rows, (min(max(count, 1), self._most), self.width))
            return rows

        return self._ask({"do": "see"}, {PIXELS: rgb.astype(np.float32)}, read)

    def show(self, size: tuple[int, int], rows: NDArray[np.float32]) -> None:
        """Read `rows`, of `see`, where a picture of `size` (height, width) stands."""
        at = self.position

        def read(answer: Message) -> int:
            after = answer.head.get(POSITION)
            if not isinstance(after, int) or not at < after <= at + len(rows):
                raise EngineError(
                    Reason.ENGINE_OUTPUT,
                    f"expected up to {len(rows)} positions of a picture from {at} on, got {after}; judge it "
                    "again",
                )
            return after

        self.position = self._ask({"do": "show", "size": list(size)}, {ROWS: rows}, read)

    def ping(self) -> None:
        """EngineError unless the process answers."""
        self._ask({"do": "ping"}, {}, lambda _: None)
