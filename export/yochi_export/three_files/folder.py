"""Settings, tokenizer and chat template beside the graphs, as Transformers.js looks for them.

transformers 5 writes a processor's settings in one file and the chat template in another; Transformers.js
reads `preprocessor_config.json`, and the template in `tokenizer_config.json`. Pictures are prepared as the
trainer prepares them: the whole of each, bounded.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yochi_runtime.bundle import PACK
from yochi_train.vlm.hub import Hub

from .layout import Graph, graph_file, weights_file

Settings = dict[str, Any]


def write_settings(hub: Hub, checkpoint: Path, out: Path) -> None:
    """Everything but graphs, into `out`; which graphs have weights beside them is seen there."""
    hub.vlm.config.save_pretrained(out)
    if hub.vlm.generation_config is not None:
        hub.vlm.generation_config.save_pretrained(out)
    hub.tokenizer.save_pretrained(out)
    (out / "chat_template.jinja").write_text(hub.template, encoding="utf-8")
    _change(out / "tokenizer_config.json", {"chat_template": hub.template})
    large = [graph_file(out, graph).name for graph in Graph if weights_file(graph_file(out, graph)).exists()]
    if large:
        _change(
            out / "config.json",
            {"transformers.js_config": {"use_external_data_format": dict.fromkeys(large, 1)}},
        )
    name, more = _PROCESSORS[hub.family.model_type]
    options = hub.family.options(hub.vlm.config)
    pictures: Settings = {**hub.pictures.to_dict(), **options, "processor_class": name}
    _write(out / "preprocessor_config.json", pictures)
    _write(out / "processor_config.json", {"processor_class": name, **more(hub)})
    if (checkpoint / PACK).is_file():
        shutil.copyfile(checkpoint / PACK, out / PACK)


def _idefics(hub: Hub) -> Settings:
    vision = hub.vlm.config.vision_config
    side = vision.image_size // vision.patch_size // hub.vlm.config.scale_factor
    return {"image_seq_len": side**2}


def _llava(hub: Hub) -> Settings:
    """transformers takes a token away where the strategy is "default", Transformers.js never does: said so
    that both count as many tokens as the vision half gives."""
    config = hub.vlm.config
    return {
        "image_token": hub.tokenizer.convert_ids_to_tokens(config.image_token_id),
        "patch_size": config.vision_config.patch_size,
        "num_additional_image_tokens": int(config.vision_feature_select_strategy == "full"),
        "vision_feature_select_strategy": "full",
    }


def _nothing(_: Hub) -> Settings:
    return {}


_PROCESSORS: Mapping[str, tuple[str, Callable[[Hub], Settings]]] = {  # by model_type
    "idefics3": ("Idefics3Processor", _idefics),
    "smolvlm": ("SmolVLMProcessor", _idefics),
    "llava": ("LlavaProcessor", _llava),
    "qwen2_5_vl": ("Qwen2_5_VLProcessor", _nothing),
}


def _change(file: Path, more: Settings) -> None:
    _write(file, {**json.loads(file.read_text(encoding="utf-8")), **more})


def _write(file: Path, settings: Settings) -> None:
    text = json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True)
    file.write_text(text + "\n", encoding="utf-8")
