"""Our SFT step beside a bare one of TRL: the same records, LoRA and pictures, in turn, in one process.

    pip install trl                       (in a copy of the environment: Yochi itself has no use for it)
    python -m tests.long.step_over_trl

Ours reads two packs of notes and learns every known slot of a tiny LLaVA; it shows a picture once for all of
its notes. TRL reads what its users would give it, a whole prompt for each note with the answers as labels:
once for the same records, and once for only so many of them that both sides read as many tokens. Its collator
prepares each picture once a step, as ours does. CPU seconds of one thread: what else the machine does is not
counted.
"""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer
from yochi_runtime.record import Record
from yochi_runtime.taxonomy import pack_text
from yochi_runtime.verdict import JUDGED
from yochi_train.records import read_records
from yochi_train.sft import Trainer
from yochi_train.vlm import hub
from yochi_train.vlm.slots import VlmSlots

from tests.fixtures.tiny_vlms import write_family
from tests.train.vlm_data import sft_settings, write_vlm_data

BLOCKS, STEPS = 6, 6  # in turn; a block's first step warms up and is not counted
UNREAD = -100  # the label of a place that is not learned


def example(slots: VlmSlots, record: Record) -> dict[str, Any]:
    """The whole prompt, and each slot's answer where the slot's next token would stand."""
    p = slots.chat.prompt
    shown = slots.reader.shown(slots.images([record.image])[0])
    ids = [*shown, *p.sign(), *slots.chat.note(record.note), *slots.chat.turn, *p.slots]
    places = [len(shown) - len(p.look) + at for at in p.look_at]
    places += [len(ids) - len(p.slots) + at for at in p.slots_at]
    yes_no = {0: p.answers.no, 1: p.answers.yes, -1: UNREAD}
    known = [record.known(slot) for slot in (*slots.pack.cue_slots, *slots.pack.risk_slots)]
    assert record.verdict is not None
    verdict = p.answers.verdict[[v.value for v in JUDGED].index(record.verdict)]
    labels = [UNREAD] * (len(ids) + 1)
    for at, answer in zip(places, [*(yes_no[k] for k in known), verdict], strict=True):
        labels[at + 1] = answer
    return {"input_ids": [*ids, verdict], "labels": labels, "picture": record.image}


def as_many(slots: VlmSlots, records: Sequence[Record]) -> int:
    """So many whole prompts, rounded up, have the tokens that we read for all of `records`."""
    shown = {r.image: len(slots.reader.shown(slots.images([r.image])[0])) for r in records}
    whole = [len(example(slots, r)["input_ids"]) - 1 for r in records]
    ours = sum(whole) - sum(shown[r.image] for r in records) + sum(shown.values())
    return ceil(ours / (sum(whole) / len(whole)))


def collate(slots: VlmSlots, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    names = sorted({row["picture"] for row in rows})
    pictures = dict(zip(names, slots.images(names), strict=True))

    def padded(name: str, filler: int) -> Tensor:
        rows_of = [torch.tensor(row[name]) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(rows_of, batch_first=True, padding_value=filler)

    return {
        "input_ids": padded("input_ids", 0),
        "labels": padded("labels", UNREAD),
        "attention_mask": (padded("input_ids", -1) >= 0).long(),
        "pixel_values": torch.cat([pictures[row["picture"]]["pixel_values"] for row in rows]),
    }


class Clock(TrainerCallback):
    """CPU time at the end of each step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.process_time())


def theirs(
    policy: Trainer, tokenizer: Any, records: Sequence[Record], out: Path
) -> Callable[[], list[float]]:
    slots = policy.model
    assert isinstance(slots, VlmSlots)
    clock = Clock()
    config = SFTConfig(
        output_dir=str(out),
        max_steps=STEPS + 1,
        per_device_train_batch_size=len(records),
        learning_rate=1e-3,
        gradient_checkpointing=False,  # ours holds what it computed
        bf16=False,
        use_cpu=True,
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        policy.language,
        args=config,
        train_dataset=Dataset.from_list([example(slots, record) for record in records]),
        data_collator=lambda rows: collate(slots, rows),
        processing_class=tokenizer,
        callbacks=[clock],
    )

    def block() -> list[float]:
        clock.ends.clear()
        trainer.train()
        return clock.ends

    return block


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data, model = write_vlm_data(root / "data"), write_family("llava", root / "model")
        settings = sft_settings(data, model, steps=BLOCKS * (STEPS + 1))
        records = read_records(data / "records" / "train.jsonl")
        trainers = []
        for _ in range(2):  # one policy each: the same weights and LoRA
            opened = hub.open_vlm(str(model))
            slots = VlmSlots(opened, pack_text())
            slots.prepare(settings)
            trainers.append(Trainer(slots, settings, records, root))
        (ours, bare), tokenizer = trainers, opened.tokenizer
        few = as_many(slots, records)
        blocks = {
            "TRL, same records": theirs(bare, tokenizer, records, root / "trl"),
            "TRL, same tokens": theirs(bare, tokenizer, records[-few:], root / "trl"),
        }

        def yochi() -> list[float]:
            ends = []
            for _ in range(STEPS + 1):
                ours.train_step()
                ends.append(time.process_time())
            return ends

        blocks["Yochi"] = yochi
        times: dict[str, list[float]] = {side: [] for side in blocks}
        for _ in range(BLOCKS):
            for side, block in blocks.items():
                times[side] += [end - begin for begin, end in pairwise(block())]
    medians = {side: median(of_side) for side, of_side in times.items()}
    print(f"{'':18}  CPU ms a step, median of {BLOCKS * STEPS}; Yochi's over it")
    for side, seconds in medians.items():
        print(f"{side:18} {1000 * seconds:8.1f} {medians['Yochi'] / seconds:8.2f}")
    print(json.dumps({"records": len(records), "records_of_same_tokens": few, "seconds": medians}))


if __name__ == "__main__":
    main()
