"""When each verdict stands on the worker's page, in a real browser beside the box."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from yochi_runtime.errors import UsageError

# Heard after the page's own listener has drawn: the frame after next is on the glass.
WATCH = """
window.drawn = {};
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (name, ...rest) {
  listen.call(this, name, ...rest);
  if (name === "judgement")
    listen.call(this, name, (event) => {
      const row = JSON.parse(event.data).id;
      requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn[row] = Date.now(); }));
    });
};
"""


class Screen:
    """An open page."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def pause(self, seconds: float) -> None:
        """Waits while the browser lives on."""
        self._page.wait_for_timeout(seconds * 1e3)

    def drawn(self) -> dict[int, float]:
        """`time.time()` of each row's drawing so far."""
        found: dict[str, float] = self._page.evaluate("window.drawn")
        return {int(row): at / 1e3 for row, at in found.items() if row != "null"}


@contextmanager
def screen(browser: Path, url: str) -> Iterator[Screen]:
    """The page at `url` on a 10-inch panel. UsageError without browser or Playwright."""
    if find_spec("playwright") is None:
        raise UsageError("expected Playwright for --browser, found none; pip install playwright")
    if not browser.is_file():
        raise UsageError(f"expected a browser at {browser}, found none; on Debian: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # No sandbox: the page is the box's own, and a box's service may run as root in a container.
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(WATCH)
        page.goto(url)
        yield Screen(page)
        opened.close()
