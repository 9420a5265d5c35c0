"""A vision-language model for a policy: LoRA on its language half, the vision half as it is."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import torch
from peft import LoraConfig
from torch import Tensor, nn
from yochi_bench.answers import GRAY
from yochi_runtime.bundle import PACK
from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame, read_frame
from yochi_runtime.inspection import Note
from yochi_runtime.taxonomy import pack_text, parse_pack
from yochi_runtime.tokens import TextTokenizer

from ..pictures import Picture
from ..policy import LORA_TARGETS, upper_layers
from ..readout import Logits
from ..settings import PolicySettings
from ..speech import Drawn, Draws, Text
from .chat import build_chat
from .family import Inputs
from .hub import Hub, open_vlm, pinned
from .reading import ChatReader

BASE = "base.json"  # in a finished run: the model that its adapter belongs to


class VlmSlots:
    """A `SlotModel`, on the GPU where there is one. A picture is encoded each time it is shown."""

    projector: nn.Module | None = None

    def __init__(self, hub: Hub, pack: str) -> None:
        """`pack` is the text of a pack.toml."""
        self._pack_toml, self.pack = pack, parse_pack(pack)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._hub, self.language = hub, hub.vlm.to(self.device)
        self.base = pinned(hub.name, hub.vlm)
        image = hub.vlm.config.image_token_id
        self.chat = build_chat(hub.tokenizer, hub.template, image, self.pack)
        self.reader = ChatReader(hub, self.chat)
        self._options = hub.family.options(hub.vlm.config)

    @classmethod
    def open(cls, name: str, pack_file: Path | None) -> "VlmSlots":
        return cls(open_vlm(name), pack_text(pack_file))

    def prepare(self, settings: PolicySettings) -> None:
        if not settings.photos.is_dir():
            raise UsageError(f"expected the folder of the records' pictures at {settings.photos}, found none")
        self._photos = settings.photos

    def pretend(self, settings: PolicySettings, names: Sequence[str]) -> None:  # noqa: ARG002
        """Nothing is cached, so that a dry run may show the pictures themselves."""
        self.prepare(settings)

    def align(self, pictures: Sequence[Picture], seed: int) -> None:
        """Its projector was trained with it."""

    def lora(self, settings: PolicySettings) -> LoraConfig:
        """On the upper layers of the language half alone: the vision half has modules of the same names."""
        layers = self._hub.vlm.config.get_text_config().num_hidden_layers
        numbers = "|".join(map(str, upper_layers(settings.lora_from_layer, layers)))
        layer = re.escape(self._hub.family.layer).replace(r"\{\}", f"({numbers})")
        return LoraConfig(
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            target_modules=rf"{layer}\.\w+\.({'|'.join(LORA_TARGETS)})",
            task_type="CAUSAL_LM",
        )

    def images(self, names: Sequence[str]) -> list[Inputs]:
        return [self.inputs(read_frame(self._photos / name)) for name in names]

    def gray(self) -> list[Inputs]:
        return [self.inputs(GRAY)]

    def inputs(self, frame: Frame) -> Inputs:
        """What the model's own image processor makes of a picture that is shown whole."""
        made: Inputs = self._hub.pictures(images=[frame.rgb], return_tensors="pt", **self._options)
        return {name: value for name, value in made.items() if isinstance(value, torch.Tensor)}

    def said(self, ids: Sequence[int]) -> str:
        """The words of `ids`, control tokens by their names."""
        return str(self._hub.tokenizer.decode(list(ids), skip_special_tokens=False))

    def read(
        self,
        images: Sequence[Inputs],
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
    ) -> Logits:
        """Picture by picture: each may have a size of its own, and so a length of its own."""
        return self.read_on(images, notes, signs, [()] * sum(map(len, notes)))[0]

    def read_on(
        self,
        images: Sequence[Inputs],
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        texts: Sequence[Sequence[Text]],
    ) -> tuple[Logits, list[list[Tensor]]]:
        parts = [
            self.reader.read_picture(inputs, self._segments(of_picture), seen, texts[first:last])
            for inputs, of_picture, seen, (first, last) in zip(
                images, notes, signs, _places(notes), strict=True
            )
        ]
        logits = Logits(
            *(torch.cat([getattr(p, name) for p, _ in parts]) for name in ("cues", "risks", "verdict"))
        )
        return logits, [log for _, logs in parts for log in logs]

    def draw(
        self,
        images: Sequence[Inputs],
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        draws: Draws,
    ) -> list[list[Drawn]]:
        return [
            drawn
            for inputs, of_picture, seen, (first, last) in zip(
                images, notes, signs, _places(notes), strict=True
            )
            for drawn in self.reader.draw_picture(
                inputs, self._segments(of_picture), seen, replace(draws, given=draws.given[first:last])
            )
        ]

    def _segments(self, notes: Sequence[str]) -> list[list[int]]:
        return [self.chat.note(Note(text).text) for text in notes]

    def alone(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        return self.reader.speaker.alone(texts)

    @property
    def reads(self) -> TextTokenizer:
        return self.chat.words

    @property
    def words(self) -> TextTokenizer:
        return self.chat.words

    def instructed(self, instruction: str, reply: str) -> Text:
        return self.chat.instructed(instruction, reply)

    def tokens(self, notes: Sequence[str]) -> tuple[int, list[int]]:
        p = self.chat.prompt
        around = len(p.sign()) + len(self.chat.turn) + len(p.slots)
        of_notes = [around + len(self.chat.note(Note(text).text)) for text in notes]
        return len(self.reader.shown(self.inputs(GRAY))), of_notes

    def beside(self) -> int:
        return 0

    def identity(self) -> Mapping[str, str]:
        return {"model": self.base}

    def save(self, folder: Path) -> None:
        (folder / PACK).write_text(self._pack_toml, encoding="utf-8")
        (folder / BASE).write_text(json.dumps(self.identity()) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        of = base_of(folder)
        if of != self.base:
            raise UsageError(f"expected a run of {self.base} to start from, got one of {of or 'yochi-nano'}")


def _places(notes: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Where the notes of each picture begin and end among all notes."""
    ends = list(accumulate(map(len, notes)))
    return list(zip([0, *ends[:-1]], ends, strict=True))


def base_of(folder: Path) -> str | None:
    """The model that a finished run belongs to; None where it is yochi-nano."""
    file = folder / BASE
    return str(json.loads(file.read_text(encoding="utf-8"))["model"]) if file.is_file() else None
