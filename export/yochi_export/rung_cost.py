"""What a bundle's two engines cost, in a process of their own: time on a new frame, and memory.

    python -m yochi_export.rung_cost BUNDLE PHOTOS THREADS < records.jsonl

No torch: the process holds what the box's engines hold and nothing else. It is no judge: bundles of a sweep
are proved for no language yet, and a judge would refuse every note before it did any work.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from yochi_bench.memory import STATUS, peak_rss
from yochi_bench.report import Number
from yochi_runtime.base import find_base
from yochi_runtime.bundle import LORA, VISION
from yochi_runtime.errors import EngineError, Reason
from yochi_runtime.image import read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.language import Language
from yochi_runtime.opening import prompt_of, read_bundle
from yochi_runtime.record import Record
from yochi_runtime.scene import Scene, Stages
from yochi_runtime.taxonomy import Frozen
from yochi_runtime.vision import Vision

WARM_UP = 2


class RungCost(Frozen):
    """`ms` of each judgement: preparation, both engines, from a decoded frame on; `peak` resident bytes."""

    ms: tuple[float, ...] = Field(min_length=1)
    peak: Number


def measure_cost(bundle: Path, records: Sequence[Record], photos: Path, threads: int) -> RungCost:
    """`records` one after the other, each with a picture of its own. EngineError where it fails."""
    arguments = [str(bundle), str(photos), str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", "yochi_export.rung_cost", *arguments],
        input="".join(record.model_dump_json() + "\n" for record in records),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise EngineError(
            Reason.ENGINE_FAILED, f"expected the cost of {bundle}, got its end: {last}; try the bundle alone"
        )
    return RungCost.model_validate_json(done.stdout.splitlines()[-1])


def together(turns: Sequence[RungCost]) -> RungCost:
    """Of several processes with the same bundle: all times, the highest peak."""
    return RungCost(
        ms=tuple(ms for turn in turns for ms in turn.ms),
        peak=max((turn.peak for turn in turns), key=lambda peak: peak.value or 0.0),
    )


def _measured(bundle: Path, photos: Path, threads: int, records: Sequence[Record]) -> RungCost:
    opened = read_bundle(bundle)
    prompt, cues = prompt_of(opened), len(opened.pack.cue)
    taken = []
    with (
        Language(find_base(opened.manifest.base), bundle / LORA, threads=threads) as language,
        Vision(bundle / VISION, language.width, cues, threads) as vision,
    ):
        scene = Scene.apart(vision, language, prompt)
        for record in records:
            frame, note = read_frame(photos / record.image), prompt.note(Note(record.note).text)
            start = time.perf_counter()
            scene.look(frame, Stages())
            scene.read(note, Stages())
            taken.append((time.perf_counter() - start) * 1e3)
        return RungCost(ms=tuple(taken[WARM_UP:]), peak=peak_rss(STATUS))


def main() -> None:
    """The process."""
    bundle, photos, threads = sys.argv[1:]
    records = [Record.model_validate_json(line) for line in sys.stdin]
    sys.stdout.write(_measured(Path(bundle), Path(photos), int(threads), records).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
