"""A picture is shown once, as the model's own code takes it, and its notes are read after it."""

from collections.abc import Sequence
from typing import Any

import torch

from ..readout import Logits, Seen, SlotReader
from ..speech import Drawn, Draws, Text
from .chat import Chat
from .family import Inputs
from .hub import Hub


class ChatReader(SlotReader):
    """Reads slots with a whole vision-language model, with or without LoRA in it."""

    def __init__(self, hub: Hub, chat: Chat) -> None:
        self._vlm: Any = hub.vlm
        super().__init__(
            self._vlm.model,
            self._vlm.get_input_embeddings(),
            chat.prompt,
            output=self._vlm.get_output_embeddings(),
            turn=chat.turn,
        )
        self._hub, self._chat = hub, chat

    def read_picture(
        self,
        inputs: Inputs,
        notes: Sequence[Sequence[int]],
        signs: Sequence[str | None],
        texts: Sequence[Sequence[Text]] = (),
    ) -> tuple[Logits, list[list[torch.Tensor]]]:
        """One picture's cues (1, C, 2), the rest of each of its notes, from `Chat.note`, with signs.

        And what `read_on` gives.
        """
        return self._read_after(self._show(inputs), self._words(notes, signs), self._owner(notes), texts)

    def draw_picture(
        self, inputs: Inputs, notes: Sequence[Sequence[int]], signs: Sequence[str | None], draws: Draws
    ) -> list[list[Drawn]]:
        """As `draw`, after the notes of one picture."""
        with torch.no_grad():
            words = self._words(notes, signs)
            return self._draw_after(self._show(inputs), words, self._owner(notes), draws)

    def _owner(self, notes: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.zeros(len(notes), dtype=torch.long, device=self._vlm.device)

    def shown(self, inputs: Inputs) -> list[int]:
        """Every id up to the last cue slot."""
        return [*self.picture_ids(inputs), *self._chat.task, *self.prompt.look]

    def picture_ids(self, inputs: Inputs) -> list[int]:
        """The template's words up to the picture and the picture's tokens, in place of its one."""
        return self._chat.with_picture(self._hub.family, self._vlm.config, self._hub.tokenizer, inputs)

    def _show(self, inputs: Inputs) -> Seen:
        here = {name: value.to(self._vlm.device) for name, value in inputs.items()}
        ids = torch.tensor([self.shown(inputs)], device=self._vlm.device)
        position = self._hub.family.positions(self._vlm.model, ids, here)
        output = self._vlm.model(input_ids=ids, position_ids=position, use_cache=True, **here)
        return self._seen(output, position)
