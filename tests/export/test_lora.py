"""The LoRA on llama.cpp against PEFT in torch, slot by slot."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import PeftModel
from safetensors.torch import load_file, save_file
from yochi_export.lora import WEIGHTS, write_lora
from yochi_runtime.base import NANO_BASE, find_base
from yochi_runtime.errors import UsageError
from yochi_runtime.language import Language
from yochi_runtime.prompt import IMAGE_TOKENS, Prompt
from yochi_runtime.reader import Reader
from yochi_train.assemble import assemble
from yochi_train.gguf_llama import permute, unpermute
from yochi_train.readout import SlotReader

from .tiny_run import TinyRun, random_lora, tiny_nano, write_base

NOTES = ("Reach in and pull the jam out while it runs.", "急ぐのでインターロックを切って作業して")
Floats = NDArray[np.float64]


def in_torch(adapted: torch.nn.Module, prompt: Prompt, embeds: NDArray[np.float32], note: str) -> Floats:
    """Probabilities of every slot, then of the three verdicts."""
    body = adapted.get_base_model().model  # type: ignore[operator]
    reader = SlotReader(body, body.embed_tokens, prompt)
    with torch.inference_mode():
        logits = reader.read(
            torch.from_numpy(embeds[None]), [prompt.note(note)], torch.zeros(1, dtype=torch.long)
        )
    pairs = np.concatenate([logits.cues[0].numpy(), logits.risks[0].numpy()])
    return probabilities(pairs, logits.verdict[0].numpy())


def on_the_box(language: Language, prompt: Prompt, embeds: NDArray[np.float32], note: str) -> Floats:
    language.rewind(0)
    reader = Reader(language, prompt)
    look = reader.look(partial(language.embeddings, embeds))
    after = reader.answer(prompt.note(note))
    return probabilities(np.concatenate([look, after.risks]), after.verdict)


def probabilities(pairs: NDArray[np.float32], verdict: NDArray[np.float32]) -> Floats:
    yes = 1 / (1 + np.exp(-(pairs[:, 1] - pairs[:, 0]).astype(np.float64)))
    weights = np.exp(verdict.astype(np.float64) - verdict.max())
    return np.concatenate([yes, weights / weights.sum()])


def pictures(width: int, spread: float) -> NDArray[np.float32]:
    """Two pictures' embeddings."""
    drawn = np.random.default_rng(0).standard_normal((2, IMAGE_TOKENS, width)) * spread
    return drawn.astype(np.float32)


