"""A finished run learns to explain its verdicts, by a second LoRA for the words after them and nothing else.

Slots are read without it, in training as on the box, so that not one bit of a judgement changes: whatever was
proved of a bundle stays proved. The explanation is the one that `sft` teaches beside the slots (`explained`).

The run folder is one of `sft`: run.json, log.jsonl, checkpoint.pt, and `model/`, which is that of `start`
with `explain/`. A killed run goes on from its checkpoint and reaches the same weights (CPU, same threads).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from .explained import Explainer, text_loss
from .model_folder import EXPLAIN, EXPLAINS, MODEL, new_model
from .policy import Policy, check_finite, descend
from .records import PACK_NOTES, read_records
from .rlaif.telling import Telling
from .run_folder import CHECKPOINT, cut_log, pin_run, room_on_disk, save_checkpoint
from .run_log import walk
from .run_page import write_run_page
from .settings import ExplainSettings
from .sft import packs_of
from .slot_model import SlotModel


class ExplainTrainer:
    """`policy` holds the weights of `settings.start`, which stay, and the LoRA that learns."""

    def __init__(
        self, model: SlotModel, settings: ExplainSettings, records: Sequence[Record], out: Path
    ) -> None:
        self.settings, self.records, self.out = settings, records, out
        self.policy = Policy(model, settings)
        self.policy.start_from(settings.start)
        shape = {"lora_rank": settings.explain_rank, "lora_from_layer": settings.explain_from_layer}
        self.learned = self.policy.explain_apart(model.lora(settings.model_copy(update=shape)))
        self.optimizer = torch.optim.AdamW(self.learned, lr=settings.explain_rate, weight_decay=0.01)
        self.explainer = Explainer(model.pack, model.words, model.reads, settings.explanation_tokens)
        self.telling = Telling(model.pack, model.words, settings.explanation_tokens)
        self.step = 0

    def run(self) -> None:
        """UsageError for a loss that is no number."""
        walk("explain", self, self.settings.steps)

    def train_step(self) -> dict[str, Any]:
        """On every note of the step's packs that there is something true to say of; there may be none."""
        s = self.settings
        drawn = packs_of(self.records, self.step, s)
        packs = [told for pack in drawn if (told := [r for r in pack if self.explainer.of(r)])]
        loss = self._loss(packs) if packs else torch.zeros(())
        check_finite(loss, self.step)
        warm = min(1.0, (self.step + 1) / max(1, s.warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = s.explain_rate * warm * max(0.05, 1 - self.step / s.steps)
        if packs:
            descend(loss, self.optimizer)
        self.step += 1
        return {"step": self.step, "loss": float(loss.detach()), "explained": sum(map(len, packs))}

    def _loss(self, packs: Sequence[Sequence[Record]]) -> Tensor:
        """Of what is said after the slots of `packs`, each record of which has a target."""
        texts, told = self.explainer.pick(packs, PACK_NOTES, 0)
        with torch.no_grad():
            images = self.policy.images(packs)
        _, logs = self.policy.read_on(packs, images, texts)
        return text_loss([log for of in logs for log in of], told)

    def told(self, held: Sequence[Record]) -> str:
        """What it says of held-out records with known verdicts, without the box's choices around it."""
        look = self.telling.look(self.policy, [record for record in held if record.verdict])
        words = f"{look['median_tokens']:g} tokens at the median"
        return f"{look['true']}/{look['of']} explanations of held-out records true, {words}"

    def save(self) -> Path:
        with new_model(self.out, self.settings.start / MODEL) as folder:
            (folder / EXPLAINS).unlink(missing_ok=True)  # the first LoRA is no longer asked to
            self.policy.language.save_pretrained(str(folder), selected_adapters=[EXPLAIN])
        return self.out / MODEL

    def checkpoint(self) -> None:
        learned = [p.detach() for p in self.learned]
        state = {"step": self.step, "explain": learned, "optimizer": self.optimizer.state_dict()}
        save_checkpoint(state, self.out)

    def resume(self) -> None:
        file = self.out / CHECKPOINT
        if file.exists():
            state = torch.load(file, weights_only=True)
            self.step = state["step"]
            with torch.no_grad():
                for parameter, value in zip(self.learned, state["explain"], strict=True):
                    parameter.copy_(value)
            self.optimizer.load_state_dict(state["optimizer"])
        cut_log(self.out, self.step)


def explain(settings: ExplainSettings, model: SlotModel, out: Path) -> str:
    """Teach it, and write `out/model`; returns lines for the screen."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    records = read_records(settings.records / "train.jsonl")
    if len(records) < PACK_NOTES:
        raise UsageError(f"expected at least {PACK_NOTES} training records, got {len(records)}; give more")
    held = read_records(settings.records / "val.jsonl")
    out.mkdir(parents=True, exist_ok=True)
    pin_run(settings, model, out, ("train.jsonl", "val.jsonl"))
    model.prepare(settings)
    trainer = ExplainTrainer(model, settings, records, out)
    with room_on_disk(out):
        trainer.resume()
        trainer.run()
        said = trainer.told(held)
        write_run_page(out, settings.photos)
        folder = trainer.save()
    return f"{said}\nmodel: {folder}"
