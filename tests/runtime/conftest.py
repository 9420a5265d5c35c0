"""A tiny bundle through the real engines, for every test that judges."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yochi_runtime.image import Frame
from yochi_runtime.judge import Judge

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle


@pytest.fixture(scope="session")
def shared_tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """Made once and never changed; flags nothing."""
    return make_bundle(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(shared_tiny: TinyBundle, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """The shared tiny bundle with its base in place."""
    monkeypatch.setenv("YOCHI_BASE", str(shared_tiny.base))
    return shared_tiny


@pytest.fixture
def tiny_judge(tiny: TinyBundle) -> Iterator[Judge]:
    """A judge that trusts the shared tiny bundle."""
    with Judge.open(tiny.folder, trust=frozenset({tiny.sha256}), threads=1) as judge:
        yield judge


def noise(seed: int = 0, height: int = 96, width: int = 128) -> Frame:
    """A frame of seeded noise."""
    return Frame(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small PNG."""
    path = tmp_path / "picture.png"
    Image.fromarray(noise().rgb).save(path)
    return path
