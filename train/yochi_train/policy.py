"""The model while it learns: a `SlotModel` with LoRA around its language.

What supervised fine-tuning and preference rounds share: weights in and out, the slots of packs of records,
one step of the optimizer. How a step's loss is made is theirs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.helpers import disable_input_dtype_casting
from safetensors.torch import load_file
from torch import Tensor, nn
from yochi_runtime.errors import UsageError
from yochi_runtime.record import Record

from .model_folder import ADAPTER, ADAPTER_WEIGHTS, EXPLAIN, MODEL
from .positives import POSITIVES, write_positives
from .processes import ALONE, Processes
from .readout import Logits
from .settings import PolicySettings
from .slot_model import Images, SlotModel
from .speech import Drawn, Draws, Text

LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Policy:
    """A model with a fresh LoRA around its language; `start_from` gives it a finished run's weights."""

    def __init__(self, model: SlotModel, settings: PolicySettings) -> None:
        self.model, self.pack, self.projector = model, model.pack, model.projector
        self.language = get_peft_model(model.language, model.lora(settings))
        self.lora = [p for p in self.language.parameters() if p.requires_grad]
        self.precision = precision_of(settings.precision, model.device)
        for parameter in self.language.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.to(self.precision)

    def start_from(self, run: Path) -> None:
        """The weights of a finished run. UsageError where it is none, or of another shape."""
        adapter = run / MODEL / ADAPTER_WEIGHTS
        missing = [f for f in (adapter, run / MODEL / POSITIVES) if not f.is_file()]
        if missing:
            raise UsageError(f"expected a finished run in {run} to start from, found no {missing[0]}")
        weights = load_file(adapter)
        try:
            missed = set_peft_model_state_dict(self.language, weights).unexpected_keys
            self.model.load(run / MODEL)
        except RuntimeError as e:
            raise UsageError(f"expected a run of the same rank and pack in {run}, got: {e}") from e
        if missed or len(weights) != len(self.lora):
            raise UsageError(
                f"expected a run with LoRA on the same layers in {run}, got {len(weights)} of "
                f"{len(self.lora)} matrices; give the same lora_from_layer"
            )

    def explain_apart(self, config: LoraConfig) -> list[nn.Parameter]:
        """A second LoRA, fresh, on top of the first for what is said after the slots, and for nothing else.

        From now on it alone learns; returns its weights.
        """
        self.language.add_adapter(EXPLAIN, config)
        learned = [p for name, p in self.language.named_parameters() if f".{EXPLAIN}." in name]

        def use(*adapters: str) -> None:
            self.language.base_model.set_adapter(list(adapters), inference_mode=True)
            for parameter in learned:
                parameter.requires_grad_(True)

        @contextmanager
        def both() -> Iterator[None]:
            use("default", EXPLAIN)
            try:
                yield
            finally:
                use("default")

        use("default")
        self.model.reader.speaker.aside = both
        return learned

    def images(self, packs: Sequence[Sequence[Record]]) -> Images:
        """Each pack's picture, as the model takes it."""
        return self.model.images([pack[0].image for pack in packs])

    def read(self, packs: Sequence[Sequence[Record]], images: Images) -> Logits:
        """Every slot of packs of records, each pack on its own picture of `images`."""
        with self._in_precision():
            return self.model.read(images, *_written(packs))

    def read_on(
        self, packs: Sequence[Sequence[Record]], images: Images, texts: Sequence[Sequence[Text]]
    ) -> tuple[Logits, list[list[Tensor]]]:
        """`read`, and the log-probabilities of the tokens of each record's `texts`."""
        with self._in_precision():
            return self.model.read_on(images, *_written(packs), texts)

    def draw(self, packs: Sequence[Sequence[Record]], images: Images, draws: Draws) -> list[list[Drawn]]:
        """Texts after each record's slots."""
        with self._in_precision():
            return self.model.draw(images, *_written(packs), draws)

    def alone(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        """Of texts without a picture: as `SlotModel.alone`."""
        with self._in_precision():
            return self.model.alone(texts)

    @contextmanager
    def _in_precision(self) -> Iterator[None]:
        bf16 = torch.autocast(
            self.model.device.type, dtype=torch.bfloat16, enabled=self.precision is torch.bfloat16
        )
        with bf16, disable_input_dtype_casting(self.language):  # PEFT would widen every input to float32
            yield

    def layers(self) -> list[nn.Module]:
        """Of the language half: the list that the LoRA is in, from the first one on."""
        lists = (m for m in self.language.modules() if isinstance(m, nn.ModuleList))
        return list(next(m for m in lists if any(p.requires_grad for p in m.parameters())))

    def lora_weights(self) -> list[Tensor]:
        """A copy that later steps do not change."""
        return [p.detach().clone() for p in self.lora]

    def set_lora(self, weights: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.lora, weights, strict=True):
                parameter.copy_(value)

    @contextmanager
    def holding(self, weights: Sequence[Tensor]) -> Iterator[None]:
        """With another LoRA, and its own again afterwards."""
        own = self.lora_weights()
        self.set_lora(weights)
        try:
            yield
        finally:
            self.set_lora(own)

    def save(self, folder: Path, positives: Mapping[str, int]) -> Path:
        """`adapter/` (PEFT), and what the model has beside it. The base is named, not copied."""
        folder.mkdir(parents=True, exist_ok=True)
        self.language.save_pretrained(folder / ADAPTER)
        self.model.save(folder)
        write_positives(positives, folder)
        return folder


def _written(packs: Sequence[Sequence[Record]]) -> tuple[list[list[str]], list[list[str | None]]]:
    """Notes, and the words that were read in their pictures."""
    notes = [[record.note for record in pack] for pack in packs]
    return notes, [[record.sign for record in pack] for pack in packs]


def check_finite(loss: Tensor, step: int) -> None:
    if not torch.isfinite(loss):
        raise UsageError(
            f"expected a finite loss, got {loss.item()} at step {step}; lower the learning rates"
        )


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, processes: Processes = ALONE) -> None:
    """One step of `optimizer`; the gradient of all its parameters together is at most 1 long.

    Of several `processes` each has its share of the loss, and all make the same step.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    processes.sum_gradients(parameters)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


def precision_of(wanted: Literal["auto", "bf16", "fp32"], device: torch.device) -> torch.dtype:
    """bfloat16 or float32; `auto` is the one whose products are faster on this machine."""
    if wanted == "auto" and device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if wanted == "bf16" or (wanted == "auto" and has_fast_bf16()) else torch.float32


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 faster than float32.

    AMX, Arm's bf16 and AMD's AVX512-BF16 do; on an Intel Xeon whose AMX is hidden AVX512-BF16 does half of
    float32's operations. Told by what the CPU is, not by a clock: a run that goes on must find the same.
    """
    known = torch.cpu.get_capabilities()
    intel = str(known.get("cpu_name", "")).startswith("Intel")
    return bool(known.get("amx_bf16") or known.get("bf16") or (known.get("avx512_bf16") and not intel))


def lora_config(settings: PolicySettings, layers: int) -> LoraConfig:
    """For a language model of so many layers that stands alone."""
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=2 * settings.lora_rank,
        layers_to_transform=upper_layers(settings.lora_from_layer, layers),
        target_modules=LORA_TARGETS,
        task_type="CAUSAL_LM",
    )


def upper_layers(first: int, layers: int) -> list[int]:
    """From `first` on, the last one at least."""
    return list(range(min(first, layers - 1), layers))
