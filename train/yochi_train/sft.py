"""Supervised fine-tuning of the slot readout: LoRA on the language model, projector on the vision side.

A run folder holds `run.json` (settings, hashes of the records, versions), `log.jsonl` (a line a step),
`checkpoint.pt` (the newest, written beside and moved into place) and at the end `model/`. A killed run goes
on from its checkpoint and reaches the same weights as an undisturbed one (CPU, same thread count).
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.helpers import disable_input_dtype_casting
from safetensors.torch import load_file
from torch import Tensor, nn
from yochi_runtime.errors import UsageError
from yochi_runtime.inspection import Note
from yochi_runtime.record import Record

from .align import align, speak_words
from .features import Features, encode_folder
from .loss import readout_loss, targets
from .nano import YochiNanoForConditionalGeneration, YochiNanoProcessor
from .pictures import Picture, read_photos, read_pictures
from .positives import POSITIVES, count_positives, larger_counts, read_positives, write_positives
from .progress import Progress
from .readout import SlotReader
from .records import PACK_NOTES, read_records
from .settings import SftSettings

MODEL, ADAPTER_WEIGHTS, PROJECTOR = "model", "adapter/adapter_model.safetensors", "projector.safetensors"
LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Trainer:
    """Everything a step needs; `run` goes from the newest checkpoint to the last step."""

    def __init__(
        self,
        model: YochiNanoForConditionalGeneration,
        processor: YochiNanoProcessor,
        settings: SftSettings,
        features: Features,
        records: Sequence[Record],
        out: Path,
    ) -> None:
        self.model, self.processor, self.settings, self.out = model, processor, settings, out
        self.features, self.records = features, records
        self._row = features.row()
        self.projector = model.vision.projector
        self.language = get_peft_model(
            model.language, lora_config(settings, model.config.text_config.num_hidden_layers)
        )
        self.lora = [p for p in self.language.parameters() if p.requires_grad]
        self.precision = precision_of(settings.precision)
        for parameter in self.language.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(self.precision)
        # Fused attention is slower than plain products here: short sequences, and a backward pass.
        model.language.set_attn_implementation("eager")
        body = self.language.get_base_model().model
        self.reader = SlotReader(body, body.embed_tokens, processor.prompt)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.lora, "peak": settings.lora_rate},
                {"params": list(self.projector.parameters()), "peak": settings.projector_rate},
            ],
            lr=settings.lora_rate,
            weight_decay=0.01,
        )
        self.step = 0

    def start_from(self, run: Path) -> None:
        """The weights of a finished run. UsageError where it is none, or of another shape."""
        adapter, projector = (run / MODEL / name for name in (ADAPTER_WEIGHTS, PROJECTOR))
        missing = [f for f in (adapter, projector, run / MODEL / POSITIVES) if not f.is_file()]
        if missing:
            raise UsageError(f"expected a finished run in {run} to start from, found no {missing[0]}")
        weights = load_file(adapter)
        try:
            missed = set_peft_model_state_dict(self.language, weights).unexpected_keys
            self.projector.load_state_dict(load_file(projector))
        except RuntimeError as e:
            raise UsageError(f"expected a run of the same rank and pack in {run}, got: {e}") from e
        if missed or len(weights) != len(self.lora):
            raise UsageError(
                f"expected a run with LoRA on the same layers in {run}, got {len(weights)} of "
                f"{len(self.lora)} matrices; give the same lora_from_layer"
            )

    def run(self) -> None:
        self._resume()
        total = self.settings.steps
        progress = Progress("sft", total, self.step)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            while self.step < total:
                line = self.train_step()
                log.write(json.dumps(line) + "\n")
                log.flush()
                if self.step % self.settings.checkpoint_every == 0 or self.step == total:
                    self._save()
                progress.step(note=f"loss {line['loss']:.3f}")

    def train_step(self) -> dict[str, Any]:
        packs = self._packs(self.step)
        records = [record for pack in packs for record in pack]
        owner = torch.tensor([i for i, pack in enumerate(packs) for _ in pack])
        images = self._images([pack[0] for pack in packs])
        notes = [self.processor.prompt.note(Note(r.note).text) for r in records]
        bf16 = torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision is torch.bfloat16)
        with bf16, disable_input_dtype_casting(self.language):  # PEFT would widen every input to float32
            logits = self.reader.read(images, notes, owner)
        target = targets(records, [pack[0] for pack in packs], self.processor.pack)
        loss, parts = readout_loss(logits, target, self.processor.pack, self.settings.risk_positive_weight)
        if not torch.isfinite(loss):
            raise UsageError(
                f"expected a finite loss, got {loss.item()} at step {self.step}; lower the learning rates"
            )
        self._schedule()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.lora, *self.projector.parameters()], 1.0)
        self.optimizer.step()
        self.step += 1
        return {"step": self.step, "loss": float(loss.detach()), **parts}

    def _images(self, firsts: Sequence[Record]) -> Tensor:
        """Image embeddings (B, 49, H) from cached features; with gradients while the projector learns."""
        rows = [self._row[r.image] for r in firsts]
        tokens = torch.from_numpy(self.features.tokens[rows]).float()
        pooled = torch.from_numpy(self.features.pooled[rows])
        with torch.set_grad_enabled(self.step < self.settings.projector_steps):
            images: Tensor = self.projector(tokens, pooled)[0]
        return images

    def _packs(self, step: int) -> list[list[Record]]:
        """The packs of a step: the file's order in the first pass, a seeded shuffle in later ones."""
        count = len(self.records) // PACK_NOTES
        chosen = []
        for i in range(step * self.settings.packs, (step + 1) * self.settings.packs):
            pass_number, place = divmod(i, count)
            if pass_number:
                generator = torch.Generator().manual_seed(self.settings.seed + pass_number)
                place = int(torch.randperm(count, generator=generator)[place])
            chosen.append(list(self.records[place * PACK_NOTES : (place + 1) * PACK_NOTES]))
        return chosen

    def _schedule(self) -> None:
        """Linear warm-up, linear decay to a twentieth; the projector stops at its own last step."""
        s = self.settings
        warm = min(1.0, (self.step + 1) / max(1, s.warmup))
        for group, last in zip(self.optimizer.param_groups, (s.steps, s.projector_steps), strict=True):
            group["lr"] = group["peak"] * warm * max(0.05, 1 - self.step / last) if self.step < last else 0.0

    def _save(self) -> None:
        state = {
            "step": self.step,
            "lora": [p.detach() for p in self.lora],
            "projector": self.projector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.out / "checkpoint.partial"
        torch.save(state, partial)
        partial.replace(self.out / "checkpoint.pt")

    def _resume(self) -> None:
        file = self.out / "checkpoint.pt"
        if not file.exists():
            _cut_log(self.out / "log.jsonl", 0)
            return
        state = torch.load(file, weights_only=True)
        self.step = state["step"]
        with torch.no_grad():
            for parameter, value in zip(self.lora, state["lora"], strict=True):
                parameter.copy_(value)
        self.projector.load_state_dict(state["projector"])
        self.optimizer.load_state_dict(state["optimizer"])
        _cut_log(self.out / "log.jsonl", self.step)


def precision_of(wanted: Literal["auto", "bf16", "fp32"]) -> torch.dtype:
    """bfloat16 or float32: bf16 products are four times as fast where the CPU has them, slower elsewhere."""
    has_bf16 = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and Arm names
    known = torch.cpu.get_capabilities()
    fast = any(known.get(name) for name in has_bf16)
    return torch.bfloat16 if wanted == "bf16" or (wanted == "auto" and fast) else torch.float32


def lora_config(settings: SftSettings, layers: int) -> LoraConfig:
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=2 * settings.lora_rank,
        layers_to_transform=list(range(min(settings.lora_from_layer, layers - 1), layers)),
        target_modules=LORA_TARGETS,
        task_type="CAUSAL_LM",
    )


