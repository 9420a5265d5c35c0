"""Raw answers of the trained model in torch, in the same arrays as a bundle's (`yochi_bench.answers`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_bench.answers import Answers
from yochi_runtime.image import prepare, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.record import Record

from .progress import Progress
from .readout import Logits, SlotReader


def from_torch(
    reader: SlotReader, tower: torch.nn.Module, records: Sequence[Record], photos: Path
) -> Answers:
    """In torch, from the same decoded and prepared pixels. `tower` is the VisionTower, unquantized.

    A picture is looked at once and its notes are read together, as in training; the records' order stays.
    """
    packs: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        packs.setdefault(record.image, []).append(row)
    progress = Progress("answers in torch", len(records))
    found: dict[int, tuple[NDArray[np.float32], ...]] = {}
    for image, rows in packs.items():
        logits = _read(reader, tower, photos / image, [records[row] for row in rows])
        cues = logits.cues[0].numpy()
        for row, risks, verdict in zip(rows, logits.risks.numpy(), logits.verdict.numpy(), strict=True):
            found[row] = cues, risks, verdict
        progress.step(len(rows))
    parts = zip(*(found[row] for row in range(len(records))), strict=True)
    return Answers(*(np.stack(arrays).astype(np.float32) for arrays in parts))


def _read(reader: SlotReader, tower: torch.nn.Module, picture: Path, records: Sequence[Record]) -> Logits:
    """One picture with all its notes."""
    with torch.inference_mode():
        image = tower(torch.from_numpy(prepare(read_frame(picture))))[0]
        signs = [record.sign for record in records]
        notes = [reader.prompt.note(Note(r.note).text, r.sign) for r in records]
        return reader.read(image, notes, torch.zeros(len(notes), dtype=torch.long), signs)
