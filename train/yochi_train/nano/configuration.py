"""Configuration of yochi-nano."""

from typing import Any

from transformers import LlamaConfig, PretrainedConfig


class YochiNanoConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """A frozen EfficientNet-Lite0, a projector with cue heads, and a Llama-shaped language model.

    `cues`: the pack's cue ids in order. `image_token_id`: the input id that an image embedding replaces,
    49 times a picture; it is one of SmolLM2's unused control tokens and never comes from text.
    """

    model_type = "yochi_nano"
    sub_configs = {"text_config": LlamaConfig}  # noqa: RUF012 -- transformers reads it from the class

    def __init__(
        self,
        text_config: dict[str, Any] | LlamaConfig | None = None,
        cues: list[str] | None = None,
        projector_size: int = 512,
        image_token_id: int = 7,
        **kwargs: Any,
    ) -> None:
        if isinstance(text_config, dict):
            text_config = LlamaConfig(**text_config)
        self.text_config = text_config or LlamaConfig()
        self.cues = cues or []
        self.projector_size = projector_size
        self.image_token_id = image_token_id
        kwargs.setdefault("tie_word_embeddings", True)
        super().__init__(**kwargs)