def _cut_log(file: Path, step: int) -> None:
    """Steps after the checkpoint will be made again; the last line may be torn. The log has a line a step."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.write_text("".join(f"{line}\n" for line in lines[:step]), encoding="utf-8")


def train(
    settings: SftSettings, model: YochiNanoForConditionalGeneration, processor: YochiNanoProcessor, out: Path
) -> Path:
    """Align, fine-tune, save; returns the folder of the finished model (base, projector, LoRA adapter)."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(settings.records / "pictures.jsonl")
    records = read_records(settings.records / "train.jsonl")
    _pin_run(settings, out)
    features = encode_folder(
        settings.photos, [p.image for p in read_photos(settings.photos)], settings.features
    )
    if settings.start is None and not (out / "checkpoint.pt").exists():
        prepare_projector(
            model, processor, features, [p for p in pictures if p.split == "train"], settings.seed
        )
    trainer = Trainer(model, processor, settings, features, records, out)
    if settings.start is not None:
        trainer.start_from(settings.start)
    trainer.run()
    return save_model(trainer, out / MODEL)


def prepare_projector(
    model: YochiNanoForConditionalGeneration,
    processor: YochiNanoProcessor,
    features: Features,
    pictures: Sequence[Picture],
    seed: int,
) -> None:
    """Cue heads on the frozen features, cue vectors in the language model's words."""
    projector = model.vision.projector
    speak_words(projector, model.language.model.embed_tokens.weight, processor.pack, processor.text_tokenizer)
    align(projector, features, pictures, processor.pack, seed)


def save_model(trainer: Trainer, folder: Path) -> Path:
    """`adapter/` (PEFT), `projector.safetensors`, tokenizer and pack. The base is named, not copied."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    trainer.language.save_pretrained(folder / "adapter")
    save_file(trainer.projector.state_dict(), folder / PROJECTOR)
    trainer.processor.save_pretrained(folder)
    counts = count_positives(trainer.records)
    if trainer.settings.start is not None:
        counts = larger_counts(counts, read_positives(trainer.settings.start / MODEL))
    write_positives(counts, folder)
    return folder


def _pin_run(settings: SftSettings, out: Path) -> None:
    """Write what the run is made of; a folder with another run in it is refused."""
    data = {
        name: hashlib.sha256((settings.records / name).read_bytes()).hexdigest()
        for name in ("pictures.jsonl", "train.jsonl")
    }
    paths = {"records", "photos", "features", "start", "threads", "checkpoint_every"}
    if settings.start is not None:
        weights = (settings.start / MODEL / name for name in (ADAPTER_WEIGHTS, PROJECTOR))
        data |= {
            f"start/{f.name}": hashlib.sha256(f.read_bytes()).hexdigest() for f in weights if f.is_file()
        }
    run = {
        "settings": settings.model_dump(mode="json", exclude=paths),
        "precision": str(precision_of(settings.precision)),
        "data": data,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
    }
    text = json.dumps(run, indent=1, sort_keys=True) + "\n"
    file = out / "run.json"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"expected {out} to be empty or to hold this very run, it holds another; choose a new folder"
        )
    file.write_text(text, encoding="utf-8")