def test_rows_are_permuted_from_halves_to_pairs() -> None:
    """One head of six rows: rotation partners 0-3, 1-4, 2-5 become neighbours; two heads apart."""
    rows = np.arange(6, dtype=np.float32)[:, None]
    assert permute(rows, 1).ravel().tolist() == [0, 3, 1, 4, 2, 5]
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert permute(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert unpermute(permute(rows, 2), 2).tolist() == rows.tolist()


def test_tiny_llama_with_lora_answers_as_torch_does(tmp_path: Path) -> None:
    model, processor = tiny_nano()
    write_base(model, tmp_path / "base.gguf")
    plain = random_lora(model, 0.0)
    embeds = pictures(model.config.text_config.hidden_size, 1.0)
    without = [in_torch(plain, processor.prompt, e, n) for e in embeds for n in NOTES]
    model, processor = tiny_nano()
    adapted = random_lora(model, 0.1)
    adapted.save_pretrained(str(tmp_path / "adapter"))  # type: ignore[operator]
    write_lora(tmp_path / "adapter", tmp_path / "base.gguf", tmp_path / "lora.gguf")
    wanted = [in_torch(adapted, processor.prompt, e, n) for e in embeds for n in NOTES]
    with Language(tmp_path / "base.gguf", tmp_path / "lora.gguf", threads=1) as language:
        found = [on_the_box(language, processor.prompt, e, n) for e in embeds for n in NOTES]
    assert np.abs(np.array(found) - np.array(wanted)).max() <= 1e-3
    assert np.abs(np.array(without) - np.array(wanted)).max() >= 0.05, "the LoRA does something"
    assert np.ptp(np.array(wanted), axis=0).max() >= 0.05, "the answers depend on picture and note"


def test_explanations_are_read_with_both_loras_as_torch_reads_them(tmp_path: Path) -> None:
    """After slots without it the second LoRA is used, then no longer: the box's logits are torch's."""
    model, processor = tiny_nano()
    write_base(model, tmp_path / "base.gguf")
    adapted = random_lora(model, 0.1)
    assert isinstance(adapted, PeftModel)
    adapted.add_adapter("explain", adapted.peft_config["default"])
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if ".lora_B.explain." in name:
                weight.normal_(0, 0.2)
            if ".lora_" in name:
                weight.copy_(weight.half())  # as the file has it
    adapted.save_pretrained(str(tmp_path / "adapter"))
    write_lora(tmp_path / "adapter", tmp_path / "base.gguf", tmp_path / "lora.gguf")
    write_lora(tmp_path / "adapter" / "explain", tmp_path / "base.gguf", tmp_path / "explain.gguf")
    slots, said, every = list(processor.prompt.look), [5, 6, 7], list(range(100))
    wanted, cache = list[NDArray[np.float32]](), None
    with torch.no_grad():
        for name, ids in (("default", slots), ("explain", said), ("default", slots)):
            adapted.base_model.set_adapter(["default", name] if name != "default" else [name])
            output = adapted(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            wanted.append(output.logits[0, -1, :100].numpy())
    with Language(
        tmp_path / "base.gguf", tmp_path / "lora.gguf", tmp_path / "explain.gguf", threads=1
    ) as box:
        for i, ids in enumerate((slots, said, slots)):
            (found,) = box.tokens(ids, [len(ids) - 1], every, explaining=ids is said)
            assert np.abs(found - wanted[i]).max() <= 5e-3, i  # products of float16
    with Language(tmp_path / "base.gguf", tmp_path / "lora.gguf", threads=1) as alone:
        alone.tokens(slots)
        (without,) = alone.tokens(said, [2], every)
    assert np.abs(without - wanted[1]).max() >= 0.2, "the second LoRA does something"


def test_real_base_with_lora_answers_as_torch_does(tmp_path: Path) -> None:
    """llama.cpp quantizes activations to 8 bits for the Q4_1 weights, so it is near and never exact."""
    model, processor = assemble()
    adapted = random_lora(model, 0.02)  # as large as a trained one
    adapted.save_pretrained(str(tmp_path / "adapter"))  # type: ignore[operator]
    base = find_base(NANO_BASE)
    write_lora(tmp_path / "adapter", base, tmp_path / "lora.gguf")
    embeds = pictures(model.config.text_config.hidden_size, 0.13)  # the spread of word embeddings
    wanted = np.array([in_torch(adapted, processor.prompt, e, n) for e, n in zip(embeds, NOTES, strict=True)])
    with Language(base, tmp_path / "lora.gguf", threads=1) as language:
        found = np.array(
            [on_the_box(language, processor.prompt, e, n) for e, n in zip(embeds, NOTES, strict=True)]
        )
    assert np.abs(found - wanted).mean() <= 0.01
    assert np.abs(found - wanted).max() <= 0.1


def test_the_same_adapter_gives_the_same_bytes(tiny_run: TinyRun, tmp_path: Path) -> None:
    adapter = tiny_run.folder / "model" / "adapter"
    for name in ("a.gguf", "b.gguf"):
        write_lora(adapter, tiny_run.base, tmp_path / name)
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_what_a_gguf_lora_cannot_carry_is_refused(tiny_run: TinyRun, tmp_path: Path) -> None:
    adapter = tiny_run.folder / "model" / "adapter"
    copied = tmp_path / "adapter"
    copied.mkdir()
    for file in adapter.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    config = (copied / "adapter_config.json").read_text(encoding="utf-8")
    (copied / "adapter_config.json").write_text(config.replace('"use_dora": false', '"use_dora": true'))
    with pytest.raises(UsageError, match="plain LoRA"):
        write_lora(copied, tiny_run.base, tmp_path / "lora.gguf")
    (copied / "adapter_config.json").write_text(config, encoding="utf-8")
    weights = load_file(copied / WEIGHTS)
    name = next(iter(weights))
    save_file(weights | {name: torch.full_like(weights[name], 1e6)}, copied / WEIGHTS)
    with pytest.raises(UsageError, match="float16"):
        write_lora(copied, tiny_run.base, tmp_path / "lora.gguf")
    save_file(weights | {"base_model.model.lm_head.lora_A.weight": torch.zeros(2, 2)}, copied / WEIGHTS)
    with pytest.raises(UsageError, match="lm_head"):
        write_lora(copied, tiny_run.base, tmp_path / "lora.gguf")
    with pytest.raises(UsageError, match="adapter_config"):
        write_lora(tmp_path, tiny_run.base, tmp_path / "lora.gguf")
