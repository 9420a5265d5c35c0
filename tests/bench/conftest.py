"""A tiny bundle through the real engines, for the benchmarks that judge."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.taxonomy import Pack, load_pack

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

FLAGGED = "note_instruction:mechanical"


@pytest.fixture(scope="session")
def shared_tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """Made once and never changed; warns of one risk, whatever it is asked. Proved for English alone."""
    return make_bundle(tmp_path_factory.mktemp("tiny"), flags=[FLAGGED], languages=("en",))


@pytest.fixture
def tiny(shared_tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """The shared tiny bundle with its base in place."""
    monkeypatch.setenv("YOCHI_BASE", str(shared_tiny.base))
    return shared_tiny


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures that the gates let pass, and one that is all black."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        rgb = np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{seed}.png")
    Image.new("RGB", (128, 96)).save(folder / "black.png")
    return folder


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack()


@pytest.fixture
def good_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera's gates let every drawn frame pass."""
    monkeypatch.setattr("yochi_bench.camera_stream.StreamGates.check", lambda *_: ())
