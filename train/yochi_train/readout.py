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
from transformers.modeling_outputs import BaseModelOutputWithPast
from yochi_runtime.prompt import Prompt

GROUP = 8  # notes of a like length that are read together
ROUND = 8  # their padded length is a multiple of this: few shapes, whose kernels are then ready


@dataclass(frozen=True)
class Logits:
    """`cues` (B, C, 2) and `risks` (N, R, 2) over (no, yes); `verdict` (N, 3) over proceed, caution, stop."""

    cues: Tensor
    risks: Tensor
    verdict: Tensor


@dataclass(frozen=True)
class Seen:
    """What is left of B pictures when their cues are read.

    `cues` (B, C, 2); `cache` keys and values for what is read after them; `position` (..., B, T) of the
    tokens read so far, on three axes where the model has so many.
    """

    cues: Tensor
    cache: DynamicCache
    position: Tensor


class SlotReader:
    """Reads slots with `body` (a LlamaModel, with or without LoRA) and its token embeddings.

    `output` has the rows that make logits, where they are not those of the embeddings. `turn` are ids between
    note and slots: a chat template's words where the answer begins.
    """

    def __init__(
        self,
        body: nn.Module,
        embeddings: nn.Module,
        prompt: Prompt,
        *,
        output: nn.Module | None = None,
        turn: Sequence[int] = (),
    ) -> None:
        self._body, self._embeddings, self.prompt = body, embeddings, prompt
        self._output, self._turn = output or embeddings, turn

    def read(
        self,
        images: Tensor,
        notes: Sequence[Sequence[int]],
        owner: Tensor,
        signs: Sequence[str | None] | None = None,
    ) -> Logits:
        """images (B, 49, H); token ids of each of N notes (from Prompt.note); owner (N,): its picture.

        `signs` as for `Prompt.sign`, one a note; without them nobody looked at any.
        Notes are grouped by length inside, so that short ones do not pay for long ones. Answers are float32
        in every precision of the model.
        """
        return self._read_after(self._look(images), notes, owner, signs or [None] * len(notes))

    def look(self, images: Tensor) -> Tensor:
        """Cue logits alone, (B, C, 2)."""
        return self._look(images).cues

    def _read_after(
        self, seen: Seen, notes: Sequence[Sequence[int]], owner: Tensor, signs: Sequence[str | None]
    ) -> Logits:
        said = [(*self.prompt.sign(sign), *note) for sign, note in zip(signs, notes, strict=True)]
        order = sorted(range(len(said)), key=lambda i: len(said[i]))
        risks: list[Tensor] = [torch.empty(0)] * len(said)
        for chosen in (order[i : i + GROUP] for i in range(0, len(order), GROUP)):
            hidden = self._answer([said[i] for i in chosen], owner[torch.tensor(chosen)], seen)
            for row, i in zip(hidden, chosen, strict=True):
                risks[i] = row
        stacked = torch.stack(risks)
        return Logits(seen.cues, self._yes_no(stacked[:, :-1]), self._verdict(stacked[:, -1]))

    def _look(self, images: Tensor) -> Seen:
        p = self.prompt
        batch = images.shape[0]
        prefix = self._embed(p.prefix).expand(batch, -1, -1)
        look = self._embed(p.look).expand(batch, -1, -1)
        embeds = torch.cat([prefix, images.to(prefix.dtype), look], dim=1)
        output = self._body(inputs_embeds=embeds, use_cache=True)
        return self._seen(output, torch.arange(embeds.shape[1])[None])

    def _seen(self, output: BaseModelOutputWithPast, position: Tensor) -> Seen:
        """Of a pass that ends with the cue slots."""
        hidden = output.last_hidden_state
        assert hidden is not None
        assert isinstance(output.past_key_values, DynamicCache)
        at = torch.tensor(self.prompt.look_at) + hidden.shape[1] - len(self.prompt.look)
        return Seen(self._yes_no(hidden[:, at]), output.past_key_values, position)

    def _answer(self, said: Sequence[Sequence[int]], owner: Tensor, seen: Seen) -> Tensor:
        """Of signs with notes: hidden states (n, R + 1, H) before the answers of risk slots and verdict."""
        p = self.prompt
        rows = [[*words, *self._turn, *p.slots] for words in said]
        longest = -(-max(map(len, rows)) // ROUND) * ROUND
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=owner.device)
        length = int(seen.position.max()) + 1
        position = torch.arange(length, length + longest, device=owner.device)
        output = self._body(
            inputs_embeds=self._embeddings(ids),
            past_key_values=_repeat(seen.cache, owner),
            position_ids=position.expand(*seen.position.shape[:-2], len(rows), -1),
        )
        first = torch.tensor([len(row) - len(p.slots) for row in rows], device=owner.device)
        at = first[:, None] + torch.tensor(p.slots_at, device=owner.device)
        hidden: Tensor = output.last_hidden_state
        return hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))

    def _embed(self, ids: Sequence[int]) -> Tensor:
        device = next(self._embeddings.parameters()).device
        out: Tensor = self._embeddings(torch.tensor([list(ids)], device=device))
        return out

    def _yes_no(self, hidden: Tensor) -> Tensor:
        a = self.prompt.answers
        return self._logits(hidden, (a.no, a.yes))

    def _verdict(self, hidden: Tensor) -> Tensor:
        return self._logits(hidden, self.prompt.answers.verdict)

    def _logits(self, hidden: Tensor, answers: Sequence[int]) -> Tensor:
        weight = self._output.weight
        assert isinstance(weight, Tensor)
        with torch.autocast(hidden.device.type, enabled=False):
            return (hidden.float() @ weight[list(answers)].float().T).cpu()


def _repeat(cache: DynamicCache, owner: Tensor) -> DynamicCache:
    """A new cache whose row n is the picture of note n; gradients flow back into the shared rows."""
    repeated = DynamicCache()
    for i, layer in enumerate(cache.layers):
        assert isinstance(layer, CacheLayerMixin)
        assert layer.keys is not None
        assert layer.values is not None
        repeated.update(layer.keys[owner], layer.values[owner], i)
    return repeated
