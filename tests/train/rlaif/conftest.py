"""One start with its records for every test of feedback."""

from pathlib import Path

import pytest
from yochi_runtime.taxonomy import Pack

from .rlaif_data import write_rlaif_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    """What `write_rlaif_data` writes; never changed."""
    return write_rlaif_data(tmp_path_factory.mktemp("rlaif"), pack)
