"""The language half: token embeddings in one graph, decoder and output in another.

The decoder takes embeddings, so that a picture's can stand among a text's, and a cache of any length, empty
included: one graph for the first pass and for every later one. Logits come for every token, which slots need.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import CacheLayerMixin
from yochi_runtime.errors import UsageError

from .graph import Axes, Traced

BATCH, LENGTH, PAST, TOTAL = "batch_size", "sequence_length", "past_sequence_length", "total_sequence_length"
# Rotations that follow the length of the text are computed in Python, and a graph would keep one of them.
STATIC_ROPE = ("default", "linear", "llama3", "yarn")
Cache = list[tuple[Tensor, Tensor]]


class TokenEmbeddings(nn.Module):
    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, input_ids: Tensor) -> Tensor:
        """(B, T) int64 -> (B, T, H)."""
        out: Tensor = self.embeddings(input_ids)
        return out


class Decoder(nn.Module):
    """A decoder whose cache is plain tensors."""

    def __init__(self, body: nn.Module, output: nn.Module) -> None:
        super().__init__()
        self.body, self.output = body, output

    def forward(
        self, inputs_embeds: Tensor, attention_mask: Tensor, position_ids: Tensor, past: Cache
    ) -> tuple[Tensor, Cache]:
        """(B, T, H), (B, P + T) int64, (B, T) or (3, B, T) int64, layers of (B, heads, P, D) each.

        Logits (B, T, V), and layers of (B, heads, P + T, D).
        """
        before, length = past[0][0].shape[2], inputs_embeds.shape[1]
        total = attention_mask.shape[1]
        torch._check(total == before + length)  # type: ignore[no-untyped-call]
        asking = torch.arange(length, device=inputs_embeds.device)[:, None] + before
        asked = torch.arange(total, device=inputs_embeds.device)[None, :]
        seen = (asked <= asking)[None, None] & attention_mask[:, None, None, :].bool()
        # A token of padding sees itself: a row that sees nothing is NaN, and spreads by 0 * NaN.
        seen = seen | (asked == asking)[None, None]
        output = self.body(
            inputs_embeds=inputs_embeds,
            attention_mask=seen,
            position_ids=position_ids,
            past_key_values=DynamicCache(ddp_cache_data=past),
            use_cache=True,
        )
        logits: Tensor = self.output(output.last_hidden_state)
        return logits, [_tensors(layer) for layer in output.past_key_values.layers]


def _tensors(layer: CacheLayerMixin) -> tuple[Tensor, Tensor]:
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys, layer.values


def embeddings_graph(vlm: Any) -> Traced:
    ids = torch.zeros(2, 3, dtype=torch.long)
    axes: Axes = (BATCH, LENGTH)
    return Traced(
        TokenEmbeddings(vlm.get_input_embeddings()),
        (ids,),
        {"input_ids": axes},
        {"inputs_embeds": (*axes, None)},
    )


def decoder_graph(vlm: Any) -> Traced:
    text = vlm.config.get_text_config()
    batch, length, before = 2, 3, 4
    heads, size = text.num_key_value_heads, head_size(text)
    layers = range(text.num_hidden_layers)
    past = [
        (torch.zeros(batch, heads, before, size), torch.zeros(batch, heads, before, size)) for _ in layers
    ]
    position = torch.arange(before, before + length).expand(batch, -1)
    position_names: Axes = (BATCH, LENGTH)
    if "mrope_section" in (text.rope_parameters or {}):  # a token has a time, a height and a width
        position = position.expand(3, -1, -1)
        position_names = (None, BATCH, LENGTH)
    example = (
        torch.zeros(batch, length, text.hidden_size),
        torch.ones(batch, before + length, dtype=torch.long),
        position.contiguous(),
        past,
    )
    inputs: dict[str, Axes] = {
        "inputs_embeds": (BATCH, LENGTH, None),
        "attention_mask": (BATCH, TOTAL),
        "position_ids": position_names,
    }
    outputs: dict[str, Axes] = {"logits": (BATCH, LENGTH, None)}
    for i in layers:
        for kind in ("key", "value"):
            inputs[f"past_key_values.{i}.{kind}"] = (BATCH, None, PAST, None)
            outputs[f"present.{i}.{kind}"] = (BATCH, None, TOTAL, None)
    return Traced(Decoder(vlm.model.get_decoder(), vlm.get_output_embeddings()), example, inputs, outputs)


def head_size(text: Any) -> int:
    """Numbers of a key or value in one head."""
    return int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)


def refuse_what_is_not_static(vlm: Any) -> None:
    """UsageError for a decoder whose graph would be right for one length of text alone."""
    text = vlm.config.get_text_config()
    rope = (getattr(text, "rope_parameters", None) or {}).get("rope_type", "default")
    kinds: Sequence[str] = getattr(text, "layer_types", None) or ()
    window = sorted(set(kinds) - {"full_attention"})
    if rope not in STATIC_ROPE or window:
        raise UsageError(
            f"expected rope of {', '.join(STATIC_ROPE)} and full attention, got rope {rope}, "
            f"{', '.join(window) or 'full_attention'}; export this model with another program"
        )
