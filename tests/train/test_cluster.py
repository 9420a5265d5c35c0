"""`--ray` against a cluster of two nodes on this machine: the same output, and what is lost is made again."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster as RayCluster
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.cluster import Cluster, LostWorker, cluster
from yochi_train.observe.remote import RemoteTeacher
from yochi_train.observe.run import observe
from yochi_train.observe.teacher import Answer, Question, TeacherError, TeacherRefused
from yochi_train.observe.truth_teacher import TruthTeacher
from yochi_train.scenes import remote, render
from yochi_train.scenes.assets import read_assets
from yochi_train.scenes.render import RenderSettings, render_pairs
from yochi_train.scenes.renderer import RenderError
from yochi_train.scenes.scene import render_request
from yochi_train.scenes.seeds import draw_pairs

from .made import command
from .observed import all_known, noon, write_pairs

FAKE = Path(__file__).parent / "scenes" / "fake_renderer.py"
PAIRS = draw_pairs(3)
NAMES = [name for pair in PAIRS for name, _ in pair.scenes()]
SMALL = RenderSettings(size=64, samples=1, workers=2)


class MortalTeacher(TruthTeacher):
    """Its process is killed in the first question of a pair, as often as there are files to take away."""

    def __init__(self, pack: Pack, lives: Path) -> None:
        super().__init__(pack)
        self._lives = lives

    def ask(self, question: Question) -> Answer:
        for life in sorted(self._lives.glob(f"{question.pair.id}-*")):
            life.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if question.pair.id == "refused":
            raise TeacherRefused("too long")
        return super().ask(question)


def no_teacher() -> TruthTeacher:
    raise TeacherError("expected a model at nowhere, got none")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two nodes with a CPU each; nothing is sent anywhere, no dashboard."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # not behind everything else on the machine, as Ray has it
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        nodes = RayCluster(head_node_args={"num_cpus": 1, "include_dashboard": False}, initialize_head=True)
        try:
            nodes.add_node(num_cpus=1)
            yield nodes.address
        finally:
            nodes.shutdown()


@pytest.fixture(scope="module")
def nodes(address: str) -> Iterator[Cluster]:
    with cluster(address, 2) as found:
        yield found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run on this machine alone leaves."""
    root = tmp_path_factory.mktemp("here")
    render_pairs(root / "out", PAIRS, SMALL, fake(root / "state"))
    return contents(root / "out")


