"""Supervised fine-tuning of the slot readout: LoRA on the language model, and nano's projector beside it.

Beside the slots a step learns what to say after them, for some of its notes, and general instructions where
the user names some. Neither changes how a slot is read.

A run folder holds `run.json` (settings, hashes of the records, versions), `log.jsonl` (a line a step),
`tensorboard/` (the same as scalars), `checkpoint.pt` (the newest, written beside and moved into place) and at
the end `model/`. A killed run goes on from its checkpoint and reaches the same weights as an undisturbed one
(CPU, same thread count).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from .explained import Explainer, text_loss
from .loss import readout_loss, targets
from .model_folder import MODEL, explains, write_explains
from .pictures import read_pictures
from .policy import Policy, check_finite, descend
from .positives import count_positives, larger_counts, read_positives
from .processes import ALONE, Processes
from .readout import Logits
from .records import PACK_NOTES, read_records
from .run_folder import CHECKPOINT, cut_log, pin_run, room_on_disk, save_checkpoint
from .run_log import walk
from .run_page import write_run_page
from .settings import PolicySettings, SftSettings
from .slot_model import Images, SlotModel
from .speech import Text
from .utility import Utility, anchor_loss, check_instructions, read_instructions


class Trainer(Policy):
    """Everything a step needs; `run` goes from the newest checkpoint to the last step."""

    def __init__(
        self,
        model: SlotModel,
        settings: SftSettings,
        records: Sequence[Record],
        out: Path,
        processes: Processes = ALONE,
    ) -> None:
        super().__init__(model, settings)
        self.processes = processes
        processes.shard(self.layers())
        model.reader.in_step = processes.sharded
        self.settings, self.records, self.out = settings, records, out
        groups: list[dict[str, Any]] = [{"params": self.lora, "peak": settings.lora_rate}]
        if self.projector is not None:
            groups.append({"params": list(self.projector.parameters()), "peak": settings.projector_rate})
        self.optimizer = torch.optim.AdamW(groups, lr=settings.lora_rate, weight_decay=0.01)
        self.explainer = Explainer(self.pack, model.words, model.reads, settings.explanation_tokens)
        self.anchors = read_instructions(settings.anchors, model) if settings.anchors else []
        self.step = 0

    def run(self) -> None:
        """UsageError for a loss that is no number."""
        self.processes.take_firsts(self.moving)
        if not self.processes.first:
            while self.step < self.settings.steps:
                self.train_step()
            return
        walk("sft", self, self.settings.steps)

    @property
    def moving(self) -> list[Tensor]:
        """Whatever a step changes."""
        return [*self.lora, *(self.projector.parameters() if self.projector is not None else ())]

    def train_step(self) -> dict[str, Any]:
        packs = self.processes.share(packs_of(self.records, self.step, self.settings))
        with torch.set_grad_enabled(self.step < self.settings.projector_steps):  # while the projector learns
            images = self.images(packs)
        logits, extra = self._read(packs, images)
        records = [record for pack in packs for record in pack]
        target = targets(records, [pack[0] for pack in packs], self.pack)
        slot_weight = self.settings.risk_positive_weight
        loss, parts = readout_loss(logits, target, self.pack, slot_weight, self.processes)
        for name, (weight, part) in extra.items():
            loss, parts = loss + weight * part, {**parts, name: float(self.processes.sum(part))}
        whole = self.processes.sum(loss)
        check_finite(whole, self.step)
        self._schedule()
        descend(loss, self.optimizer, self.processes)
        self.step += 1
        return {"step": self.step, "loss": float(whole), **parts}

    def _read(
        self, packs: Sequence[Sequence[Record]], images: Images
    ) -> tuple[Logits, dict[str, tuple[float, Tensor]]]:
        """Every slot; and by name the weight and the loss of what is learned beside them."""
        s, extra = self.settings, dict[str, tuple[float, Tensor]]()
        if self.anchors:
            first = self.step * s.anchors_a_step
            mine = range(first, first + s.anchors_a_step)[self.processes.rank :: self.processes.count]
            some = [self._anchor(i) for i in mine]
            mean = anchor_loss(self, some) if some else torch.zeros(())
            tokens = sum(len(text.said) for text in some)
            extra["anchors"] = s.anchor_weight, self.processes.part_of_mean(mean, tokens)
        if not s.explanation_weight:
            return self.read(packs, images), extra
        texts, told = self.explainer.pick(packs, s.explained, self.step)
        logits, logs = self.read_on(packs, images, texts)
        mean = text_loss([log for of in logs for log in of], told)
        tokens = sum(sum(one.known) for one in told)
        extra["explanation"] = s.explanation_weight, self.processes.part_of_mean(mean, tokens)
        return logits, extra

    def _anchor(self, i: int) -> Text:
        """The `i`-th, each pass over them in an order of its own."""
        number, place = divmod(i, len(self.anchors))
        generator = torch.Generator().manual_seed(self.settings.seed + number)
        return self.anchors[int(torch.randperm(len(self.anchors), generator=generator)[place])]

    def _schedule(self) -> None:
        """Linear warm-up, linear decay to a twentieth; the projector stops at its own last step."""
        s = self.settings
        warm = min(1.0, (self.step + 1) / max(1, s.warmup))
        lasts = (s.steps, s.projector_steps)  # of LoRA and projector, where there is one
        for group, last in zip(self.optimizer.param_groups, lasts, strict=False):
            group["lr"] = group["peak"] * warm * max(0.05, 1 - self.step / last) if self.step < last else 0.0

    def checkpoint(self) -> None:
        state = {
            "step": self.step,
            "lora": [p.detach() for p in self.lora],
            "projector": {} if self.projector is None else self.projector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        save_checkpoint(state, self.out)

    def resume(self) -> None:
        file = self.out / CHECKPOINT
        if file.exists():
            state = torch.load(file, weights_only=True)
            self.step = state["step"]
            self.set_lora(state["lora"])
            if self.projector is not None:
                self.projector.load_state_dict(state["projector"])
            self.optimizer.load_state_dict(state["optimizer"])
        if self.processes.first:
            cut_log(self.out, self.step)


def packs_of(records: Sequence[Record], step: int, settings: PolicySettings) -> list[list[Record]]:
    """The packs of a step: the file's order in the first pass, a seeded shuffle in later ones."""
    count = len(records) // PACK_NOTES
    chosen = []
    for i in range(step * settings.packs, (step + 1) * settings.packs):
        pass_number, place = divmod(i, count)
        if pass_number:
            generator = torch.Generator().manual_seed(settings.seed + pass_number)
            place = int(torch.randperm(count, generator=generator)[place])
        chosen.append(list(records[place * PACK_NOTES : (place + 1) * PACK_NOTES]))
    return chosen


