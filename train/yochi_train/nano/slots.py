"""yochi-nano for a policy: LoRA on SmolLM2, the projector beside it, the encoder's features from a cache."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor
from yochi_bench.answers import GRAY
from yochi_runtime.errors import UsageError
from yochi_runtime.image import prepare
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import BOS, IMAGE_TOKENS
from yochi_runtime.tokens import TextTokenizer

from ..align import align, speak_words
from ..features import FOLDED, POOLED, TOKENS, Features, encode_folder
from ..lite0 import encoder_of, tuned_encoder
from ..model_folder import ENCODER, MODEL, PROJECTOR
from ..pictures import Picture, read_photos
from ..policy import lora_config
from ..readout import Logits, SlotReader
from ..settings import PolicySettings
from ..speech import Drawn, Draws, Text
from .model import YochiNanoForConditionalGeneration
from .processor import YochiNanoProcessor

TURN_END = 2  # `<|im_end|>` of SmolLM2; BOS begins a turn


class NanoSlots:
    """A `SlotModel`; `features` may be given where they are at hand."""

    def __init__(
        self,
        model: YochiNanoForConditionalGeneration,
        processor: YochiNanoProcessor,
        features: Features | None = None,
    ) -> None:
        self.processor, self.pack = processor, processor.pack
        self.language, self.tower, self.projector = model.language, model.vision, model.vision.projector
        self.device = torch.device("cpu")
        self._tuned: Path | None = None
        # Fused attention is slower than plain products here: short sequences, and a backward pass.
        model.language.set_attn_implementation("eager")
        body = model.language.model
        self.reader = SlotReader(body, body.embed_tokens, processor.prompt)
        if features is not None:
            self._take(features)

    def prepare(self, settings: PolicySettings) -> None:
        assert settings.features is not None  # the settings ask for it
        photos = [p.image for p in read_photos(settings.photos)]
        model = settings.start / MODEL if settings.start else None
        self._take(encode_folder(settings.photos, photos, settings.features, model))
        self._tuned = tuned_encoder(model)
        if self._tuned:
            self.tower.encoder = encoder_of(model)

    def pretend(self, settings: PolicySettings, names: Sequence[str]) -> None:  # noqa: ARG002
        """Shows every picture as the same noise, which takes the room of one."""
        draw = np.random.default_rng(0)
        tokens = np.abs(draw.standard_normal((1, TOKENS, FOLDED))).astype(np.float16)
        pooled = np.abs(draw.standard_normal((1, POOLED))).astype(np.float32)
        count = len(names)
        shown = np.broadcast_to(tokens, (count, *tokens.shape[1:])), np.broadcast_to(pooled, (count, POOLED))
        self._take(Features(tuple(names), *shown))

    def _take(self, features: Features) -> None:
        self.features, self._row = features, features.row()

    def align(self, pictures: Sequence[Picture], seed: int) -> None:
        """Cue heads on the frozen features, cue vectors in the language model's words."""
        words = self.processor.text_tokenizer
        speak_words(self.projector, self.language.model.embed_tokens.weight, self.pack, words)
        align(self.projector, self.features, pictures, self.pack, seed)

    def lora(self, settings: PolicySettings) -> LoraConfig:
        return lora_config(settings, self.language.config.num_hidden_layers)

    def images(self, names: Sequence[str]) -> Tensor:
        """Image embeddings (B, 49, H) from cached features; gradients reach the projector."""
        rows = [self._row[name] for name in names]
        tokens = torch.from_numpy(self.features.tokens[rows]).float()
        images: Tensor = self.projector(tokens, torch.from_numpy(self.features.pooled[rows]))[0]
        return images

    def gray(self) -> Tensor:
        gray: Tensor = self.tower(torch.from_numpy(prepare(GRAY)))[0]
        return gray  # (1, 49, H)

    def read(
        self, images: Tensor, notes: Sequence[Sequence[str]], signs: Sequence[Sequence[str | None]]
    ) -> Logits:
        return self.reader.read(images, *self._segments(notes, signs))

    def read_on(
        self,
        images: Tensor,
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        texts: Sequence[Sequence[Text]],
    ) -> tuple[Logits, list[list[Tensor]]]:
        return self.reader.read_on(images, *self._segments(notes, signs), texts)

    def draw(
        self,
        images: Tensor,
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        draws: Draws,
    ) -> list[list[Drawn]]:
        return self.reader.draw(images, *self._segments(notes, signs), draws)

    def _segments(
        self, notes: Sequence[Sequence[str]], signs: Sequence[Sequence[str | None]]
    ) -> tuple[list[tuple[int, ...]], Tensor, list[str | None]]:
        """Ids of every note, which picture it is about, and the words that were read there."""
        owner = torch.tensor([i for i, of_picture in enumerate(notes) for _ in of_picture])
        seen = [sign for of_picture in signs for sign in of_picture]
        texts = (text for of_picture in notes for text in of_picture)
        prompt = self.processor.prompt
        said = [prompt.note(Note(text).text, sign) for text, sign in zip(texts, seen, strict=True)]
        return said, owner, seen

    def alone(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        return self.reader.speaker.alone(texts)

    @property
    def reads(self) -> TextTokenizer:
        return self.processor.text_tokenizer

    @property
    def words(self) -> TextTokenizer:
        return self.processor.text_tokenizer.as_written()

    def instructed(self, instruction: str, reply: str) -> Text:
        """ChatML as SmolLM2 was tuned with it, without the words of the system that its template adds."""
        words = self.words.encode
        user = (BOS, *words(f"user\n{instruction}"), TURN_END, *words("\n"))
        return Text((*user, BOS, *words("assistant\n")), (*words(reply), TURN_END))

    def tokens(self, notes: Sequence[str]) -> tuple[int, list[int]]:
        p = self.processor.prompt
        around = len(p.sign()) + len(p.slots)
        of_notes = [around + len(p.note(Note(text).text)) for text in notes]
        return len(p.prefix) + IMAGE_TOKENS + len(p.look), of_notes

    def beside(self) -> int:
        return sum(p.numel() for p in self.tower.encoder.parameters())

    def identity(self) -> Mapping[str, str]:
        return {}  # the base is pinned by this source, and checked when it is loaded

    def save(self, folder: Path) -> None:
        save_file(self.projector.state_dict(), folder / PROJECTOR)
        if self._tuned:
            shutil.copyfile(self._tuned, folder / ENCODER)
        self.processor.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        if not (folder / PROJECTOR).is_file():
            raise UsageError(
                f"expected a finished run of yochi-nano to start from, found no {folder / PROJECTOR}"
            )
        self.projector.load_state_dict(load_file(folder / PROJECTOR))
