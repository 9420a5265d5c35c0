"""Several processes are one: the same losses, the same weights; one alone writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.processes import Processes, refuse_several
from yochi_train.sft import train

from .made import tiny_slots
from .sft_data import settings_of, write_sft_data
from .test_run_log import scalars

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
ROOT = Path(__file__).parents[2]
LIMIT = 240  # seconds a process may take; most of it is torch's import, on a machine that does other things


def test_two_processes_reach_what_one_reaches(tmp_path: Path, pack: Pack) -> None:
    """The shipped configuration, gloo, two packs a step: one pack a process, whose known slots differ."""
    data = write_sft_data(tmp_path / "data", pack)
    config = ROOT / "train" / "recipes" / "ddp-cpu.yaml"
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)),
        *("--main_process_port", "0", "-m", "tests.train.ddp_run"),
        *(str(data), str(tmp_path / "two"), str(LIMIT)),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "ACCELERATE_USE_CPU": "true"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as launched:
        try:
            train(settings_of(data, packs=2, precision="fp32"), tiny_slots(), tmp_path / "one")
            _, said = launched.communicate(timeout=LIMIT + 20)
        finally:
            launched.kill()
    assert launched.returncode == 0, said[-2000:]
    one, two = (scalars(tmp_path / name / "tensorboard") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, expected in one.items():
        assert [step for step, _ in two[name]] == [step for step, _ in expected]
        values = [value for _, value in expected]
        assert [value for _, value in two[name]] == pytest.approx(values, rel=1e-4, abs=1e-6), name
    files = [f"model/{name}" for name in ("projector.safetensors", "adapter/adapter_model.safetensors")]
    for file in files:
        weights, found = load_file(tmp_path / "one" / file), load_file(tmp_path / "two" / file)
        assert weights.keys() == found.keys()
        for name, value in weights.items():
            torch.testing.assert_close(found[name], value, atol=2e-4, rtol=1e-3)


def test_a_step_is_shared_without_a_pack_left_or_taken_twice() -> None:
    shares = [Processes(rank, 3).share(list(range(8))) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(8))
    with pytest.raises(UsageError, match="at least as many packs a step as processes, 3, got 2; raise packs"):
        Processes(0, 3).share([1, 2])


def test_a_launch_that_shards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match=r"expected a launch with DDP, .* give train/recipes/ddp\.yaml"):
        Processes.launched()
    with pytest.raises(UsageError, match="expected `yochi-train rlaif` in one process, got 2"):
        refuse_several("rlaif")
