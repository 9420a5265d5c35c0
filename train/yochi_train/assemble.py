"""Put yochi-nano together from its pretrained parts: EfficientNet-Lite0 and SmolLM2 out of its GGUF."""

from pathlib import Path

from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.taxonomy import pack_text, parse_pack

from . import lite0
from .base_model import load_language, load_tokenizer
from .nano import YochiNanoConfig, YochiNanoForConditionalGeneration, YochiNanoProcessor


def assemble(
    pack_file: Path | None = None, base: Path | None = None
) -> tuple[YochiNanoForConditionalGeneration, YochiNanoProcessor]:
    """An untrained nano (pretrained encoder and language model, random projector) and its processor."""
    base = base or find_base(NANO_BASE)
    text = pack_text(pack_file)
    language = load_language(base)
    config = YochiNanoConfig(
        text_config=language.config.to_dict(), cues=[cue.id for cue in parse_pack(text).cue]
    )
    model = YochiNanoForConditionalGeneration(config)
    model.language.load_state_dict(language.state_dict())
    model.language.tie_weights()
    model.vision.encoder.load_state_dict(lite0.pretrained().state_dict())
    model.eval()  # type: ignore[no-untyped-call]
    return model, YochiNanoProcessor(load_tokenizer(base), text, config.image_token_id)
