"""What a bundle is made for: which rungs to try on a kind of board, from its memory and its engine, and why.

The board's own memory decides once more where the bundle is opened (`yochi_runtime.fitting`). Here it is that
of the usual board of its kind, from the same `boards.toml`.
"""

from dataclasses import dataclass
from enum import StrEnum

from yochi_devices.board import Board, chosen_board
from yochi_runtime.errors import UsageError
from yochi_runtime.fitting import OVERHEAD

from .rungs import NANO_LANGUAGE, LanguageRung, VisionRung


class Target(StrEnum):
    """The value is what is typed."""

    JETSON = "jetson-orin-nano"
    PI = "raspberry-pi-5"
    N100 = "n100"
    X86 = "generic-x86"
    CUDA = "cuda"


BOARDS = {
    Target.JETSON: "jetson-orin-nano",
    Target.PI: "raspberry-pi-5",
    Target.N100: "intel-n100",
    Target.X86: "generic-x86-64",
    Target.CUDA: "nvidia-workstation",
}
MIB = 2**20
# Bits a weight that a rung costs, its scales included: llama.cpp's block layouts, K-quants as a mixture.
BITS = {
    LanguageRung.F16: 16.0,
    LanguageRung.Q8_0: 8.5,
    LanguageRung.Q6_K: 6.57,
    LanguageRung.Q5_K_M: 5.7,
    LanguageRung.Q4_K_M: 4.9,
    LanguageRung.Q4_0: 4.6,
}


@dataclass(frozen=True)
class Engine:
    """What computes on a kind of board, and the rungs that it gains something from, best first."""

    words: str
    vision: tuple[VisionRung, ...]
    language: tuple[LanguageRung, ...]


# A processor's static int8 convolutions were twice as fast as its float ones (docs/decisions.md); Q8_0 is the
# nearest of the quantized languages, smaller ones are for memory that is short.
PROCESSOR = Engine(
    "the processor has int8 products", (VisionRung.STATIC, VisionRung.FP16), tuple(LanguageRung)[1:]
)
GPU = Engine(
    "the GPU computes in float16 and gains nothing from int8", (VisionRung.FP16,), tuple(LanguageRung)
)


@dataclass(frozen=True)
class Choice:
    """`vision` in the order to be tried: the first that is proved is taken. `language` None: as trained."""

    target: Target
    vision: tuple[VisionRung, ...]
    language: LanguageRung | None
    budget: int  # bytes that are Yochi's on this board
    why: str


def choose(target: Target, vision_bytes: int, language_bytes: int, *, fixed: bool) -> Choice:
    """For a vision graph of so many bytes in float32 and a language model of so many in F16.

    `fixed`: the language half has no other rung. UsageError where not even the smallest rung fits.
    """
    engine, board = _engine(target), chosen_board(BOARDS[target])
    memory, budget = board_memory(board)
    head = f"target {target}: {memory / 1e6:.0f} MB less {(memory - budget) / 1e6:.0f} for the system"
    rungs: tuple[LanguageRung | None, ...] = (None,) if fixed else engine.language
    for language in rungs:
        need = vision_bytes + OVERHEAD + language_need(language_bytes, language)
        if need <= budget:
            words = NANO_LANGUAGE if language is None else f"{language}, the nearest that fits"
            order = ", then ".join(engine.vision)
            why = f"{head}, at most {need / 1e6:.0f} needed; {engine.words}: vision {order}; language {words}"
            return Choice(target, engine.vision, language, budget, why)
    raise UsageError(
        f"expected a model that fits {target}, got one that needs {need / 1e6:.0f} MB at its smallest "
        f"({head}); take a smaller model or a larger board"
    )


def language_need(f16_bytes: int, rung: LanguageRung | None) -> int:
    """About so many bytes in memory; None leaves the file as it is."""
    return f16_bytes if rung is None else round(f16_bytes * BITS[rung] / BITS[LanguageRung.F16])


def board_memory(board: Board) -> tuple[int, int]:
    """Bytes of the usual board, and what of them is Yochi's. ValueError for a profile that does not say."""
    if board.memory_mib is None:
        raise ValueError(f"expected memory_mib of board {board.id} in boards.toml, got none")
    return board.memory_mib * MIB, max(0, board.memory_mib - board.reserve_mib) * MIB


def _engine(target: Target) -> Engine:
    return GPU if target is Target.CUDA else PROCESSOR
