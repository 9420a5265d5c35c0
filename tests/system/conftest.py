"""A real browser on the pages of a real server."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from yochi_devices.camera import Camera, CameraError
from yochi_devices.frame import CameraFrame
from yochi_runtime.image import read_frame
from yochi_runtime.serve import live as live_module

from tests.fixtures.tiny_bundle import TinyBundle, make_bundle

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "runs" / "screens"  # to be looked at
CHROMIUM = "/usr/bin/chromium"
PACKAGES = "apt-get install -y --no-install-recommends $(grep -v '^#' tests/system/apt.txt)"
WAIT_MS = 60_000  # a busy machine is no failure
WIDTHS = (320, 768, 1280, 1920)  # CSS pixels


class Eye(Camera):
    """A live camera that shows the sample with a sensor's noise; `fault` and `hangs` are what it suffers."""

    fault: str | None = None
    hangs = False

    def __init__(self, _: str) -> None:
        self._scene = read_frame(ROOT / "docs" / "sample" / "frame.jpg").rgb[::2, ::2]
        self._read = 0

    def read(self) -> CameraFrame | None:
        while Eye.hangs:
            time.sleep(0.02)
        if Eye.fault is not None:
            raise CameraError(Eye.fault)
        self._read += 1
        noise = np.random.default_rng(self._read).integers(-3, 4, self._scene.shape)
        rgb = np.clip(self._scene + noise, 0, 255).astype(np.uint8)
        return CameraFrame(rgb, self._read, time.monotonic(), "eye", live=True)

    def close(self) -> None:
        pass


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Eye]]:
    monkeypatch.setattr(live_module, "open_camera", Eye)
    monkeypatch.setattr(live_module, "ERROR_PAUSE", 0.1)
    monkeypatch.setattr("yochi_runtime.run.ERROR_PAUSE", 0.1)
    yield Eye
    Eye.fault, Eye.hangs = None, False


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    assert Path(CHROMIUM).exists(), f"expected {CHROMIUM}, found none; {PACKAGES}"
    with sync_playwright() as playwright:
        # No sandbox: tests in a container run as root, and the page is our own.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """English, on a 10-inch panel. What goes wrong in a script, or is asked of elsewhere, fails the test."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    opened, wrong = context.new_page(), list[str]()
    opened.set_default_timeout(WAIT_MS)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: wrong.extend([] if _own(asked.url) else [asked.url]))
    yield opened
    context.close()
    assert wrong == []


def _own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "blob:", "data:"))


@pytest.fixture(scope="session")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """A tiny bundle that finds a fire in every picture and a fall in every note."""
    return make_bundle(tmp_path_factory.mktemp("stopping"), flags=["cue:fire", "note_content:fall"])


def seen(page: Page, name: str) -> None:
    """Keep what the page looks like, and let axe look, too: nothing serious, at any width no scrolling."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        sizes: dict[str, int] = page.evaluate(
            "({ held: document.documentElement.scrollWidth, room: document.documentElement.clientWidth })"
        )
        page.screenshot(path=SCREENS / f"{name}-{width}.png", full_page=True, animations="disabled")
        assert sizes["held"] <= sizes["room"], f"{name} at {width} px"
    page.set_viewport_size({"width": 1280, "height": 800})
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    serious = [
        (each["id"], node["html"][:200])
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert serious == [], name
