"""What a policy asks of a multimodal model; one implementation a kind of model, and the choice between them.

`nano.slots` is yochi-nano with cached features, `vlm.slots` any vision-language model of transformers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from peft import LoraConfig
from torch import Tensor, nn
from yochi_runtime.taxonomy import Pack
from yochi_runtime.tokens import TextTokenizer

from .pictures import Picture
from .readout import Logits, SlotReader
from .settings import PolicySettings
from .speech import Drawn, Draws, Text

Images = Any  # what a model makes of pictures, to be handed back to it: nobody else looks inside


class SlotModel(Protocol):
    """A model that reads slots. The policy puts LoRA around `language`, whose modules it changes in place.

    `projector`: weights beside the language model that learn with the LoRA, None where there are none.
    """

    @property
    def pack(self) -> Pack: ...

    @property
    def language(self) -> nn.Module: ...

    @property
    def projector(self) -> nn.Module | None: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def reader(self) -> SlotReader: ...

    def prepare(self, settings: PolicySettings) -> None:
        """Make ready to show the pictures of `settings.photos`; UsageError where they cannot be shown."""

    def pretend(self, settings: PolicySettings, names: Sequence[str]) -> None:
        """Instead of `prepare`, for a dry run that shows the pictures `names`: nothing is written."""

    def align(self, pictures: Sequence[Picture], seed: int) -> None:
        """What comes before the first step of a run that goes on from no other."""

    def lora(self, settings: PolicySettings) -> LoraConfig: ...

    def images(self, names: Sequence[str]) -> Images: ...

    def gray(self) -> Images:
        """One picture with nothing on it."""

    def read(
        self, images: Images, notes: Sequence[Sequence[str]], signs: Sequence[Sequence[str | None]]
    ) -> Logits:
        """Every slot: for each picture the notes that share it, each with the words read in the picture.

        Cues (B, C, 2), the rest in order of notes. A sign is None where nobody looked (`Prompt.sign`).
        NoteError for a note that is too long. The logits are on the CPU, float32, with gradients.
        """

    def read_on(
        self,
        images: Images,
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        texts: Sequence[Sequence[Text]],
    ) -> tuple[Logits, list[list[Tensor]]]:
        """`read`, to the bit, and log-probabilities of what is said after the slots.

        `texts` has a list for each note, in their order; of each text a value for every token of `said`.
        """

    def draw(
        self,
        images: Images,
        notes: Sequence[Sequence[str]],
        signs: Sequence[Sequence[str | None]],
        draws: Draws,
    ) -> list[list[Drawn]]:
        """Texts after the slots of each note; `draws` has the notes in their order."""

    def alone(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        """Of texts without picture and slots: the log-probability of every token that is said, and whether
        it is the likeliest."""

    @property
    def reads(self) -> TextTokenizer:
        """What notes go through."""

    @property
    def words(self) -> TextTokenizer:
        """What is said goes through this: as it is written, and never a control token."""

    def instructed(self, instruction: str, reply: str) -> Text:
        """The user's turn and the model's reply with its end, in the model's own chat form."""

    def tokens(self, notes: Sequence[str]) -> tuple[int, list[int]]:
        """How many a picture takes with its questions, and each note with its."""

    def beside(self) -> int:
        """Weights that are neither in `language` nor in `projector`."""

    def identity(self) -> Mapping[str, str]:
        """Hashes for run.json of what the settings name and the run stands on."""

    def save(self, folder: Path) -> None:
        """Everything of a finished model beside the adapter."""

    def load(self, folder: Path) -> None:
        """What `save` wrote. UsageError where it belongs to another model."""
