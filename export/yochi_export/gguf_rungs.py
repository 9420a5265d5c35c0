"""The rungs of a GGUF file, by llama.cpp's own quantizer, as its `llama-quantize` calls it.

No second implementation: the blocks of a K-quant are searched for, and other blocks would be another model
than the one that everybody's tools make. A tensor whose rows a type does not divide falls back as llama.cpp
decides.
"""

import ctypes
import os
from pathlib import Path

import gguf
import llama_cpp
from yochi_runtime.errors import UsageError, one_line
from yochi_runtime.language import llama_log

from .rungs import LanguageRung

TYPES = {
    LanguageRung.F16: llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    LanguageRung.Q8_0: llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    LanguageRung.Q6_K: llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
    LanguageRung.Q5_K_M: llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    LanguageRung.Q4_K_M: llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    LanguageRung.Q4_0: llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
}
_WHOLE = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)


def quantize_gguf(source: Path, out: Path, rung: LanguageRung, threads: int) -> None:
    """Write the GGUF file `source`, whose weights are F32, F16 or BF16, as `rung` into `out`.

    UsageError where `source` is no GGUF file, is quantized already, or llama.cpp cannot do it.
    """
    check_whole(source)
    log = llama_log()
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.nthread, settings.ftype = threads, TYPES[rung]
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".partial-{out.name}")
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(beside), ctypes.byref(settings))
    if failed:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"expected llama.cpp to write {source.name} as {rung}, it did not ({log.said()}); check the file "
            "and the room on the disk"
        )
    beside.replace(out)


def check_whole(source: Path) -> None:
    """UsageError unless `source` is a GGUF file of F32, F16 or BF16 weights; nothing is rounded twice."""
    try:
        tensors = gguf.GGUFReader(source).tensors
    except (OSError, ValueError, IndexError) as e:
        raise UsageError(
            f"expected a GGUF file at {source}, got: {one_line(e)}; make it with `yochi-export gguf`"
        ) from e
    kinds = sorted({t.tensor_type.name for t in tensors if t.tensor_type not in _WHOLE})
    if kinds or not tensors:
        raise UsageError(
            f"expected F16 weights in {source.name}, got {', '.join(kinds) or 'none'}; give the file before "
            "it was quantized"
        )
