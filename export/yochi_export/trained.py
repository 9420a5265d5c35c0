"""A finished training run, put together again: base, LoRA, projector, processor."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from yochi_runtime.base import NANO_BASE
from yochi_runtime.bundle import GLOSSARY, PACK, TOKENIZER, file_sha256
from yochi_runtime.errors import UsageError
from yochi_runtime.explanation import FORM
from yochi_train.assemble import assemble
from yochi_train.lite0 import tuned_encoder
from yochi_train.model_folder import ADAPTER, ADAPTER_WEIGHTS, EXPLAIN, MODEL, PROJECTOR, explains
from yochi_train.nano import YochiNanoProcessor
from yochi_train.nano.vision import VisionTower, read_tower
from yochi_train.positives import POSITIVES, read_positives
from yochi_train.readout import SlotReader

from .lora import WEIGHTS


@dataclass(frozen=True, eq=False)
class Trained:
    """`reader` reads slots in torch with the LoRA applied; `tower` is the unquantized vision half."""

    tower: VisionTower
    reader: SlotReader
    processor: YochiNanoProcessor


@dataclass(frozen=True)
class RunFolder:
    """The files of `yochi-train sft RUN`'s result, all there. UsageError where one is missing."""

    path: Path

    def __post_init__(self) -> None:
        for file in (self.adapter, self.projector, self.tokenizer, self.glossary, self.pack, self._positives):
            if not file.exists():
                raise UsageError(
                    f"expected a finished training run in {self.path}, {file} is missing; "
                    "finish `yochi-train sft`"
                )

    @property
    def adapter(self) -> Path:
        return self.path / MODEL / ADAPTER

    @property
    def explain(self) -> Path | None:
        """The adapter of its explanations, None where it has none."""
        folder = self.path / MODEL / EXPLAIN
        return folder if folder.is_dir() else None

    @property
    def projector(self) -> Path:
        return self.path / MODEL / PROJECTOR

    @property
    def tokenizer(self) -> Path:
        return self.path / MODEL / TOKENIZER

    @property
    def glossary(self) -> Path:
        return self.path / MODEL / GLOSSARY

    @property
    def pack(self) -> Path:
        return self.path / MODEL / PACK

    @property
    def _positives(self) -> Path:
        return self.path / MODEL / POSITIVES

    def hashes(self) -> dict[str, str]:
        """sha256 of everything that its answers depend on, by what it is."""
        files = {"adapter": self.path / MODEL / ADAPTER_WEIGHTS, "projector": self.projector}
        tuned = tuned_encoder(self.path / MODEL)
        files |= {"encoder": tuned} if tuned else {}
        files |= {"explain": self.explain / WEIGHTS} if self.explain else {}
        files |= {"pack": self.pack, "tokenizer": self.tokenizer, "glossary": self.glossary}
        return {name: file_sha256(path) for name, path in files.items()} | {"base": NANO_BASE.sha256}

    def positives(self) -> dict[str, int]:
        """Distinct positive training examples by slot id."""
        return read_positives(self.path / MODEL)

    @property
    def explanation(self) -> str | None:
        """The form that it learned to explain in, None where it learned none; UsageError for another's."""
        return FORM if self.explain or explains(self.path / MODEL) else None

    def tower(self) -> VisionTower:
        """The unquantized vision half alone."""
        return read_tower(self.path / MODEL)

    def load(self, base: Path | None = None) -> Trained:
        """In torch, fp32, evaluation mode; the base language model is found and checked, or given."""
        model, _ = assemble(self.pack, base)
        processor = YochiNanoProcessor.from_pretrained(self.path / MODEL)
        tower = self.tower()
        with peft_in_silence():
            language = PeftModel.from_pretrained(model.language, str(self.adapter)).eval()
        body = language.get_base_model().model
        return Trained(tower, SlotReader(body, body.embed_tokens, processor.prompt), processor)


@contextlib.contextmanager
def peft_in_silence() -> Iterator[None]:
    """PEFT asks transformers for a property by its old name, and transformers complains about that."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
