"""The slot readout in torch: the same segments as the box, with gradients.

A pack of notes shares one picture. Prefix, picture and cue slots run once; their keys and values are repeated
for the notes, as the box reuses its cache. Answers are read from the hidden state before each placeholder.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import CacheLayerMixin
from yochi_runtime.prompt import Prompt

GROUP = 8  # notes of a like length that are read together
ROUND = 8  # their padded length is a multiple of this: few shapes, whose kernels are then ready


@dataclass(frozen=True)
class Logits:
    """`cues` (B, C, 2) and `risks` (N, R, 2) over (no, yes); `verdict` (N, 3) over proceed, caution, stop."""

    cues: Tensor
    risks: Tensor
    verdict: Tensor


class SlotReader:
    """Reads slots with `body` (a LlamaModel, with or without LoRA) and its token embeddings."""

    def __init__(self, body: nn.Module, embeddings: nn.Embedding, prompt: Prompt) -> None:
        self._body, self._embeddings, self.prompt = body, embeddings, prompt

    def read(self, images: Tensor, notes: Sequence[Sequence[int]], owner: Tensor) -> Logits:
        """images (B, 49, H); token ids of each of N notes (from Prompt.note); owner (N,): its picture.

        Notes are grouped by length inside, so that short ones do not pay for long ones. Answers are float32
        in every precision of the model.
        """
        cues, cache, length = self._look(images)
        order = sorted(range(len(notes)), key=lambda i: len(notes[i]))
        risks: list[Tensor] = [torch.empty(0)] * len(notes)
        for chosen in (order[i : i + GROUP] for i in range(0, len(order), GROUP)):
            hidden = self._answer([notes[i] for i in chosen], owner[torch.tensor(chosen)], cache, length)
            for row, i in zip(hidden, chosen, strict=True):
                risks[i] = row
        stacked = torch.stack(risks)
        return Logits(cues, self._yes_no(stacked[:, :-1]), self._verdict(stacked[:, -1]))

    def look(self, images: Tensor) -> Tensor:
        """Cue logits alone, (B, C, 2)."""
        return self._look(images)[0]

    def _look(self, images: Tensor) -> tuple[Tensor, DynamicCache, int]:
        p = self.prompt
        batch = images.shape[0]
        prefix = self._embed(p.prefix).expand(batch, -1, -1)
        look = self._embed(p.look).expand(batch, -1, -1)
        embeds = torch.cat([prefix, images.to(prefix.dtype), look], dim=1)
        output = self._body(inputs_embeds=embeds, use_cache=True)
        at = torch.tensor(p.look_at) + embeds.shape[1] - len(p.look)
        return self._yes_no(output.last_hidden_state[:, at]), output.past_key_values, embeds.shape[1]

    def _answer(
        self, notes: Sequence[Sequence[int]], owner: Tensor, cache: DynamicCache, length: int
    ) -> Tensor:
        """Hidden states (n, R + 1, H) before the placeholders of risk slots and verdict."""
        p = self.prompt
        rows = [[*p.sign(), *note, *p.slots] for note in notes]
        longest = -(-max(map(len, rows)) // ROUND) * ROUND
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=owner.device)
        position = torch.arange(length, length + longest, device=owner.device)[None].expand(len(rows), -1)
        output = self._body(
            inputs_embeds=self._embeddings(ids), past_key_values=_repeat(cache, owner), position_ids=position
        )
        first = torch.tensor([len(row) - len(p.slots) for row in rows], device=owner.device)
        at = first[:, None] + torch.tensor(p.slots_at, device=owner.device)
        hidden: Tensor = output.last_hidden_state
        return hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))

    def _embed(self, ids: Sequence[int]) -> Tensor:
        out: Tensor = self._embeddings(torch.tensor([list(ids)], device=self._embeddings.weight.device))
        return out

    def _yes_no(self, hidden: Tensor) -> Tensor:
        a = self.prompt.answers
        return self._logits(hidden, (a.no, a.yes))

    def _verdict(self, hidden: Tensor) -> Tensor:
        return self._logits(hidden, self.prompt.answers.verdict)

    def _logits(self, hidden: Tensor, answers: Sequence[int]) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            out: Tensor = hidden.float() @ self._embeddings.weight[list(answers)].float().T
        return out


def _repeat(cache: DynamicCache, owner: Tensor) -> DynamicCache:
    """A new cache whose row n is the picture of note n; gradients flow back into the shared rows."""
    repeated = DynamicCache()
    for i, layer in enumerate(cache.layers):
        assert isinstance(layer, CacheLayerMixin)
        assert layer.keys is not None
        assert layer.values is not None
        repeated.update(layer.keys[owner], layer.values[owner], i)
    return repeated
