"""The engineer's three changes in a real browser, by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from yochi_runtime import update
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode

from tests.fixtures.tiny_bundle import TinyBundle
from tests.runtime.conftest import shared_tiny
from tests.runtime.serve.conftest import Running, opens, running
from tests.runtime.serve.test_changes import ACCESS, ADMIN_TOKEN, put_mode, two_rulebooks
from tests.runtime.test_update import Box, Shelf, box, shelf

from .conftest import WAIT_MS, Eye, seen

expect.set_options(timeout=WAIT_MS)
__all__ = ["Shelf", "box", "shared_tiny", "shelf"]  # fixtures


@pytest.fixture
def server(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """Something to go back to: a bundle over the shipped one, a rulebook after another."""
    monkeypatch.setattr(update, "_check", lambda *_: None)
    box.install("one")
    rules = two_rulebooks(tmp_path, monkeypatch)
    with running(
        lambda: Judge.open(threads=1), box.log, access=ACCESS, rules=rules, bundles=box.root
    ) as started:
        yield started


def mode_of(server: Running) -> Mode:
    return server.service.desk.mode


def press(page: Page, button: str) -> None:
    page.locator(button).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#second-token")).to_be_focused()


def confirm(page: Page, token: str) -> None:
    page.keyboard.type(token)
    page.keyboard.press("Enter")


def leave(page: Page) -> None:
    expect(page.locator("#change-said")).to_have_text("Done, and recorded.")
    expect(page.locator("#change-leave")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#change")).to_be_hidden()


def test_mode_rulebook_and_bundle_by_keyboard(server: Running, box: Box, page: Page) -> None:
    page.goto(f"{server.url}/engineer")
    expect(page.locator("#change-bundle")).to_be_enabled()
    expect(page.locator("#no-changes")).to_be_hidden()
    expect(page.locator("#mode-to")).to_have_value("advise")
    page.locator("#mode-to").focus()
    page.keyboard.type("s")  # shadow
    expect(page.locator("#mode-to")).to_have_value("shadow")
    press(page, "#change-mode")
    expect(page.locator("#change-what")).to_have_text("advise → shadow")
    confirm(page, "0000111122223333")
    expect(page.locator("#change-said")).to_contain_text("not the second token")
    expect(page.locator("#second-token")).to_be_focused()
    assert page.locator("#second-token").input_value() == ""
    assert mode_of(server) is Mode.ADVISE
    seen(page, "engineer-change-wrong-en")
    page.locator("#second-token").focus()
    confirm(page, ADMIN_TOKEN)
    leave(page)
    expect(page.locator("#facts")).to_contain_text("shadow")
    assert mode_of(server) is Mode.SHADOW
    press(page, "#change-rules")
    expect(page.locator("#change-what")).to_contain_text("Back to plant 1")
    page.keyboard.type(ADMIN_TOKEN)
    page.keyboard.press("Escape")
    expect(page.locator("#change")).to_be_hidden()
    assert page.locator("#second-token").input_value() == ""
    press(page, "#change-rules")
    confirm(page, ADMIN_TOKEN)
    leave(page)
    expect(page.locator("#rulebook")).to_contain_text("plant 1")
    expect(page.locator("#rulebook")).to_contain_text("was rolled back")
    press(page, "#change-bundle")
    confirm(page, ADMIN_TOKEN)
    leave(page)
    expect(page.locator("#bundle")).to_contain_text(box.shipped)
    expect(page.locator("#change-bundle")).to_be_disabled()  # nothing more to go back to
    assert box.judges_by() == "shipped"
    assert page.url == f"{server.url}/engineer"
    assert ADMIN_TOKEN not in page.content()
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    seen(page, "engineer-changed-en")


def test_the_worker_is_shown_the_mode_at_once(
    eye: type[Eye], stopping: TinyBundle, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without loading the page again, and without a frame in between."""
    monkeypatch.setenv("YOCHI_BASE", str(stopping.base))
    with running(opens(stopping), tmp_path / "audit.db", access=ACCESS, camera="0", every=0.2) as server:
        page.goto(server.url)
        expect(page.locator("#word")).to_have_text("STOP")
        eye.hangs = True
        assert put_mode(server, "shadow").status_code == 200
        expect(page.locator("#word")).to_have_text("RECORDING ONLY")
        expect(page.locator("#factors")).to_be_hidden()
        assert put_mode(server, "advise").status_code == 200
        eye.hangs = False
        expect(page.locator("#word")).to_have_text("STOP")


def test_in_japanese_and_without_a_second_token(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/engineer")
    expect(page.locator("#change-rules")).to_be_enabled()
    page.locator("#language").click()
    seen(page, "engineer-changes-ja")
    page.locator("#change-rules").click()
    expect(page.locator("#change-what")).to_contain_text("に戻します")
    seen(page, "engineer-change-ja")
    page.keyboard.press("Escape")
    object.__setattr__(server.service.settings.access, "admin", None)
    expect(page.locator("#no-changes")).to_be_visible()
    for button in ("#change-mode", "#change-rules", "#change-bundle"):
        expect(page.locator(button)).to_be_disabled()