def fake(state: Path, failures: dict[str, list[str]] | None = None) -> list[str]:
    state.mkdir(exist_ok=True)
    (state / "failures.json").write_text(json.dumps(failures or {}))
    return [sys.executable, "-I", str(FAKE), str(state)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def attempts(state: Path) -> dict[str, int]:
    return {p.stem: int(p.read_text()) for p in state.glob("*.attempts")}


def test_both_nodes_are_there(nodes: Cluster) -> None:
    assert nodes.cpus == 2
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2


def test_scenes_are_the_same_as_on_one_machine(
    nodes: Cluster, here: dict[str, bytes], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    said = render_pairs(tmp_path / "out", PAIRS, SMALL, fake(state), nodes)
    assert said.startswith("6 scenes in 3 minimal pairs, ")
    assert contents(tmp_path / "out") == here
    assert attempts(state) == dict.fromkeys(NAMES, 1)


def test_scenes_of_lost_workers_and_failed_renderers_are_made_again(
    nodes: Cluster, here: dict[str, bytes], tmp_path: Path
) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    failures = {NAMES[1]: ["orphan", "die"], NAMES[3]: ["error"], NAMES[4]: ["half"]}
    render_pairs(out, PAIRS, SMALL, fake(state, failures), nodes)
    assert attempts(state) == {**dict.fromkeys(NAMES, 1), NAMES[1]: 3, NAMES[3]: 2, NAMES[4]: 2}
    assert contents(out) == here


def test_what_keeps_failing_is_named_and_the_run_goes_on_from_there(
    nodes: Cluster, here: dict[str, bytes], tmp_path: Path
) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    with pytest.raises(
        RenderError, match=rf"6 scenes, 1 failed; first {NAMES[2]}: expected an answer of a Ray"
    ):
        render_pairs(out, PAIRS, SMALL, fake(state, {NAMES[2]: ["orphan"] * render.ATTEMPTS}), nodes)
    assert attempts(state)[NAMES[2]] == render.ATTEMPTS
    for count in state.glob("*.attempts"):
        count.unlink()
    render_pairs(out, PAIRS, SMALL, fake(state), nodes)
    assert attempts(state) == {NAMES[2]: 1}
    assert contents(out) == here


def test_models_travel_to_the_nodes(nodes: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "deep"
    folder.mkdir(parents=True)
    (folder / "crate.glb").write_bytes(b"glTF and more")
    worker = nodes.start(remote.NodeRenderer, fake(tmp_path / "state"), read_assets(folder.parent).contents())
    spec = PAIRS[0].scenes()[0][1]
    request = {
        **render_request(spec, 64, 1, read_assets(folder.parent)),
        "name": "scene",
        "folder": "",
        "threads": 1,
    }
    answer, files = worker.call("render", request, 60.0)
    assert answer == {"name": "scene", "blender": "fake"}
    assert {"image.png", "mask.png"} <= set(files)
    home = Path(worker.call("home"))
    assert (home / "assets" / "deep" / "crate.glb").read_bytes() == b"glTF and more"
    worker.call("close")
    assert not home.exists()
    worker.kill()
    with pytest.raises(LostWorker, match="expected an answer of a Ray worker, lost it: "):
        worker.call("version")


def test_a_node_with_another_yochi_is_refused(
    nodes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "VERSION", 99)
    with pytest.raises(UsageError, match="expected scenes of version 99 on every node of the cluster, got 2"):
        render_pairs(tmp_path / "out", PAIRS, SMALL, fake(tmp_path / "state"), nodes)


def test_observations_are_the_same_as_on_one_machine(nodes: Cluster, pack: Pack, tmp_path: Path) -> None:
    slots = all_known(pack, "note_instruction:mechanical")
    pairs = write_pairs(tmp_path, ["a", "b", "refused", "c"], slots=slots)
    lives = tmp_path / "lives"
    lives.mkdir()
    make = partial(MortalTeacher, pack, lives)
    observe(pairs, tmp_path / "one", make(), workers=1, clock=noon)
    (lives / "b-1").touch()
    (lives / "b-2").touch()
    said = observe(pairs, tmp_path / "many", RemoteTeacher(nodes, make, 2), workers=2, clock=noon)
    assert said.startswith("3 pairs observed, 1 refused by the teacher: ")
    assert not list(lives.iterdir())
    for name in ("observed.jsonl", "report.json", "run.json"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    lines = [(tmp_path / out / "observations.jsonl").read_bytes().splitlines() for out in ("one", "many")]
    assert sorted(lines[1]) == sorted(lines[0])  # answers are logged as they come


def test_a_question_that_kills_every_worker_ends_the_run(nodes: Cluster, pack: Pack, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path, ["a"], slots=all_known(pack))
    lives = tmp_path / "lives"
    lives.mkdir()
    for number in range(3):
        (lives / f"a-{number}").touch()
    teacher = RemoteTeacher(nodes, partial(MortalTeacher, pack, lives), 1)
    with pytest.raises(TeacherError, match=r"lost it: .*; 3 times: look into the nodes' memory and logs"):
        observe(pairs, tmp_path / "out", teacher, clock=noon)
    with pytest.raises(TeacherError, match="expected a model at nowhere"):
        RemoteTeacher(nodes, no_teacher, 1)


def test_more_workers_than_cpus_no_cluster_and_no_ray_are_one_line(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(*words: str) -> str:
        assert command(["scenes", "render", str(tmp_path / "out"), *words]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        return said

    ray.shutdown()  # of the module's own connection: this test is the last
    said = line("--ray", address, "--workers", "3")
    assert said.endswith(f"expected --workers up to 2, the CPUs of the cluster at {address}, got 3")
    assert not ray.is_initialized()
    monkeypatch.setitem(sys.modules, "ray", None)
    assert line("--ray", address).endswith("found none; run: pip install 'yochi[cluster]'")
    assert not (tmp_path / "out").exists()
