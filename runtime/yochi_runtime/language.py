"""The language model's engine: llama.cpp through its low-level interface, base GGUF and LoRAs at run time.

It only ever *reads*: segments of token ids or embeddings are evaluated one after the other, and the logits of
chosen answers at chosen positions are copied out. Nothing is sampled. What has been read can be taken back to
any earlier position, so a prefix is evaluated once and used again with the very same numbers.

The key-value cache is f32: it is exact between llama.cpp and torch, and at 512 positions costs 24 MB.
"""

import ctypes
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .engines import Logits
from .errors import EngineError, Reason

# Before the library loads. Threads that go on spinning make a shared machine seven times slower; threads that
# sleep at once pay for a wake-up at each of a pass's hundreds of barriers. So: spin for some tens of
# microseconds, then sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
import llama_cpp

VERSION: str = llama_cpp.__version__
CONTEXT = 512  # positions; a prompt has at most 320
MAX_ASKED = 64  # positions of one segment whose logits are kept
_SEQUENCE = 0
_ERROR, _CONTINUED = 4, 5  # ggml_log_level of ggml.h (the binding's comment has older ones)


class _Log:
    """Takes llama.cpp's log: silent, but the last errors are kept for our own message."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=4)
        self._level = 0
        self.callback = llama_cpp.llama_log_callback(self._take)  # must outlive the library's use of it

    def install(self) -> None:
        self._lines.clear()
        llama_cpp.llama_log_set(self.callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _user: Any) -> None:
        if level != _CONTINUED:
            self._level = level
        line = text.decode("utf-8", "replace").strip()
        if self._level == _ERROR and line:
            self._lines.append(line)

    def said(self) -> str:
        """The last errors as one line, which are then forgotten."""
        said = "; ".join(self._lines)[:300] or "no word from llama.cpp"
        self._lines.clear()
        return said

    def failure(self, doing: str) -> EngineError:
        return EngineError(
            Reason.ENGINE_FAILED, f"expected llama.cpp to {doing}, it did not ({self.said()}); restart Yochi"
        )


_LOG = _Log()


def llama_log() -> _Log:
    """The one taker of llama.cpp's log, installed; for whoever else calls the library."""
    _LOG.install()
    return _LOG


