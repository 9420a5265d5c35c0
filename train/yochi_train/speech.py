"""Text after the slots, and text alone: how likely a model says it, and what it says when it is drawn.

Rows go on from the cache of a readout, which they leave as it is. Logits are over the whole vocabulary: where
the weights are bfloat16 the product is, and all that follows is float32 on the CPU.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache
from transformers.cache_utils import CacheLayerMixin


class Text(NamedTuple):
    """Ids that are given and ids that are said after them; neither may be empty."""

    given: tuple[int, ...]
    said: tuple[int, ...]


class Drawn(NamedTuple):
    """Ids that were said, the end among them, and their log-probability at temperature 1."""

    said: tuple[int, ...]
    log_probability: float


@dataclass(frozen=True)
class Draws:
    """For each note what is given before each of its texts; `limit` tokens at most, `end` the last one.

    At a `temperature` of 0 the likeliest token is taken.
    """

    given: Sequence[Sequence[tuple[int, ...]]]
    limit: int
    end: int
    temperature: float
    generator: torch.Generator


@dataclass(frozen=True, eq=False)
class Answered:
    """n notes whose slots are read.

    `hidden` (n, R + 1, H) before the placeholders of risk slots and verdict; `cache` of T tokens, of which
    `real` (n, T) are a note's own; `position` (n,) of its next token, on as many axes as `axes` has sizes.
    """

    hidden: Tensor
    cache: DynamicCache
    real: Tensor
    position: Tensor
    axes: torch.Size


class Speaker:
    """`body` with its token embeddings and the rows that make logits.

    `aside` is entered for what is said after slots, and for nothing else.
    """

    def __init__(self, body: nn.Module, embeddings: nn.Module, output: nn.Module) -> None:
        self._body, self._embeddings, self._output = body, embeddings, output
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext

    def log_probabilities(self, after: Answered, said: Sequence[tuple[int, Text]]) -> list[Tensor]:
        """(len(text.said),) of each (row of `after`, text)."""
        if not said:
            return []
        going = _Going.of(after, [row for row, _ in said])
        hidden = self._go_on(going, [(*text.given, *text.said[:-1]) for _, text in said])
        return self._of_said(hidden, [text for _, text in said])[0]

    def alone(self, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        """The same of texts before which no picture and no slots stand; and which tokens are likeliest."""
        rows = [(*text.given, *text.said[:-1]) for text in texts]
        device = next(self._embeddings.parameters()).device
        ids, real = _padded(rows, device)
        hidden = self._body(input_ids=ids, attention_mask=real.long(), use_cache=False).last_hidden_state
        return self._of_said(hidden, texts)

    def draw(
        self, after: Answered, begun: Sequence[tuple[int, tuple[int, ...]]], draws: Draws
    ) -> list[Drawn]:
        """A text after each (row of `after`, what is given)."""
        if not begun:
            return []
        going = _Going.of(after, [row for row, _ in begun])
        given = [ids for _, ids in begun]
        hidden = self._go_on(going, given)
        last = hidden[torch.arange(len(given)), torch.tensor([len(ids) - 1 for ids in given])]
        said: list[list[int]] = [[] for _ in given]
        total = torch.zeros(len(given))
        open_ = torch.ones(len(given), dtype=torch.bool)
        while True:
            logs = self._logits(last).log_softmax(-1)
            chosen = _choose(logs, draws)
            total += torch.where(open_, logs.gather(1, chosen)[:, 0], 0.0)
            for row in open_.nonzero()[:, 0].tolist():
                said[row].append(int(chosen[row, 0]))
                done = said[row][-1] == draws.end or len(said[row]) == draws.limit
                open_[row] = not done
            if not bool(open_.any()):
                return [Drawn(tuple(ids), float(log)) for ids, log in zip(said, total, strict=True)]
            last = self._go_on(going, [(int(i),) for i in chosen[:, 0]])[:, 0]

    def _go_on(self, going: "_Going", rows: Sequence[tuple[int, ...]]) -> Tensor:
        """Hidden states (m, longest, H) of `rows` in a pass that `going` is then after."""
        ids, real = _padded(rows, going.real.device)
        going.real = torch.cat([going.real, real], 1)
        position = going.position[:, None] + torch.arange(ids.shape[1], device=ids.device)
        going.position = going.position + real.sum(1)
        with self.aside():
            output = self._body(
                inputs_embeds=self._embeddings(ids),
                past_key_values=going.cache,
                attention_mask=going.real.long(),
                position_ids=position.expand(*going.axes, -1, -1),
            )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def _of_said(self, hidden: Tensor, texts: Sequence[Text]) -> tuple[list[Tensor], list[Tensor]]:
        """What is said is predicted from the last given token on."""
        rows = [
            row[len(text.given) - 1 : len(text.given) + len(text.said) - 1]
            for row, text in zip(hidden, texts, strict=True)
        ]
        logs = self._logits(torch.cat(rows)).log_softmax(-1)
        ids = torch.tensor([i for text in texts for i in text.said])
        lengths = [len(text.said) for text in texts]
        likeliest = logs.argmax(-1) == ids
        found = logs.gather(1, ids[:, None])[:, 0]
        return list(torch.split(found, lengths)), list(torch.split(likeliest, lengths))

    def _logits(self, hidden: Tensor) -> Tensor:
        weight = self._output.weight
        assert isinstance(weight, Tensor)
        return functional.linear(hidden.to(weight.dtype), weight).float().cpu()


@dataclass
class _Going:
    """Rows that go on from a cache of their own; as in `Answered`."""

    cache: DynamicCache
    real: Tensor
    position: Tensor
    axes: torch.Size

    @classmethod
    def of(cls, after: Answered, rows: Sequence[int]) -> "_Going":
        owner = torch.tensor(rows, device=after.real.device)
        return cls(repeat(after.cache, owner), after.real[owner], after.position[owner], after.axes)


def _choose(logs: Tensor, draws: Draws) -> Tensor:
    """(m, 1) ids."""
    if draws.temperature == 0:
        return logs.argmax(-1, keepdim=True)
    return torch.multinomial(torch.softmax(logs / draws.temperature, -1), 1, generator=draws.generator)


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids (m, longest), zeros at the end of short ones, and which of them are real."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, torch.arange(longest, device=device) < lengths[:, None]


def repeat(cache: DynamicCache, owner: Tensor) -> DynamicCache:
    """A new cache whose row n is row owner[n]; gradients flow back into the shared rows."""
    repeated = DynamicCache()
    for i, layer in enumerate(cache.layers):
        assert isinstance(layer, CacheLayerMixin)
        assert layer.keys is not None
        assert layer.values is not None
        repeated.update(layer.keys[owner], layer.values[owner], i)
    return repeated
