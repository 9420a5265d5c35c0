"""A stock bundle against the checkpoint in torch: stage by stage, then record by record as the box judges."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from yochi_bench.answers import Answers, collect
from yochi_runtime.bundle import PACK, Bundle
from yochi_runtime.image import read_frame
from yochi_runtime.record import Record
from yochi_train.kept import kept
from yochi_train.vlm.slots import VlmSlots

from ..answering import box_answers
from ..parity import Parity, compare


def compare_stock_bundle(
    slots: VlmSlots, bundle: Bundle, asked: Sequence[Record], photos: Path, folder: Path, threads: int
) -> Parity:
    """Parity of judgements on `asked`, layers left out; answers are kept in `folder`."""
    box = box_answers(bundle.path, asked, photos, folder, threads)
    engine = f"{slots.base} {bundle.manifest.files[PACK].sha256} {bundle.manifest.prompt.sha256}"
    torch_answers = kept(
        folder / "torch.npz", engine, asked, photos, lambda records: from_vlm(slots, records, photos)
    )
    return compare(bundle, asked, box, torch_answers)


def from_vlm(slots: VlmSlots, records: Sequence[Record], photos: Path) -> Answers:
    """In torch, whole, each picture as the model's own processor makes it."""

    def answer(record: Record) -> tuple[NDArray[np.float32], ...]:
        inputs = slots.inputs(read_frame(photos / record.image))
        with torch.inference_mode():
            logits = slots.read([inputs], [[record.note]], [[record.sign]])
        return logits.cues[0].numpy(), logits.risks[0].numpy(), logits.verdict[0].numpy()

    return collect("answers in torch", records, answer)
