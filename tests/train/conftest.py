"""What several of the trainer's tests stand on."""

from pathlib import Path

import pytest
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_train.drawn import draw_photos
from yochi_train.pictures import Picture, build_pictures

from .made import unlike


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn photos, as many as the smoke recipe draws; never changed."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_photos(folder, 128)
    return folder


@pytest.fixture(scope="session")
def pictures(drawn: Path, pack: Pack) -> tuple[Picture, ...]:
    """The drawn photos with their cues, groups and splits."""
    return tuple(build_pictures(drawn, pack, unlike(128)))
