"""The peer in PyTorch: slots of a reader become the box's verdict. Unpacking has tests of its own."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from yochi_export.peer_torch import _read
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Inspection, Note
from yochi_runtime.opening import prompt_of, read_bundle

SURE = 30.0


@pytest.mark.parametrize(
    ("risk", "verdict"),
    [(None, "proceed"), ("note_instruction:mechanical", "stop"), ("note_content:slip_trip", "caution")],
)
def test_the_verdict_is_the_boxs(risk: str | None, verdict: str) -> None:
    bundle = read_bundle(None)
    pack = bundle.pack
    cues, risks = (torch.zeros(1, len(slots), 2) for slots in (pack.cue_slots, pack.risk_slots))
    cues[..., 0] = risks[..., 0] = SURE  # a sure no to each
    for place, slot in enumerate(pack.risk_slots):
        if slot.id == risk:
            risks[0, place] = torch.tensor([0.0, SURE])
    logits = SimpleNamespace(cues=cues, risks=risks, verdict=torch.tensor([[SURE, 0.0, 0.0]]))
    reader = SimpleNamespace(prompt=prompt_of(bundle), read=lambda *_: logits)
    trained: Any = SimpleNamespace(reader=reader, tower=lambda pixels: (pixels,))
    inspection = Inspection(Frame(np.full((96, 128, 3), 90, np.uint8)), Note("Sweep the floor."))
    assert _read(bundle, trained, inspection) == {"verdict": verdict, "tokens": 0}