def train(settings: SftSettings, model: SlotModel, out: Path) -> Path:
    """Align, fine-tune, save; returns the folder of the finished model (projector, LoRA adapter).

    Under `accelerate launch` every process calls it, and the first one writes.
    """
    processes = Processes.launched()
    if processes.sharded:
        _check_sharded(settings, processes.count)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(settings.records / "pictures.jsonl")
    records = read_records(settings.records / "train.jsonl")
    check_instructions(settings, model)
    with processes.first_goes_first():
        if processes.first:
            pin_run(settings, model, out, ("pictures.jsonl", "train.jsonl"))
        model.prepare(settings)
    if settings.start is None and not (out / CHECKPOINT).exists():
        model.align([p for p in pictures if p.split == "train"], settings.seed)
    trainer = Trainer(model, settings, records, out, processes)
    if settings.start is not None:
        trainer.start_from(settings.start)
    utility = Utility(settings.utility, trainer, out)
    if processes.first:
        utility.before(begun=(out / CHECKPOINT).exists())
    counts = count_positives(records)
    if settings.start is not None:
        counts = larger_counts(counts, read_positives(settings.start / MODEL))
    with room_on_disk(out):
        trainer.resume()
        trainer.run()
        if not processes.first:
            return out / MODEL
        utility.after()
        write_run_page(out, settings.photos)
        folder = trainer.save(out / MODEL, counts)
        if settings.explanation_weight or (settings.start and explains(settings.start / MODEL)):
            write_explains(folder, settings.explanation_tokens)
    return folder


def _check_sharded(settings: SftSettings, count: int) -> None:
    """UsageError for what would send one of `count` processes through the layers alone."""
    if settings.utility is not None:
        raise UsageError(
            "expected no utility in a sharded run, it is measured in one process; leave it out, or give "
            "train/recipes/ddp.yaml"
        )
    if settings.anchors is not None and settings.anchors_a_step % count:
        raise UsageError(
            f"expected anchors_a_step that {count} sharded processes share evenly, got "
            f"{settings.anchors_a_step}; change it"
        )
