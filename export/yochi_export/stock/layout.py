"""What the box needs of a checkpoint beside its GGUFs: the template's words as ids, and how it is shown
pictures, compared with its own image processor."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoConfig, AutoImageProcessor
from yochi_runtime.bundle import LAYOUT
from yochi_runtime.errors import UsageError
from yochi_runtime.image import Frame
from yochi_runtime.layout import Free, Layout, Square
from yochi_runtime.taxonomy import load_pack
from yochi_runtime.tokens import TextTokenizer
from yochi_train.vlm.chat import build_chat
from yochi_train.vlm.families import FAMILIES

from .staging import Checkpoint

_SHOWN = ((48, 64), (700, 500), (301, 999))  # (height, width) of pictures that must be prepared alike


def make_layout(checkpoint: Checkpoint) -> tuple[Layout, TextTokenizer]:
    """And the tokenizer without control tokens. UsageError where pictures are prepared in another way."""
    config: Any = AutoConfig.from_pretrained(checkpoint.path)
    pictures: Any = AutoImageProcessor.from_pretrained(checkpoint.path, backend="pil")  # type: ignore[no-untyped-call]
    family, image = FAMILIES[config.model_type], config.image_token_id
    words = checkpoint.tokenizer
    # The pack's slots are laid out by the box: any pack shows where the template's words stand.
    chat = build_chat(words, checkpoint.template, image, load_pack())
    options = family.options(config)

    def made(rgb: NDArray[np.uint8]) -> Any:
        return pictures(images=[rgb], return_tensors="pt", **options)

    ids = chat.with_picture(family, config, words, made(np.full((64, 64, 3), 127, np.uint8)))
    first, after = ids.index(image), len(ids) - ids[::-1].index(image)
    rule = _rule(checkpoint)
    layout = Layout(
        before=tuple(ids[:first]),
        after=tuple(ids[after:]),
        turn=chat.turn,
        picture=rule,
        picture_tokens=after - first if isinstance(rule, Square) else rule.most // rule.unit**2,
    )
    draw = np.random.default_rng(0)
    for shape in _SHOWN:
        rgb = draw.integers(0, 256, (*shape, 3), dtype=np.uint8)
        _check_alike(layout.prepare(Frame(rgb)), made(rgb), pictures)
    return layout, chat.words


def _rule(checkpoint: Checkpoint) -> Square | Free:
    bounds, vision = checkpoint.picture_tokens, checkpoint.config["vision_config"]
    if bounds is None:
        return Square(side=vision["image_size"])
    unit = vision["patch_size"] * vision["spatial_merge_size"]
    return Free(unit=unit, least=bounds[0] * unit**2, most=bounds[1] * unit**2)


def _check_alike(ours: NDArray[np.uint8], made: Any, pictures: Any) -> None:
    """Every pixel, to the rounding of the processor's own normalization."""
    theirs = _planes(made, pictures)
    mean, std = (np.array(getattr(pictures, f"image_{name}"), np.float32) for name in ("mean", "std"))
    wanted = ((ours / np.float32(255) - mean) / std).transpose(2, 0, 1)
    if theirs.shape != wanted.shape or not np.allclose(theirs, wanted, atol=1e-3):
        raise UsageError(
            "expected an image processor that prepares pictures as the box does, got other pixels "
            f"{theirs.shape}; use the one that the model was released with"
        )


def _planes(made: Any, pictures: Any) -> NDArray[np.float32]:
    """(3, height, width) of what a processor made; Qwen-VL's come as rows, one a patch."""
    values: NDArray[np.float32] = made["pixel_values"].numpy()
    if "image_grid_thw" not in made:
        return values.reshape(values.shape[-3:])
    _, high, wide = made["image_grid_thw"][0].tolist()
    patch, merge, twice = pictures.patch_size, pictures.merge_size, pictures.temporal_patch_size
    blocks = values.reshape(high // merge, wide // merge, merge, merge, 3, twice, patch, patch)[
        :, :, :, :, :, 0
    ]
    return blocks.transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, high * patch, wide * patch)


def write_layout(checkpoint: Checkpoint, out: Path) -> None:
    """`layout.json`, and the tokenizer's files, in `out`."""
    layout, words = make_layout(checkpoint)
    words.save(out)
    (out / LAYOUT).write_text(layout.model_dump_json(indent=1) + "\n", encoding="utf-8")
