"""Settings for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

# No deadline: a busy machine is no failure. Derandomized: the test command gives the same answer every time.
settings.register_profile("yochi", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=3_000)  # --hypothesis-profile=search
settings.load_profile("yochi")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The recipe first: it takes longest, and at the end one worker would be left alone with it."""
    items.sort(key=lambda item: item.path.name != "test_recipe.py")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests judge is recorded in their own state directory, never in the user's; so are trusted keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for name in ("YOCHI_TRUST", "YOCHI_ENFORCE"):
            patch.delenv(name, raising=False)
        yield
