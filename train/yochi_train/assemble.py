"""Put yochi-nano together from its pretrained parts: EfficientNet-Lite0 and SmolLM2 out of its GGUF."""

from pathlib import Path

from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.taxonomy import pack_text, parse_pack

from . import lite0
from .base_model import base_tokenizer, fill, language_config, language_weights, read_base
from .nano import YochiNanoConfig, YochiNanoForConditionalGeneration, YochiNanoProcessor


def assemble(
    pack_file: Path | None = None, base: Path | None = None
) -> tuple[YochiNanoForConditionalGeneration, YochiNanoProcessor]:
    """An untrained nano (pretrained encoder and language model, random projector) and its processor."""
    text = pack_text(pack_file)
    file = read_base(base or find_base(NANO_BASE))
    config = YochiNanoConfig(
        text_config=language_config(file).to_dict(), cues=[cue.id for cue in parse_pack(text).cue]
    )
    processor = YochiNanoProcessor(base_tokenizer(file), text, config.image_token_id)
    file.fields.clear()  # words and merges, a numpy array each: 160 MB beside the weights
    model = YochiNanoForConditionalGeneration(config)
    model.language.tie_weights()
    fill(model.language, language_weights(file, config.text_config))
    model.vision.encoder.load_state_dict(lite0.pretrained().state_dict())
    model.eval()  # type: ignore[no-untyped-call]
    return model, processor
