"""A peer of `yochi-bench peers`: the bundle's own weights, unpacked and read by transformers in PyTorch.

Same pictures, notes, slots, thresholds and verdict function, in float32 as transformers runs them here. It
keeps nothing from one frame to the next and looks for no evidence.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from yochi_bench.peer_answers import Answer
from yochi_bench.peer_process import serve
from yochi_bench.peer_settings import PeerSettings
from yochi_runtime.base import find_base
from yochi_runtime.bundle import Bundle
from yochi_runtime.factors import flagged, verdict_of_risks
from yochi_runtime.image import prepare
from yochi_runtime.inspection import Inspection
from yochi_runtime.opening import read_bundle
from yochi_runtime.reader import SlotLogits
from yochi_runtime.readout import read_out

from .trained import RunFolder, Trained
from .unpack import unpack


@contextmanager
def opened(settings: PeerSettings) -> Iterator[Callable[[Inspection], Answer]]:
    """What answers one inspection. UsageError for a bundle that cannot be unpacked."""
    torch.set_num_threads(settings.threads)
    bundle = read_bundle(None if settings.bundle is None else Path(settings.bundle))
    base = find_base(bundle.manifest.base)
    with TemporaryDirectory(prefix="yochi-peer-") as folder:
        unpack(bundle, base, Path(folder))
        trained = RunFolder(Path(folder)).load(base)
    yield lambda inspection: _read(bundle, trained, inspection)


def _read(bundle: Bundle, trained: Trained, inspection: Inspection) -> Answer:
    note = trained.reader.prompt.note(inspection.note.text)
    with torch.inference_mode():
        image = trained.tower(torch.from_numpy(prepare(inspection.frame)))[0]
        logits = trained.reader.read(image, [note], torch.zeros(1, dtype=torch.long))
        answers = SlotLogits(logits.risks[0].numpy(), logits.verdict[0].numpy())
        readout = read_out(bundle, logits.cues[0].numpy(), answers)
    verdict = verdict_of_risks(bundle, readout, flagged(bundle.pack, readout))
    return {"verdict": verdict.value, "tokens": 0}


def main() -> None:
    """The process: settings as JSON in the first argument."""
    serve(PeerSettings.model_validate_json(sys.argv[1]), sys.stdin, sys.stdout, opened)


if __name__ == "__main__":
    main()
