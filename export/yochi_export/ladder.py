"""`yochi-export quantize`: the rungs of one file, an ONNX graph or a GGUF, each beside the others.

What a rung does to judgements is `sweep`'s to say. Here stand bytes, and for our own vision graph the error
of its outputs on real frames and the time of a pass.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import onnx
from yochi_runtime.errors import UsageError, one_line
from yochi_runtime.vision import PIXELS
from yochi_train.progress import Progress

from .forms import make_forms, output_sizes
from .frames import pictures_in, prepared
from .gguf_rungs import check_whole, quantize_gguf
from .measure import measure
from .rungs import LanguageRung, VisionRung, make_rung
from .targets import Target, choose

MEASURED = 16  # frames
GRAPH, GGUF = ".onnx", ".gguf"
Rung = TypeVar("Rung", VisionRung, LanguageRung)


def make_ladder(
    source: Path, out: Path, rungs: Sequence[str], target: Target | None, frames: Path | None, threads: int
) -> dict[str, Any]:
    """Write `out/<rung>.onnx` or `.gguf` of the file `source`; the numbers by rung.

    `rungs` empty: those that `target` asks for, or all. UsageError for what is not there or no rung of it.
    """
    if not source.is_file() or source.suffix not in (GRAPH, GGUF):
        raise UsageError(
            f"expected an ONNX graph or a GGUF file, got {source}; give a folder with vision.onnx or a file"
        )
    out.mkdir(parents=True, exist_ok=True)
    if source.suffix == GGUF:
        return _languages(source, out, rungs, target, threads)
    return _graphs(source, out, rungs, target, frames)


def _languages(
    source: Path, out: Path, rungs: Sequence[str], target: Target | None, threads: int
) -> dict[str, Any]:
    check_whole(source)
    found: dict[str, Any] = {}
    chosen = _named(rungs, list(LanguageRung))
    if target is not None and not rungs:
        choice = choose(target, 0, source.stat().st_size, fixed=False)
        chosen = [LanguageRung(choice.language or LanguageRung.F16)]
        found["why"] = choice.why
    files = _each(chosen, out, GGUF, lambda rung, file: quantize_gguf(source, file, rung, threads))
    return found | {rung: {"bytes": file.stat().st_size} for rung, file in files.items()}


def _graphs(
    source: Path, out: Path, rungs: Sequence[str], target: Target | None, frames: Path | None
) -> dict[str, Any]:
    ours = _takes_pixels(source)
    chosen = _named(rungs, list(VisionRung))
    found: dict[str, Any] = {}
    if target is not None and not rungs:
        choice = choose(target, source.stat().st_size, 0, fixed=True)
        chosen, found["why"] = list(choice.vision), choice.why
    if VisionRung.STATIC in chosen and not (ours and frames):
        raise UsageError(
            f"expected --frames and our vision graph for {VisionRung.STATIC}, got "
            f"{'no --frames' if ours else source.name}; give them, or name other rungs"
        )
    pictures = pictures_in(frames) if frames else []
    if VisionRung.STATIC in chosen and not (out / f"{VisionRung.STATIC}{GRAPH}").exists():
        found["recipes"] = make_forms(source, out, pictures).as_json()
    files = _each(chosen, out, GRAPH, lambda rung, file: make_rung(source, file, rung))
    if not (ours and pictures):
        return found | {rung: {"bytes": file.stat().st_size} for rung, file in files.items()}
    graphs = {str(VisionRung.FP32): source} | {str(rung): file for rung, file in files.items()}
    costs = measure(graphs, prepared(pictures, MEASURED), *output_sizes(source))
    return found | {rung: cost.as_json() for rung, cost in costs.items()}


def _named(names: Sequence[str], known: list[Rung]) -> list[Rung]:
    """In the ladder's order; all where none is named."""
    foreign = sorted(set(names) - set(map(str, known)))
    if foreign:
        raise UsageError(f"expected rungs of {', '.join(known)}, got {', '.join(foreign)}; name one of them")
    return [rung for rung in known if not names or str(rung) in names]


def _each(
    rungs: Sequence[Rung], out: Path, suffix: str, make: Callable[[Rung, Path], None]
) -> dict[Rung, Path]:
    """Makes what is not there; a file that is there is whole, since it got its name last."""
    progress = Progress("rungs", len(rungs))
    files = {rung: out / f"{rung}{suffix}" for rung in rungs}
    for rung, file in files.items():
        if not file.exists():
            beside = file.with_name(f".partial-{file.name}")
            make(rung, beside)
            beside.replace(file)
        progress.step(note=rung)
    return files


def _takes_pixels(source: Path) -> bool:
    try:
        graph = onnx.load(source, load_external_data=False).graph
    except Exception as e:
        raise UsageError(f"expected an ONNX graph in {source}, got: {one_line(e)}; export it again") from e
    return [value.name for value in graph.input] == [PIXELS]
