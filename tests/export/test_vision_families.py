"""The picture halves as they are exported, against transformers' own: in torch, so that no graph is made."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel
from yochi_export.families import MODEL_TYPES, TABLE, Form
from yochi_export.three_files.vision import VISION_GRAPHS, LlavaVision
from yochi_export.three_files.vision_qwen import QwenVision


@pytest.mark.parametrize(
    "grids",
    [
        [[1, 4, 4]],
        [[1, 10, 14]],  # windows of 4 x 4 tokens, cut at both ends
        [[1, 6, 4], [1, 16, 18], [1, 2, 2]],
        [[3, 4, 10]],  # a film: each moment sees itself
    ],
)
def test_qwens_windows_are_kept_in_any_size(grids: list[list[int]]) -> None:
    torch.manual_seed(0)
    config = Qwen2_5_VLVisionConfig(
        depth=4,
        hidden_size=32,
        intermediate_size=48,
        num_heads=2,
        out_hidden_size=24,
        window_size=56,
        fullatt_block_indexes=[2],
    )
    tower: Any = Qwen2_5_VisionTransformerPretrainedModel._from_config(config)  # type: ignore[no-untyped-call]
    tower.eval()
    for weight in tower.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, 0, 0.3)
    grid = torch.tensor(grids)
    pixels = torch.randn(int(grid.prod(dim=-1).sum()), 3 * 2 * 14 * 14)
    with torch.inference_mode():
        wanted: Tensor = tower(pixels, grid_thw=grid).pooler_output
        found = QwenVision(tower)(pixels, grid)
    assert found.shape == (len(pixels) // 4, 24)
    assert (found - wanted).abs().max() <= 1e-4
    assert wanted.std() > 0.01


@pytest.mark.parametrize(("layers", "strategy"), [(-2, "default"), (-1, "full"), ([-2, -1], "default")])
def test_llavas_layers_are_chosen_as_its_settings_say(layers: Any, strategy: Any) -> None:
    torch.manual_seed(0)
    size: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**size, image_size=32, patch_size=16),
        text_config=LlamaConfig(**size, vocab_size=32),
        vision_feature_layer=layers,
        vision_feature_select_strategy=strategy,
        image_token_index=3,
    )
    vlm: Any = LlavaForConditionalGeneration(config)
    vlm.eval()
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        wanted = torch.stack(list(vlm.model.get_image_features(pixels).pooler_output))
        assert torch.equal(LlavaVision(config, vlm.model)(pixels), wanted)


def test_what_the_table_promises_can_be_made() -> None:
    promised = {kind for kind, family in MODEL_TYPES.items() if TABLE[family][Form.ONNX].made_by}
    assert promised == set(VISION_GRAPHS)
