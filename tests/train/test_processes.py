"""Several processes are one: the same losses, the same weights; one alone writes."""

import json
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
from yochi_train.records import PACK_NOTES
from yochi_train.sft import train

from .made import tiny_slots
from .sft_data import settings_of, write_sft_data
from .test_run_log import scalars

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
ROOT = Path(__file__).parents[2]
LIMIT = 240  # seconds a process may take; most of it is torch's import, on a machine that does other things


@pytest.mark.parametrize(
    ("name", "sharded", "changes"),
    [("ddp-cpu.yaml", False, {}), ("fsdp2.yaml", True, {"utility": None, "anchors_a_step": 2})],
)
def test_two_processes_reach_what_one_reaches(
    name: str, sharded: bool, changes: dict[str, object], tmp_path: Path, pack: Pack
) -> None:
    """The shipped configurations, gloo, two packs a step: one pack a process, whose known slots differ.

    One of the packs has no note to explain, so that where weights are sharded passes must be kept in step.
    """
    data = write_sft_data(tmp_path / "data", pack)
    forget_verdicts(data / "records" / "train.jsonl", PACK_NOTES)
    changes = {"packs": 2, "precision": "fp32", **changes}
    config = ROOT / "train" / "recipes" / name
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)),
        *("--main_process_port", "0", "-m", "tests.train.ddp_run"),
        *(str(data), str(tmp_path / "two"), str(LIMIT), json.dumps(changes)),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "ACCELERATE_USE_CPU": "true"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as launched:
        try:
            train(settings_of(data, **changes), tiny_slots(), tmp_path / "one")
            _, said = launched.communicate(timeout=LIMIT + 20)
        finally:
            launched.kill()
    assert launched.returncode == 0, said[-2000:]
    parts = [int((tmp_path / "two" / f"parts-{rank}").read_text(encoding="utf-8")) for rank in range(2)]
    assert (min(parts) > 0) is sharded
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


def forget_verdicts(file: Path, first: int) -> None:
    """Of the first records: where the verdict is unknown, nothing is explained."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for line in lines[:first]:
        line["verdict"] = None
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_sharded_processes_share_evenly() -> None:
    assert Processes(1, 2, sharded=True).share([0, 1, 2, 3]) == [1, 3]
    with pytest.raises(UsageError, match="that 2 sharded processes share evenly, got 3; change packs"):
        Processes(0, 2, sharded=True).share([0, 1, 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected no utility in a sharded run"),
        ({"utility": None}, "anchors_a_step that 2 sharded processes share evenly, got 1"),
    ],
)
def test_what_would_leave_a_sharded_process_waiting_is_refused(
    changes: dict[str, object], message: str, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_sft_data(tmp_path / "data", pack)
    monkeypatch.setattr(Processes, "launched", lambda: Processes(0, 2, sharded=True))
    with pytest.raises(UsageError, match=message):
        train(settings_of(data, **changes), tiny_slots(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_a_launch_of_another_kind_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(kind, "true")
    with pytest.raises(UsageError, match=r"got DeepSpeed or the first FSDP; give train/recipes/ddp\.yaml"):
        Processes.launched()
    with pytest.raises(UsageError, match="expected `yochi-train rlaif` in one process, got 2"):
        refuse_several("rlaif")
