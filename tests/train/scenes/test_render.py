"""The driver against a renderer that dies, hangs and writes half a file."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.errors import UsageError
from yochi_train.progress import Progress
from yochi_train.scenes import render
from yochi_train.scenes.render import RenderSettings, render_pairs
from yochi_train.scenes.renderer import Renderer, RenderError
from yochi_train.scenes.seeds import Pair, draw_pairs

FAKE = Path(__file__).with_name("fake_renderer.py")
PAIRS = draw_pairs(4)
NAMES = [name for pair in PAIRS for name, _ in pair.scenes()]
SMALL = RenderSettings(size=64, samples=1, workers=2)
DRIVER = """
import sys
from pathlib import Path
from yochi_train.scenes.render import RenderSettings, render_pairs
from yochi_train.scenes.seeds import draw_pairs
out, fake, state = sys.argv[1:]
render_pairs(Path(out), draw_pairs(4), RenderSettings(64, 1, 2), [sys.executable, fake, state])
"""


def command(state: Path, failures: dict[str, list[str]] | None = None) -> list[str]:
    state.mkdir(exist_ok=True)
    (state / "failures.json").write_text(json.dumps(failures or {}))
    return [sys.executable, "-I", str(FAKE), str(state)]


def attempts(state: Path, name: str) -> int:
    return int((state / f"{name}.attempts").read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    said = render_pairs(root / "out", PAIRS, SMALL, command(root / "state"))
    assert said.startswith("8 scenes in 4 minimal pairs, ")
    return root / "out"


def test_a_run_leaves_whole_scenes_and_nothing_else(undisturbed: Path) -> None:
    names = ["contact.png", "index.html", "photos.jsonl", "run.json", "scenes", "seeds.txt"]
    assert sorted(p.name for p in undisturbed.iterdir()) == names
    assert sorted(p.name for p in (undisturbed / "scenes").iterdir()) == sorted(NAMES)
    for name in NAMES:
        files = sorted(p.name for p in (undisturbed / "scenes" / name).iterdir())
        assert files == ["image.jpg", "mask.png", "truth.json"]


def test_truth_image_and_mask_agree(undisturbed: Path) -> None:
    for name in NAMES:
        folder = undisturbed / "scenes" / name
        truth = json.loads((folder / "truth.json").read_text("utf-8"))
        assert truth["name"] == name
        with Image.open(folder / "mask.png") as image:
            mask = np.asarray(image)
        assert mask.shape == (truth["height"], truth["width"])
        with Image.open(folder / "image.jpg") as image:
            assert image.size == (truth["width"], truth["height"])
        for key, sight in truth["sights"].items():
            ids = [i for i, n in enumerate(truth["objects"], 1) if n == key or n.startswith(f"{key}/")]
            assert int(np.isin(mask, ids).sum()) == sight["pixels"], key
        for box in truth["boxes"]:
            x0, y0, x1, y1 = box["xyxy"]
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_the_scenes_of_a_pair_differ_in_the_flipped_switch(undisturbed: Path) -> None:
    for pair in PAIRS:
        first, second = (
            json.loads((undisturbed / "scenes" / name / "truth.json").read_text("utf-8"))
            for name, _ in pair.scenes()
        )
        on = [{h["id"] for h in truth["hazards"] if h["on"]} for truth in (first, second)]
        assert on[0] ^ on[1] == {pair.hazard}
        assert {**first["spec"], "hazards": 0} == {**second["spec"], "hazards": 0}


@pytest.mark.parametrize("how", ["die", "half", "missing", "garbage", "other", "error"])
def test_a_scene_that_failed_is_made_again(undisturbed: Path, tmp_path: Path, how: str) -> None:
    state = tmp_path / "state"
    render_pairs(tmp_path / "out", PAIRS, SMALL, command(state, {NAMES[2]: [how], NAMES[5]: [how, how]}))
    assert attempts(state, NAMES[2]) == 2
    assert attempts(state, NAMES[5]) == 3
    assert contents(tmp_path / "out") == contents(undisturbed)


def test_a_renderer_that_hangs_is_ended(undisturbed: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = RenderSettings(size=64, samples=1, workers=2, seconds=5)
    render_pairs(tmp_path / "out", PAIRS, settings, command(state, {NAMES[3]: ["hang"]}))
    assert attempts(state, NAMES[3]) == 2
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("die", r"the renderer ended \(9\): \['out of memory'\]"),
        ("half", r"expected a picture in image\.png, got: "),
        ("missing", r"expected a picture in mask\.png, got: "),
        ("garbage", r"expected an answer in JSON, got b'Fra:1 Mem:12M"),
        ("other", rf"expected an answer for {NAMES[1]}, got "),
        ("error", "ValueError: no such mesh"),
    ],
)
def test_a_scene_that_keeps_failing_is_named_and_the_others_are_made(
    undisturbed: Path, tmp_path: Path, how: str, said: str
) -> None:
    state, out = tmp_path / "state", tmp_path / "out"
    with pytest.raises(RenderError, match=f"expected 8 scenes, 1 failed; first {NAMES[1]}: .*{said}"):
        render_pairs(out, PAIRS, SMALL, command(state, {NAMES[1]: [how] * 3}))
    assert attempts(state, NAMES[1]) == 3
    assert len(list((out / "scenes").iterdir())) == len(NAMES) - 1
    assert len((out / "photos.jsonl").read_text("utf-8").splitlines()) == len(NAMES) - 1
    render_pairs(out, PAIRS, SMALL, command(state))
    assert contents(out) == contents(undisturbed)


def test_when_everything_fails_it_stops_early(tmp_path: Path) -> None:
    state = tmp_path / "state"
    failures = {name: ["error"] * 9 for name in NAMES}
    with pytest.raises(RenderError, match=f"expected 8 scenes, {render.MOST_FAILED} failed"):
        render_pairs(tmp_path / "out", PAIRS, RenderSettings(64, 1), command(state, failures))
    assert len(list(state.glob("*.attempts"))) == render.MOST_FAILED


def test_a_renderer_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        render_pairs(tmp_path / "out", PAIRS, SMALL, [str(tmp_path / "none")])


@pytest.mark.parametrize("finished", [0, 1, 3, 6])
def test_a_driver_killed_at_any_moment_goes_on(undisturbed: Path, tmp_path: Path, finished: int) -> None:
    out, state = tmp_path / "out", tmp_path / "state"
    state.mkdir()
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(out), str(FAKE), str(state)])
    while driver.poll() is None and len(list((out / "scenes").glob("*/truth.json"))) < finished:
        pass
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = {p.name for p in (out / "scenes").glob("*")}
    assert len(before) >= finished
    (out / ".partial" / NAMES[7]).mkdir(parents=True, exist_ok=True)  # as a kill may leave it
    for count in state.glob("*.attempts"):
        count.unlink()
    render_pairs(out, PAIRS, SMALL, command(state))
    assert contents(out) == contents(undisturbed)
    assert {p.name.removesuffix(".attempts") for p in state.glob("*.attempts")} == set(NAMES) - before


def test_a_finished_run_starts_no_renderer(undisturbed: Path, tmp_path: Path) -> None:
    before = contents(undisturbed)
    said = render_pairs(undisturbed, PAIRS, SMALL, [str(tmp_path / "none")])
    assert said == f"8 scenes in 4 minimal pairs: {undisturbed}"
    assert contents(undisturbed) == before


def test_a_folder_of_other_scenes_is_refused(undisturbed: Path) -> None:
    with pytest.raises(UsageError, match="got others; give a new folder"):
        render_pairs(undisturbed, PAIRS, RenderSettings(size=96, samples=1), ["none"])


def test_an_interrupt_ends_the_renderers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    ended: list[int] = []
    close = Renderer.close

    def counted(renderer: Renderer) -> None:
        close(renderer)
        ended.append(renderer._process.wait())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Renderer, "close", counted)
    monkeypatch.setattr(Progress, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render_pairs(tmp_path / "out", PAIRS, SMALL, command(state, {NAMES[0]: ["hang"]}))
    assert len(ended) >= 2
    assert set(ended) == {-signal.SIGKILL}


def test_no_pairs_and_impossible_settings_are_usage_errors(tmp_path: Path) -> None:
    none: list[Pair] = []
    with pytest.raises(UsageError, match="at least one pair"):
        render_pairs(tmp_path, none, SMALL, ["none"])
    impossible: tuple[dict[str, Any], ...] = ({"size": 8}, {"size": 9999}, {"samples": 0}, {"workers": 0})
    for wrong in impossible:
        with pytest.raises(UsageError, match=re.escape("expected --")):
            RenderSettings(**wrong)
