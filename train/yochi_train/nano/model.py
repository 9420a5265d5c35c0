"""The model: vision tower + SmolLM2 with image embeddings in place of image tokens."""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, GenerationMixin, LlamaForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration import YochiNanoConfig
from .vision import VisionTower


class YochiNanoForConditionalGeneration(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """An ordinary causal language model that also takes `pixel_values` (B, 3, 448, 448)."""

    config_class = YochiNanoConfig
    base_model_prefix = "language"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["LlamaDecoderLayer"]  # noqa: RUF012 -- transformers reads it from the class
    _tied_weights_keys = {"language.lm_head.weight": "language.model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: YochiNanoConfig) -> None:
        super().__init__(config)
        text = config.text_config
        self.vision = VisionTower(len(config.cues), config.projector_size, text.hidden_size)
        self.language = LlamaForCausalLM(text)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> torch.nn.Module:
        module: torch.nn.Module = self.language.get_input_embeddings()
        return module

    def set_input_embeddings(self, value: torch.nn.Module) -> None:
        self.language.set_input_embeddings(value)

    def get_output_embeddings(self) -> torch.nn.Module:
        module: torch.nn.Module = self.language.get_output_embeddings()  # type: ignore[no-untyped-call]
        return module

    def embed(self, input_ids: Tensor, pixel_values: Tensor | None) -> Tensor:
        """(B, T) ids -> (B, T, H), image tokens replaced by the picture's 49 embeddings in order.

        Raises ValueError when the number of image tokens is not 49 a picture.
        """
        embeds: Tensor = self.get_input_embeddings()(input_ids)
        if pixel_values is None:
            return embeds
        image, _ = self.vision(pixel_values.to(self.vision.projector.fc1.weight.dtype))
        where = input_ids == self.config.image_token_id
        if int(where.sum()) != image.shape[0] * image.shape[1]:
            raise ValueError(
                f"expected {image.shape[1]} image tokens a picture, got {int(where.sum())} in all"
            )
        return embeds.masked_scatter(where[..., None], image.to(embeds.dtype))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """As `LlamaForCausalLM.forward`; `labels` are shifted there as usual.

        What `generate` hands over is named here, because it refuses what the signature does not name.
        """
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.embed(input_ids, pixel_values)
        output: CausalLMOutputWithPast = self.language(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )
        return output

    def prepare_inputs_for_generation(self, input_ids: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Pixels go in with the prompt and never again."""
        pixels = kwargs.pop("pixel_values", None)
        prepare: Any = super().prepare_inputs_for_generation  # type: ignore[misc]
        inputs: dict[str, Any] = prepare(input_ids, *args, **kwargs)
        past = kwargs.get("past_key_values")
        if pixels is not None and (past is None or past.get_seq_length() == 0):
            inputs["pixel_values"] = pixels
        return inputs
