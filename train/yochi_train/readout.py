"""The slot readout in torch: the same segments as the box, with gradients.

A pack of notes shares one picture. Prefix, picture and cue slots run once; their keys and values are repeated
for the notes, as the box reuses its cache. Answers are read from the hidden state before each placeholder.
What is said after the slots goes on from that cache in a pass of its own, which changes no answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast
from yochi_runtime.prompt import Prompt

from .speech import Answered, Drawn, Draws, Speaker, Text, repeat

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
        self.in_step = False  # as many passes for every group, whether it has texts or not
        self._filler = Text((prompt.slots[0],), (prompt.slots[0],))
        self.speaker = Speaker(body, embeddings, self._output)

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
        return self._read_after(self._look(images), self._words(notes, signs), owner)[0]

    def read_on(
        self,
        images: Tensor,
        notes: Sequence[Sequence[int]],
        owner: Tensor,
        signs: Sequence[str | None],
        texts: Sequence[Sequence[Text]],
    ) -> tuple[Logits, list[list[Tensor]]]:
        """`read`, and the log-probability of every token that each note's `texts` say: (len(said),) each."""
        return self._read_after(self._look(images), self._words(notes, signs), owner, texts)

    def draw(
        self,
        images: Tensor,
        notes: Sequence[Sequence[int]],
        owner: Tensor,
        signs: Sequence[str | None],
        draws: Draws,
    ) -> list[list[Drawn]]:
        """Texts after each note, as many as `draws.given` has for it."""
        with torch.no_grad():
            return self._draw_after(self._look(images), self._words(notes, signs), owner, draws)

    def _words(
        self, notes: Sequence[Sequence[int]], signs: Sequence[str | None] | None
    ) -> list[tuple[int, ...]]:
        """Signs with notes."""
        seen = signs or [None] * len(notes)
        return [(*self.prompt.sign(sign), *note) for sign, note in zip(seen, notes, strict=True)]

    def look(self, images: Tensor) -> Tensor:
        """Cue logits alone, (B, C, 2)."""
        return self._look(images).cues

    def _read_after(
        self,
        seen: Seen,
        words: Sequence[Sequence[int]],
        owner: Tensor,
        texts: Sequence[Sequence[Text]] = (),
    ) -> tuple[Logits, list[list[Tensor]]]:
        risks: list[Tensor] = [torch.empty(0)] * len(words)
        spoken: list[list[Tensor]] = [[] for _ in words]
        for chosen, answered in self._answers(seen, words, owner):
            for row, i in zip(answered.hidden, chosen, strict=True):
                risks[i] = row
            said = [(place, text) for place, i in enumerate(chosen) if texts for text in texts[i]]
            if texts and not said and self.in_step:
                idle = self.speaker.log_probabilities(answered, [(0, self._filler)])[0]
                risks[chosen[0]] = risks[chosen[0]] + 0 * idle.sum().to(answered.hidden.device)
            for (place, _), log in zip(said, self.speaker.log_probabilities(answered, said), strict=True):
                spoken[chosen[place]].append(log)
        stacked = torch.stack(risks)
        logits = Logits(seen.cues, self._yes_no(stacked[:, :-1]), self._verdict(stacked[:, -1]))
        return logits, spoken

    def _draw_after(
        self, seen: Seen, words: Sequence[Sequence[int]], owner: Tensor, draws: Draws
    ) -> list[list[Drawn]]:
        drawn: list[list[Drawn]] = [[] for _ in words]
        for chosen, answered in self._answers(seen, words, owner):
            begun = [(place, given) for place, i in enumerate(chosen) for given in draws.given[i]]
            for (place, _), made in zip(begun, self.speaker.draw(answered, begun, draws), strict=True):
                drawn[chosen[place]].append(made)
        return drawn

    def _answers(
        self, seen: Seen, words: Sequence[Sequence[int]], owner: Tensor
    ) -> Iterator[tuple[list[int], Answered]]:
        """The slots of some notes of a like length at a time, with the places of these notes."""
        order = sorted(range(len(words)), key=lambda i: len(words[i]))
        for chosen in (order[i : i + GROUP] for i in range(0, len(order), GROUP)):
            yield chosen, self._answer([words[i] for i in chosen], owner[torch.tensor(chosen)], seen)

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

    def _answer(self, words: Sequence[Sequence[int]], owner: Tensor, seen: Seen) -> Answered:
        """Signs with notes, read to the placeholders of risk slots and verdict."""
        p = self.prompt
        rows = [[*said, *self._turn, *p.slots] for said in words]
        longest = -(-max(map(len, rows)) // ROUND) * ROUND
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=owner.device)
        length = int(seen.position.max()) + 1
        position = torch.arange(length, length + longest, device=owner.device)
        axes = seen.position.shape[:-2]
        cache = repeat(seen.cache, owner)
        output = self._body(
            inputs_embeds=self._embeddings(ids),
            past_key_values=cache,
            position_ids=position.expand(*axes, len(rows), -1),
        )
        lengths = torch.tensor([len(row) for row in rows], device=owner.device)
        at = (lengths - len(p.slots))[:, None] + torch.tensor(p.slots_at, device=owner.device)
        hidden: Tensor = output.last_hidden_state
        shown = cache.get_seq_length() - longest
        return Answered(
            hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1])),
            cache,
            torch.arange(shown + longest, device=owner.device) < shown + lengths[:, None],
            length + lengths,
            axes,
        )

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
