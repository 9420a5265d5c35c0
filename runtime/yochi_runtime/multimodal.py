"""A language model that sees through llama.cpp's own eyes: a stock GGUF and its mmproj, as others run them.

A picture is one chunk of llama.cpp's (`mtmd`), which knows where its tokens stand: Qwen-VL gives them
positions on three axes, so that a picture takes fewer positions than it has tokens.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import mtmd_cpp
from numpy.typing import NDArray

from .engines import Rgb, check_numbers
from .errors import EngineError, Reason
from .language import VERSION as VERSION
from .language import Language, llama_log

_SEQUENCE = 0


class Multimodal(Language):
    """`Language` with a mmproj. `tokens`: least and most of a picture whose size is free (Qwen-VL)."""

    def __init__(
        self, text: Path, mmproj: Path, *, threads: int, context: int, tokens: tuple[int, int] | None = None
    ) -> None:
        self._eyes: Any = None
        self._log = llama_log()
        super().__init__(text, threads=threads, context=context)
        try:
            self._open_eyes(mmproj, threads, tokens)
        except BaseException:
            self.close()
            raise
        # With Qwen3-VL's features of lower layers behind each row it is a multiple of the embedding width.
        self.seen_width: int = llama_cpp.llama_model_n_embd_inp(self._model)

    def _open_eyes(self, mmproj: Path, threads: int, tokens: tuple[int, int] | None) -> None:
        for log_set in (mtmd_cpp.mtmd_log_set, mtmd_cpp.mtmd_helper_log_set):
            log_set(self._log.callback, ctypes.c_void_p(0))
        settings = mtmd_cpp.mtmd_context_params_default()
        settings.use_gpu = settings.print_timings = settings.warmup = False
        settings.n_threads = threads
        settings.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if tokens is not None:
            settings.image_min_tokens, settings.image_max_tokens = tokens
        self._eyes = mtmd_cpp.mtmd_init_from_file(os.fsencode(mmproj), self._model, settings)
        if not self._eyes:
            raise self._log.failure(f"load {mmproj.name} for this language model")

    def see(self, rgb: Rgb) -> NDArray[np.float32]:
        """(tokens, seen_width) float32: what llama.cpp makes of a picture, which it resizes itself."""
        with self._picture(rgb) as chunk:
            if mtmd_cpp.mtmd_encode_chunk(self._eyes, chunk):
                raise self._log.failure("encode a picture")
            shape = (mtmd_cpp.mtmd_input_chunk_get_n_tokens(chunk), self.seen_width)
            found = np.ctypeslib.as_array(mtmd_cpp.mtmd_get_output_embd(self._eyes), shape=shape).copy()
        check_numbers("image embeddings", found, shape)
        return found

    def show(self, size: tuple[int, int], rows: NDArray[np.float32]) -> None:
        """Read `rows` (tokens, seen_width), of `see` or of another encoder, where a picture of `size`
        (height, width) would stand: how many tokens it has, and where, is a matter of its size alone."""
        with self._picture(np.zeros((*size, 3), np.uint8)) as chunk:
            shape = (mtmd_cpp.mtmd_input_chunk_get_n_tokens(chunk), self.seen_width)
            check_numbers("image embeddings", rows, shape)
            self._check_asked(mtmd_cpp.mtmd_input_chunk_get_n_pos(chunk), ())
            dense = np.ascontiguousarray(rows)
            after = llama_cpp.llama_pos(0)
            status = mtmd_cpp.mtmd_helper_decode_image_chunk(
                self._eyes,
                self._context,
                chunk,
                dense.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                llama_cpp.llama_pos(self.position),
                llama_cpp.llama_seq_id(_SEQUENCE),
                self._room,
                ctypes.byref(after),
                mtmd_cpp.mtmd_helper_post_decode_callback(),
                None,
            )
            if status:
                raise self._log.failure(f"read a picture (status {status})")
            self.position = after.value

    @contextmanager
    def _picture(self, rgb: Rgb) -> Iterator[Any]:
        """The picture's chunk. Of a picture that fits into one tile Idefics3's eyes make the tile and an
        overview: the same pixels twice, where transformers shows the overview alone."""
        if self._eyes is None:
            raise EngineError(Reason.ENGINE_FAILED, "expected open eyes, they are closed; open them again")
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise EngineError(
                Reason.ENGINE_FAILED,
                f"expected a picture (height, width, 3) of bytes, got {rgb.shape} {rgb.dtype}; report it",
            )
        marker = mtmd_cpp.mtmd_default_marker()
        words = mtmd_cpp.mtmd_input_text(marker, len(marker), False, True)
        bytes_ = np.ascontiguousarray(rgb)
        pixels = bytes_.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        bitmap = mtmd_cpp.mtmd_bitmap_init(rgb.shape[1], rgb.shape[0], pixels)
        chunks = mtmd_cpp.mtmd_input_chunks_init()
        try:
            one = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(bitmap)
            status = mtmd_cpp.mtmd_tokenize(self._eyes, chunks, ctypes.byref(words), one, 1)
            if status:
                raise self._log.failure(f"prepare a picture (status {status})")
            every = [
                mtmd_cpp.mtmd_input_chunks_get(chunks, i)
                for i in range(mtmd_cpp.mtmd_input_chunks_size(chunks))
            ]
            image = mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_IMAGE
            pictures = [c for c in every if mtmd_cpp.mtmd_input_chunk_get_type(c) == image]
            if not 1 <= len(pictures) <= 2:
                raise EngineError(
                    Reason.ENGINE_OUTPUT,
                    f"expected a picture in one tile, got {len(pictures)} parts; export the model again",
                )
            yield pictures[-1]
        finally:
            mtmd_cpp.mtmd_input_chunks_free(chunks)
            mtmd_cpp.mtmd_bitmap_free(bitmap)

    def close(self) -> None:
        """Frees the eyes before the model that they were opened for."""
        if self._eyes is not None:
            mtmd_cpp.mtmd_free(self._eyes)
        self._eyes = None
        super().close()
