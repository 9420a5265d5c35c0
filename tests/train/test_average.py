"""The mean of two runs: by hand on two weights, and runs that do not fit together."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from yochi_runtime.errors import UsageError
from yochi_train.average import ALIKE, average
from yochi_train.model_folder import ADAPTER_WEIGHTS, MODEL, PROJECTOR
from yochi_train.positives import POSITIVES


def run(path: Path, weight: float, positives: dict[str, int], modules: list[str] | None = None) -> Path:
    model = path / MODEL
    (model / "adapter").mkdir(parents=True)
    for name in ALIKE:
        (model / name).write_text("{}", encoding="utf-8")
    settings = {"target_modules": modules or ["q", "v"]}
    (model / "adapter" / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    save_file({"a": torch.full((2, 3), weight)}, model / ADAPTER_WEIGHTS)
    save_file({"p": torch.tensor([weight, 1.0])}, model / PROJECTOR)
    (model / POSITIVES).write_text(json.dumps(positives), encoding="utf-8")
    return path


def test_weights_are_averaged_and_the_larger_counts_kept(tmp_path: Path) -> None:
    first = run(tmp_path / "one", 1.0, {"cue:fire": 40, "cue:smoke": 3})
    second = run(tmp_path / "two", 4.0, {"cue:fire": 20, "cue:person": 7}, ["v", "q"])
    made = average(first, second, tmp_path / "out")
    assert torch.equal(load_file(made / ADAPTER_WEIGHTS)["a"], torch.full((2, 3), 2.5))
    assert torch.equal(load_file(made / PROJECTOR)["p"], torch.tensor([2.5, 1.0]))
    assert json.loads((made / POSITIVES).read_text()) == {"cue:fire": 40, "cue:person": 7, "cue:smoke": 3}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {MODEL}


def test_runs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    first, second = run(tmp_path / "one", 1.0, {}), run(tmp_path / "two", 4.0, {})
    (second / MODEL / ALIKE[0]).write_text("other", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{ALIKE[0]} differs"):
        average(first, second, tmp_path / "out")
    other = run(tmp_path / "three", 4.0, {})
    save_file({"a": torch.zeros(2, 2)}, other / MODEL / ADAPTER_WEIGHTS)
    with pytest.raises(UsageError, match="names or shapes differ"):
        average(first, other, tmp_path / "out")
    (other / MODEL / PROJECTOR).unlink()
    with pytest.raises(UsageError, match="is missing"):
        average(first, other, tmp_path / "out")
    assert not (tmp_path / "out" / MODEL).exists()
