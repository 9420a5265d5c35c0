"""Raw answers of the trained model in torch, in the same arrays as a bundle's (`yochi_bench.answers`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_bench.answers import Answers, collect
from yochi_runtime.image import prepare, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.record import Record

from .readout import SlotReader


def from_torch(
    reader: SlotReader, tower: torch.nn.Module, records: Sequence[Record], photos: Path
) -> Answers:
    """In torch, from the same decoded and prepared pixels. `tower` is the VisionTower, unquantized."""
    last: dict[str, torch.Tensor] = {}

    def answer(record: Record) -> tuple[NDArray[np.float32], ...]:
        with torch.inference_mode():
            if record.image not in last:
                last.clear()
                last[record.image] = tower(torch.from_numpy(prepare(read_frame(photos / record.image))))[0]
            logits = reader.read(
                last[record.image],
                [reader.prompt.note(Note(record.note).text, record.sign)],
                torch.zeros(1, dtype=torch.long),
                [record.sign],
            )
        return logits.cues[0].numpy(), logits.risks[0].numpy(), logits.verdict[0].numpy()

    return collect("answers in torch", records, answer)
