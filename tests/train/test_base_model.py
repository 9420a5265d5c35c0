"""The base out of its GGUF: what transformers reads from the same file, weight by weight."""

from pathlib import Path

import gguf
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from yochi_runtime.errors import UsageError
from yochi_train.base_model import fill, language_config, language_weights, read_base

from tests.export.tiny_run import tiny_nano, write_base


def test_the_weights_and_the_shape_are_those_that_transformers_reads(tmp_path: Path) -> None:
    trained, _ = tiny_nano()
    write_base(trained, tmp_path / "base.gguf")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="base.gguf", dtype=torch.float32)
    base = read_base(tmp_path / "base.gguf")
    config = language_config(base)
    model = LlamaForCausalLM(config)
    model.tie_weights()
    fill(model, language_weights(base, config))
    state, wanted = model.state_dict(), theirs.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[name], wanted[name]) for name in wanted)
    where_from = ("_name_or_path", "_model_name_or_path", "quantization_config")
    named_otherwise = (*where_from, "dtype", "architectures", "transformers_version")
    ours, said = config.to_dict(), theirs.config.to_dict()
    assert {k: v for k, v in said.items() if k not in named_otherwise and ours.get(k) != v} == {}
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, theirs(ids).logits)


def test_no_weight_may_be_missing_or_too_many() -> None:
    model = torch.nn.Linear(2, 3)
    weights = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    fill(model, iter(weights.items()))
    assert torch.equal(model.weight, weights["weight"])
    with pytest.raises(ValueError, match="got none for bias"):
        fill(model, iter([("weight", torch.ones(3, 2))]))
    with pytest.raises(KeyError):
        fill(model, iter([("other", torch.ones(3, 2))]))


def test_a_file_that_is_no_llama_is_told(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "gemma3")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(UsageError, match=r"expected a llama with llama\.context_length in the base model"):
        language_config(read_base(tmp_path / "other.gguf"))
