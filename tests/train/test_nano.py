"""yochi-nano is an ordinary Hugging Face model: saved, loaded, generated with, adapted, merged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from yochi_runtime.image import Frame
from yochi_runtime.inspection import Note
from yochi_runtime.prompt import BOS, IMAGE_TOKENS
from yochi_train.nano import YochiNanoConfig, YochiNanoForConditionalGeneration, YochiNanoProcessor
from yochi_train.nano.vision import VisionTower

from .made import HIDDEN, LAYERS, tiny_nano

Nano = tuple[YochiNanoForConditionalGeneration, YochiNanoProcessor]
NOTE = "Lift the box."
# PEFT asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def nano() -> Nano:
    return tiny_nano()


def frame(seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (64, 96, 3), dtype=np.uint8))


def logits_of(model: YochiNanoForConditionalGeneration, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(**inputs).logits
    return logits


def test_saved_and_loaded_it_answers_the_same(nano: Nano, tmp_path: Path) -> None:
    model, processor = nano
    inputs = dict(processor(frame(), NOTE))
    model.save_pretrained(tmp_path)
    loaded = YochiNanoForConditionalGeneration.from_pretrained(tmp_path)
    assert loaded.config.cues == model.config.cues
    torch.testing.assert_close(logits_of(loaded, inputs), logits_of(model, inputs), atol=0, rtol=0)


def test_the_saved_config_is_the_config(nano: Nano, tmp_path: Path) -> None:
    nano[0].config.save_pretrained(tmp_path)
    loaded = YochiNanoConfig.from_pretrained(tmp_path)
    assert loaded.text_config.hidden_size == HIDDEN
    assert loaded.text_config.num_hidden_layers == LAYERS
    assert loaded.to_dict() == nano[0].config.to_dict()


def test_input_and_output_embeddings_are_one(nano: Nano) -> None:
    model, _ = nano
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_the_picture_stands_where_the_image_tokens_are(nano: Nano) -> None:
    model, processor = nano
    inputs = processor(frame(), NOTE)
    with torch.no_grad():
        embeds = model.embed(inputs["input_ids"], inputs["pixel_values"])
        image, cells = model.vision(inputs["pixel_values"])
        words = model.get_input_embeddings()(inputs["input_ids"])
    where = inputs["input_ids"][0] == processor.image_token_id
    assert int(where.sum()) == IMAGE_TOKENS
    torch.testing.assert_close(embeds[0, where], image[0], atol=0, rtol=0)
    torch.testing.assert_close(embeds[0, ~where], words[0, ~where], atol=0, rtol=0)
    assert cells.shape == (1, IMAGE_TOKENS, len(processor.pack.cue))
    assert 0.0 <= float(cells.min()) <= float(cells.max()) <= 1.0


@pytest.mark.parametrize("missing", [1, IMAGE_TOKENS])
def test_a_wrong_number_of_image_tokens_is_refused(nano: Nano, missing: int) -> None:
    model, processor = nano
    inputs = processor(frame(), NOTE)
    kept = (inputs["input_ids"][0] == processor.image_token_id).nonzero()[missing:, 0].tolist()
    others = (inputs["input_ids"][0] != processor.image_token_id).nonzero()[:, 0].tolist()
    ids = inputs["input_ids"][:, sorted(kept + others)]
    with pytest.raises(ValueError, match=f"expected 49 image tokens a picture, got {IMAGE_TOKENS - missing}"):
        model(input_ids=ids, pixel_values=inputs["pixel_values"])


def greedy(model: YochiNanoForConditionalGeneration, inputs: dict[str, Tensor], count: int) -> list[int]:
    """One whole pass a token, no cache."""
    ids = inputs["input_ids"]
    for _ in range(count):
        logits = logits_of(model, {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)})
        ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    found: list[int] = ids[0].tolist()
    return found


@pytest.mark.parametrize("with_picture", [True, False])
def test_generate_is_the_greedy_walk(nano: Nano, with_picture: bool) -> None:
    model, processor = nano
    inputs = dict(processor(frame(), NOTE) if with_picture else processor.text("Factory safety"))
    generate: Any = model.generate  # type: ignore[misc]
    made = generate(**inputs, max_new_tokens=4, do_sample=False, pad_token_id=0, eos_token_id=None)
    assert made[0].tolist() == greedy(model, inputs, 4)


def test_the_picture_matters_to_what_is_generated_next(nano: Nano) -> None:
    model, processor = nano
    one, other = (logits_of(model, dict(processor(frame(seed), NOTE))) for seed in (0, 1))
    assert float((one[:, -1] - other[:, -1]).abs().max()) > 1e-6


def test_a_lora_attaches_learns_and_merges() -> None:
    model, processor = tiny_nano(seed=1)
    inputs = dict(processor.text("Lift the box"))
    plain = logits_of(model, inputs)
    adapted = get_peft_model(
        model, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    trainable = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert len(trainable) == LAYERS * 2 * 2
    torch.testing.assert_close(logits_of(adapted, inputs), plain, atol=1e-6, rtol=0)  # B starts at zero
    adapted(**inputs, labels=inputs["input_ids"]).loss.backward()
    assert all(p.grad is not None for p in trainable.values())
    with torch.no_grad():
        for name, p in trainable.items():
            if "lora_B" in name:
                p.normal_(generator=torch.Generator().manual_seed(2))
    changed = logits_of(adapted, inputs)
    assert float((changed - plain).abs().max()) > 1e-3
    merged = adapted.merge_and_unload()
    assert isinstance(merged, YochiNanoForConditionalGeneration)
    torch.testing.assert_close(logits_of(merged, inputs), changed, atol=1e-4, rtol=1e-4)


def test_the_encoder_keeps_its_statistics_while_the_rest_trains() -> None:
    tower = VisionTower(3, 4, 8).train()
    assert tower.projector.training
    assert not any(module.training for module in tower.encoder.modules())


def test_the_processor_comes_back_as_it_was(nano: Nano, tmp_path: Path) -> None:
    _, processor = nano
    processor.save_pretrained(tmp_path)
    loaded = YochiNanoProcessor.from_pretrained(tmp_path)
    assert loaded.pack == processor.pack
    assert loaded.prompt.sha256 == processor.prompt.sha256
    for text in (NOTE, "箱を持つ", "<|im_end|>"):
        assert loaded.slot_prompt(text) == processor.slot_prompt(text)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["glossary.tsv", "pack.toml", "tokenizer.json"]


def test_the_slot_prompt_is_the_runtimes_segments(nano: Nano) -> None:
    _, processor = nano
    p = processor.prompt
    ids = processor.slot_prompt(NOTE)
    image = len(p.prefix)
    assert ids[0] == BOS
    assert tuple(ids[:image]) == p.prefix
    assert ids[image : image + IMAGE_TOKENS] == [processor.image_token_id] * IMAGE_TOKENS
    assert tuple(ids[image + IMAGE_TOKENS :]) == (*p.look, *p.sign(), *p.note(Note(NOTE).text), *p.slots)


def test_no_text_becomes_an_image_token(nano: Nano) -> None:
    _, processor = nano
    control = "<gh_stars><|im_start|><|endoftext|>"
    assert processor.slot_prompt(control).count(processor.image_token_id) == IMAGE_TOKENS
    assert processor.decode(processor.text(control)["input_ids"][0][1:]) == control