class Language:
    """A llama.cpp model and context. `position` counts what has been read, `width` is the embedding width.

    `lora` is for what is judged; `explain` comes on top of it for what is read to explain, and for nothing
    else. `context`: positions that it holds. A context manager; `close()` frees everything and may be called
    twice. Not for several threads at once.
    """

    def __init__(
        self,
        base: Path,
        lora: Path | None = None,
        explain: Path | None = None,
        *,
        threads: int,
        context: int = CONTEXT,
    ) -> None:
        self._room = context
        self._model: Any = None
        self._context: Any = None
        self._adapters: list[Any] = []
        self._explaining = False  # whether the last adapter is in use, too
        self.position = 0
        _LOG.install()
        llama_cpp.llama_backend_init()
        try:
            self._load(base, threads)
            self._explains = explain is not None
            for file in (lora, explain):
                if file is not None:
                    self._adapters.append(self._adapter(file))
            if self._adapters:
                self._adapt(False)
        except BaseException:
            self.close()
            raise
        self.width: int = llama_cpp.llama_model_n_embd(self._model)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._memory = llama_cpp.llama_get_memory(self._context)

    def _load(self, base: Path, threads: int) -> None:
        loading = llama_cpp.llama_model_default_params()
        loading.n_gpu_layers = 0
        # Not mapped: where llama.cpp rearranges the weights for the processor (AMX), the map stayed resident
        # beside its copy, 208 MB for nothing. The numbers are the same to the last bit.
        loading.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(base), loading)
        if not self._model:
            raise _LOG.failure(f"load {base.name}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = self._room
        settings.n_batch = settings.n_ubatch = self._room  # a segment is never split
        settings.n_outputs_max = settings.n_outputs_max_per_seq = MAX_ASKED
        settings.n_threads = settings.n_threads_batch = threads
        settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32
        settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        settings.no_perf = True
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        if not self._context:
            raise _LOG.failure("make a context")

    def _adapter(self, file: Path) -> Any:
        adapter = llama_cpp.llama_adapter_lora_init(self._model, os.fsencode(file))
        if not adapter:
            raise _LOG.failure(f"load {file.name} for this base model")
        return adapter

    def _adapt_to(self, explaining: bool) -> None:
        if self._explains and explaining != self._explaining:
            self._adapt(explaining)

    def _adapt(self, explaining: bool) -> None:
        """Have the model use the adapters of what is read next."""
        used = self._adapters[: len(self._adapters) - (self._explains and not explaining)]
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * len(used))(*used)
        scales = (ctypes.c_float * len(used))(*[1.0] * len(used))
        if llama_cpp.llama_set_adapters_lora(self._context, adapters, len(used), scales):
            raise _LOG.failure("apply its adapters")
        self._explaining = explaining

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Ids by the GGUF's own vocabulary; `control`: names of control tokens become those."""
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        data = text.encode()
        room = len(data) + 2  # no token is shorter than a byte
        found = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(vocabulary, data, len(data), found, room, False, control)
        if count < 0:
            raise _LOG.failure(f"make tokens of {len(data)} bytes")
        return list(found[:count])

    def tokens(
        self,
        ids: Sequence[int],
        asked: Sequence[int] = (),
        answers: Sequence[int] = (),
        *,
        explaining: bool = False,
    ) -> Logits:
        """Read `ids` as one segment; (len(asked), len(answers)) float32 logits.

        `asked` are positions within the segment, ascending: each row holds the logits of the `answers` as the
        token after that position. EngineError where an id, a position or a logit is not sound.
        """
        self._check_asked(len(ids), asked)
        if any(not 0 <= i < self.vocabulary for i in (*ids, *answers)):
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected token ids below {self.vocabulary}, got others; the tokenizer is of another model",
            )
        self._adapt_to(explaining)
        with self._batch(len(ids), 0) as batch:
            for place, token in enumerate(ids):
                batch.token[place] = token
            for position in asked:
                batch.logits[position] = 1
            self._decode(batch)
            return self._answers(asked, answers)

    def embeddings(self, rows: NDArray[np.float32]) -> None:
        """Read (n, width) float32 embeddings in place of tokens."""
        if rows.ndim != 2 or rows.shape[1] != self.width or not np.isfinite(rows).all():
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected finite embeddings (n, {self.width}), got {rows.shape} or NaN; export it again",
            )
        self._check_asked(len(rows), ())
        self._adapt_to(False)
        dense = np.ascontiguousarray(rows, dtype=np.float32)
        with self._batch(len(dense), self.width) as batch:
            ctypes.memmove(batch.embd, dense.ctypes.data, dense.nbytes)
            self._decode(batch)

    def rewind(self, position: int) -> None:
        """Forget everything from `position` on."""
        if not 0 <= position <= self.position:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected a position up to {self.position}, got {position}; restart Yochi",
            )
        if not llama_cpp.llama_memory_seq_rm(self._memory, _SEQUENCE, position, -1):
            raise _LOG.failure(f"go back to position {position}")
        self.position = position

    def _check_asked(self, count: int, asked: Sequence[int]) -> None:
        """llama.cpp aborts the process on some of these, so they are refused before it sees them."""
        if self._context is None:
            raise EngineError(
                Reason.ENGINE_FAILED, "expected an open language model, it is closed; open it again"
            )
        room = self._room - self.position
        if not 0 < count <= room:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected a segment of 1 to {room} tokens, got {count}; shorten the note",
            )
        if len(asked) > MAX_ASKED or any(not 0 <= a < count for a in asked):
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected up to {MAX_ASKED} asked positions below {count}, got {len(asked)}; cut the pack",
            )

    @contextmanager
    def _batch(self, count: int, width: int) -> Iterator[Any]:
        batch = llama_cpp.llama_batch_init(count, width, 1)
        try:
            batch.n_tokens = count
            for i in range(count):
                batch.pos[i] = self.position + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = _SEQUENCE
                batch.logits[i] = 0
            yield batch
        finally:
            llama_cpp.llama_batch_free(batch)

    def _decode(self, batch: Any) -> None:
        status = llama_cpp.llama_decode(self._context, batch)
        if status != 0:
            raise _LOG.failure(f"read {batch.n_tokens} tokens (status {status})")
        self.position += batch.n_tokens

    def _answers(self, asked: Sequence[int], answers: Sequence[int]) -> Logits:
        found = np.empty((len(asked), len(answers)), dtype=np.float32)
        for row, position in enumerate(asked):
            logits = llama_cpp.llama_get_logits_ith(self._context, position)
            if not logits:
                raise _LOG.failure(f"give the logits at {position}")
            found[row] = [logits[i] for i in answers]
        if not np.isfinite(found).all():
            raise EngineError(
                Reason.ENGINE_OUTPUT,
                "expected finite logits, got NaN or infinity; judge it again, then restart Yochi",
            )
        return found

    def close(self) -> None:
        """Frees context, adapter and model, in this order."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
        for adapter in self._adapters:
            llama_cpp.llama_adapter_lora_free(adapter)
        self._adapters.clear()
        if self._model is not None:
            llama_cpp.llama_model_free(self._model)
        self._model = self._context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()
