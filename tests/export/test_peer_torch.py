"""The peer in PyTorch: what it answers is what the trained model and the box's verdict function say."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from yochi_bench.peer_settings import PeerName, PeerSettings
from yochi_export import peer_torch
from yochi_export.trained import RunFolder
from yochi_runtime.bundle import Bundle
from yochi_runtime.factors import flagged, verdict_of_risks
from yochi_runtime.image import Frame, prepare
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.opening import read_bundle
from yochi_runtime.reader import SlotLogits
from yochi_runtime.readout import read_out

from .tiny_run import TinyRun


def test_it_reads_the_slots_of_the_unpacked_weights(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacking has tests of its own: here a tiny run stands in for what it writes."""
    monkeypatch.setattr(peer_torch, "find_base", lambda _: tiny_run.base)
    monkeypatch.setattr(peer_torch, "unpack", _copy(tiny_run.folder))
    settings = PeerSettings(peer=PeerName.TORCH, images=("a.png",), notes=("a",), bundle=None, threads=1)
    rgb = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    inspection = Inspection(Frame(rgb), Note("Sweep the floor."))
    with peer_torch.opened(settings) as answer:
        found = answer(inspection)
    assert found == {"verdict": _expected(tiny_run, inspection), "tokens": 0}


def _copy(run: Path) -> Callable[[Bundle, Path, Path], None]:
    def unpack(_: Bundle, __: Path, out: Path) -> None:
        shutil.copytree(run, out, dirs_exist_ok=True)

    return unpack


def _expected(run: TinyRun, inspection: Inspection) -> str:
    bundle, trained = read_bundle(None), RunFolder(run.folder).load(run.base)
    with torch.inference_mode():
        image = trained.tower(torch.from_numpy(prepare(inspection.frame)))[0]
        note = trained.reader.prompt.note(inspection.note.text)
        logits = trained.reader.read(image, [note], torch.zeros(1, dtype=torch.long))
        after = SlotLogits(logits.risks[0].numpy(), logits.verdict[0].numpy())
        readout = read_out(bundle, logits.cues[0].numpy(), after)
    return verdict_of_risks(bundle, readout, flagged(bundle.pack, readout)).value
