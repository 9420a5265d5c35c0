"""The checkpoint as upstream's converter wants to find it: links to weights, four files written anew."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
from yochi_runtime.errors import UsageError
from yochi_train.vlm.families import FAMILIES
from yochi_train.vlm.hub import chat_template

# Upstream tells the language half by its architecture; of these families it is an ordinary llama, under the
# name that the released checkpoints carry. Without: "SmolVLMForConditionalGeneration is not supported".
_LLAMA_INSIDE = {"smolvlm": "VLlama3ForCausalLM", "idefics3": "VLlama3ForCausalLM"}
CONFIG, TEMPLATE, PICTURES = "config.json", "chat_template.jinja", "preprocessor_config.json"
# Would be read instead of the four, or beside them.
_LEFT_OUT = {
    CONFIG,
    TEMPLATE,
    PICTURES,
    "processor_config.json",
    "chat_template.json",
    "tokenizer_config.json",
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What the files of a checkpoint say. `pictures`: the image processor's settings as in training."""

    path: Path
    config: dict[str, Any]
    tokenizer: Any
    template: str
    pictures: dict[str, Any]

    @property
    def picture_tokens(self) -> tuple[int, int] | None:
        """Least and most tokens of a picture, where its size is free (Qwen-VL)."""
        size, vision = self.pictures["size"], self.config["vision_config"]
        if not {"shortest_edge", "longest_edge"} <= size.keys():
            return None
        token = (vision["patch_size"] * vision["spatial_merge_size"]) ** 2  # pixels
        return size["shortest_edge"] // token, size["longest_edge"] // token


def read_checkpoint(path: Path) -> Checkpoint:
    """Everything but the weights. UsageError where a part cannot be read."""
    try:
        config = AutoConfig.from_pretrained(path)
        tokenizer = AutoTokenizer.from_pretrained(path)
        pictures: Any = AutoImageProcessor.from_pretrained(path, backend="pil")  # type: ignore[no-untyped-call]
        template = chat_template(str(path), tokenizer)
    except (OSError, ValueError, ImportError, KeyError) as e:
        why = " ".join(str(e).split())[:200]
        raise UsageError(f"expected a whole checkpoint in {path}, got: {why}; get it again") from e
    if template is None:
        raise UsageError(f"expected a chat template in {path}, found none; copy the one of its base model")
    settings = pictures.to_dict() | dict(FAMILIES[config.model_type].options(config))
    return Checkpoint(path, config.to_dict(), tokenizer, template, settings)


def stage(checkpoint: Checkpoint, folder: Path) -> None:
    """Fill the empty `folder`. Pictures are prepared as they were in training: Idefics3's in one tile."""
    for file in checkpoint.path.iterdir():
        if file.is_file() and file.name not in _LEFT_OUT:
            (folder / file.name).symlink_to(file.resolve())
    config = json.loads((checkpoint.path / CONFIG).read_text(encoding="utf-8"))
    inside = _LLAMA_INSIDE.get(config["model_type"])
    if inside:
        config["text_config"]["architectures"] = [inside]
    words = json.loads((checkpoint.path / "tokenizer_config.json").read_text(encoding="utf-8"))
    words.pop("chat_template", None)  # it would win over the file
    for name, value in ((CONFIG, config), (PICTURES, checkpoint.pictures), ("tokenizer_config.json", words)):
        (folder / name).write_text(json.dumps(value, indent=1, default=str), encoding="utf-8")
    (folder / TEMPLATE).write_text(checkpoint.template, encoding="utf-8")
